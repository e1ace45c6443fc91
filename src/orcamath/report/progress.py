"""Bars for people: rate, time left and money, on stderr, one a stage. Plain lines where there is no terminal."""

import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Bars"]

PLAIN_EVERY_S = 15.0
PRICED_EVERY_S = 0.5


class Bars:
    """A rich bar on a terminal, a line now and then elsewhere. Nothing is shown for what takes under two seconds."""

    def __init__(self, *, show_after_s: float = 2.0, left_usd: Callable[[], float | None] = lambda: None) -> None:
        """`left_usd` tells what of the cap is left; None where there is no cap."""
        self._after = show_after_s
        self.left_usd = left_usd
        self._bar: Any = None
        self._reset("", None)

    def _reset(self, what: str, total: int | None) -> None:
        self._what, self._total = what, total
        self._n, self._spent = 0, 0.0
        self._began = self._said = time.monotonic()
        self._money, self._priced = "", 0.0

    def begin(self, what: str, total: int | None) -> None:
        """Start counting `total` items."""
        self.end()
        self._reset(what, total)

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        """Count `n` items, and draw once it is worth it."""
        self._n += n
        self._spent += spent_usd
        now = time.monotonic()
        if now - self._began < self._after:
            return
        if sys.stderr.isatty():
            self._draw()
        elif now - self._said > PLAIN_EVERY_S:
            self._said = now
            sys.stderr.write(self._line(now) + "\n")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the bar away; the stage's summary line follows."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", markup=False), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task(self._what, total=self._total, note="")
            self._bar.start()
        rate = self._n / max(time.monotonic() - self._began, 1e-9)
        now = time.monotonic()
        if now - self._priced > PRICED_EVERY_S:
            self._money, self._priced = self._of_money(), now
        self._bar.update(self._task, completed=self._n, note=f"{rate:,.1f}/s{self._money}")

    def _line(self, now: float) -> str:
        rate = self._n / max(now - self._began, 1e-9)
        of = f" of {self._total:,}" if self._total else ""
        left = f", {(self._total - self._n) / rate:,.0f} s left" if self._total and rate else ""
        return f"  {self._what}: {self._n:,}{of}, {rate:,.1f}/s{left}{self._of_money()}"

    def _of_money(self) -> str:
        if not self._spent:
            return ""
        left = self.left_usd()
        return f", ${self._spent:,.2f} spent" + (f", ${left:,.2f} left" if left is not None else "")
