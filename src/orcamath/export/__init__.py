"""Writes the data in the shapes that other tools read."""
