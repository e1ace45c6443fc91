"""A yes or a no as people and programs write it into a table."""

__all__ = ["truth"]

_YES = frozenset(["yes", "y", "true", "t", "1", "1.0", "correct", "right", "agrees", "pass", "passed", "+"])
_NO = frozenset(["no", "n", "false", "f", "0", "0.0", "-1", "incorrect", "wrong", "disagrees", "fail", "failed", "-"])


def truth(value: object) -> bool | None:
    """Return what a cell says, whatever its case; None where it is neither yes nor no."""
    said = str(value).strip().lower()
    return True if said in _YES else False if said in _NO else None
