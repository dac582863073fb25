"""One file per producer role."""
