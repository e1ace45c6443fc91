"""Looks at one problem's ancestry and all that came of it."""
