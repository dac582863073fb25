"""Rebuilds the runs in ``raw_runs/`` whose figures were published: ``python -m proof.reconstruct [DIR]``."""
