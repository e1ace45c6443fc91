"""math-verify (sympy) behind the rules, in a process of its own that is killed when it takes too long.

sympy can hang or eat all memory on a model's expression, so it never runs in this process: pairs go to a worker as JSON
lines, one answer comes back each; a worker that misses its time is killed and a fresh one started for the next pair. The
worker is reused, because importing sympy takes a second. Run as `python -m orcamath.judges.math_verify` it *is* the worker.
"""

import json
import logging
import os
import resource
import select
import subprocess
import sys
import time
import weakref

__all__ = ["MathVerify", "main"]

START_S = 120.0
MAX_CHARS = 1_000
"""Of a longer answer a part would be compared, and equal parts are no equal answers."""
MAX_BYTES = 4 << 30


class MathVerify:
    """Asks a worker whether two short answers are mathematically equal."""

    def __init__(self, timeout_s: float = 5.0) -> None:
        self.timeout_s = timeout_s
        self.kills = 0
        """How many workers were killed so far."""
        self._known: dict[tuple[str, str], bool | None] = {}
        self._worker: subprocess.Popen[bytes] | None = None

    def __call__(self, gold: str, answer: str) -> bool | None:
        """Return whether they are equal; None where one cannot be read (in time), or is too long. Each pair is asked once."""
        pair = (gold, answer)
        if max(map(len, pair)) > MAX_CHARS:
            return None
        if pair not in self._known:
            if len(self._known) > 100_000:
                self._known.clear()
            self._known[pair] = self._ask(pair)
        return self._known[pair]

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            _end(self._worker)
            self._worker = None

    def _ask(self, pair: tuple[str, str]) -> bool | None:
        for _ in range(2):  # a worker that died earlier is replaced once
            worker = self._start()
            if worker is None:
                return None
            assert worker.stdin is not None
            try:
                worker.stdin.write(json.dumps(pair).encode() + b"\n")
                worker.stdin.flush()
            except OSError:
                self.close()
                continue
            line = _line(worker, self.timeout_s)
            if line is None:
                self.kills += 1
                self.close()
                return None
            verdict = json.loads(line)
            return verdict if isinstance(verdict, bool) else None
        return None

    def _start(self) -> subprocess.Popen[bytes] | None:
        if self._worker is not None and self._worker.poll() is None:
            return self._worker
        worker = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        weakref.finalize(self, _end, worker)
        if _line(worker, START_S) is None:  # it says `null` once sympy is there
            _end(worker)
            return None
        self._worker = worker
        return worker


def _line(worker: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """Read one line from the worker, None where it takes longer or the worker ended."""
    assert worker.stdout is not None
    handle, until, got = worker.stdout.fileno(), time.monotonic() + timeout_s, b""
    while not got.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            return None
        piece = os.read(handle, 4096)
        if not piece:
            return None
        got += piece
    return got


def _end(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was still unsent has no reader any more
                continue


def main() -> None:
    """Be the worker: a JSON pair [gold, answer] a line in, `true`, `false` or `null` a line out."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not look like an answer
    from math_verify import parse, verify  # a second of sympy, in this process only

    logging.disable(logging.CRITICAL)
    out.write("null\n")
    out.flush()
    for line in sys.stdin:
        gold, answer = json.loads(line)
        try:
            left, right = (parse(f"${text}$", parsing_timeout=None) for text in (gold, answer))
            said = verify(left, right, timeout_seconds=None) if left and right else None
        except Exception:  # sympy raises anything; the pair is then undecided
            said = None
        out.write(json.dumps(said) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
