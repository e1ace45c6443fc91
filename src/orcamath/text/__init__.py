"""What several rooms do to words."""
