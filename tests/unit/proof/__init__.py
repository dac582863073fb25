"""What the proof is made of: rates, worlds, planted lies, scoring, report."""
