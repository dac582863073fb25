"""Campaign files that ship with Countersign."""
