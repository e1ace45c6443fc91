"""Preference losses, one pure function a file."""
