"""One of several training processes, as `torchrun` starts it (see `student/launch.py`): finds the loss and does its part."""

import sys
from pathlib import Path

from orcamath.families import boundary
from orcamath.held import held
from orcamath.student.launch import work
from orcamath.terminal import guarded

__all__ = ["main"]


def main(job: Path) -> None:
    """Do this process's part of the job."""
    with guarded():
        work(job, lambda name: held("loss", name), boundary)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
