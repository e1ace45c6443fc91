"""Short answers: found in text, read as values, compared. One file a kind: number, set, choice, expression, text."""
