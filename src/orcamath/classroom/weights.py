"""The base model that ships: a tiny Llama in transformers' format, made by `orcamath.classroom.pretrain`."""

from pathlib import Path

__all__ = ["folder"]


def folder() -> Path:
    """Return where it lies."""
    return Path(__file__).parent / "base"
