"""A yes or a no as people say it, and as they and programs write it into a table."""

__all__ = ["YES_OR_NO", "truth"]

YES_OR_NO = {"yes": True, "true": True, "no": False, "false": False}
"""What a question is answered with; in a sentence the other marks of a table may be something else (`right`, `1`)."""
_YES = frozenset(["y", "t", "1", "1.0", "correct", "right", "agrees", "pass", "passed", "+"])
_NO = frozenset(["n", "f", "0", "0.0", "-1", "incorrect", "wrong", "disagrees", "fail", "failed", "-"])


def truth(value: object) -> bool | None:
    """Return what a cell says, whatever its case; None where it is neither yes nor no."""
    said = str(value).strip().lower()
    return YES_OR_NO.get(said, True if said in _YES else False if said in _NO else None)
