"""How good the judge is, and the recorded and rebuilt runs that show it."""
