"""Doubles of the other side, for our tests and for strangers' own."""
