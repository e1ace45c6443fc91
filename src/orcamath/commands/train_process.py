"""One of several training processes, as `torchrun` starts it (see `student/launch.py`)."""

import sys
from pathlib import Path

from orcamath.assemble import train_part

__all__: list[str] = []

if __name__ == "__main__":
    train_part(Path(sys.argv[1]))
