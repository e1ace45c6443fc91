"""Models behind the Chat port, one file each."""
