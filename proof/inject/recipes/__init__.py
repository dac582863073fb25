"""One file a topic, each with its ``RECIPES``."""
