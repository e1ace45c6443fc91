"""Processes of their own: a benchmark's other side, itself at another size, a testing server. One thread each.

What such a process prints is the JSON that `figures.report` prints; what it says beside that goes to this one's stderr.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ["figures_of", "served"]

ALONE = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


def figures_of(script: str, *arguments: str, python: str = sys.executable, env: Mapping[str, str] | None = None) -> Any:
    """Run a script of benchmarks/ and return its figures. Raises CalledProcessError where it fails."""
    command = [python, script, *arguments, "--json"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **ALONE, **(env or {})}
    )
    return json.loads(done.stdout)


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Serve the misbehaving server, `python -m orcamath.testing ARGUMENTS`, until the block ends; yields its base URL."""
    command = [sys.executable, "-m", "orcamath.testing", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
