"""A model by place and by content, for whoever names one without loading it (no torch here)."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["ModelFolder"]


class ModelFolder(NamedTuple):
    """Where a model lies, a folder or a GGUF file, and the hash of what changes its answers."""

    path: Path
    fingerprint: str
    content: str = ""
    """Hash of its files and dtype alone."""
