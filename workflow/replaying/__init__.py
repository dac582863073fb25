"""Blind replay: finding runs, the judges' cage, the judges themselves, and what was finished before."""
