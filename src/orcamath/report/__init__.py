"""Folds a run's results into one self-contained page and a terminal table."""
