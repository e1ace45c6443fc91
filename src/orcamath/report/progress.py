"""Bars for people: rate, time left and money, one a stage: on a terminal, in a notebook's cell, or a plain line now and then."""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from orcamath.store.run_state import RunState, read_state
from orcamath.terminal import clear_line, console
from orcamath.text.money import spent_of
from orcamath.visible import visible

__all__ = ["ArmsLine", "Bars"]

PLAIN_EVERY_S = 15.0
PRICED_EVERY_S = NOTEBOOK_EVERY_S = 0.5


def _no_money() -> tuple[float, float | None]:
    return 0.0, None


class Bars:
    """A bar where one can be drawn, a line now and then elsewhere. Nothing is shown for what takes under two seconds."""

    def __init__(
        self, *, show_after_s: float = 2.0, money: Callable[[], tuple[float, float | None]] = _no_money
    ) -> None:
        """`money` tells the US dollars that the run has spent, and its cap; None where there is none."""
        self._after = show_after_s
        self.money = money
        self._bar: _OnTerminal | _InNotebook | None = None
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
        if (surface := _surface()) is not None:
            self._draw(surface)
        elif now - self._said > PLAIN_EVERY_S:
            self._said = now
            sys.stderr.write(self._line(now) + "\n")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the bar away; the stage's summary line follows."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _draw(self, surface: "type[_OnTerminal] | type[_InNotebook]") -> None:
        if self._bar is None:
            self._bar = surface(self._what, self._total)
        now = time.monotonic()
        rate = self._n / max(now - self._began, 1e-9)
        if now - self._priced > PRICED_EVERY_S:
            self._money, self._priced = self._of_money(), now
        self._bar.show(self._n, f"{rate:,.1f}/s{self._money}")

    def _line(self, now: float) -> str:
        rate = self._n / max(now - self._began, 1e-9)
        of = f" of {self._total:,}" if self._total else ""
        left = f", {(self._total - self._n) / rate:,.0f} s left" if self._total and rate else ""
        return f"  {self._what}: {self._n:,}{of}, {rate:,.1f}/s{left}{self._of_money()}"

    def _of_money(self) -> str:
        spent, cap = self.money()
        if not spent and not self._spent:
            return ""
        return ", " + spent_of(max(spent, self._spent), cap)


class _OnTerminal:
    """A rich bar."""

    def __init__(self, what: str, total: int | None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
        )
        self._task = self._bars.add_task(what, total=total, note="")
        self._bars.start()

    def show(self, n: int, note: str) -> None:
        self._bars.update(self._task, completed=n, note=note)

    def close(self) -> None:
        self._bars.stop()


class _InNotebook:
    """A bar of the browser's own in the cell's output, drawn again in its place; no widget is needed."""

    def __init__(self, what: str, total: int | None) -> None:
        from IPython.display import HTML, display

        self._html, self._what, self._total, self._drawn = HTML, what, total, 0.0
        self._cell: Any = display(HTML(""), display_id=True)

    def show(self, n: int, note: str) -> None:
        now = time.monotonic()
        if now - self._drawn < NOTEBOOK_EVERY_S:
            return
        self._drawn = now
        of = f' value="{n}" max="{self._total}"' if self._total else ""
        count = f"{n:,} of {self._total:,}" if self._total else f"{n:,}"
        said = escape(visible(f"{self._what}: {count}, {note}"))
        self._cell.update(self._html(f"<progress{of}></progress> <small>{said}</small>"))

    def close(self) -> None:
        self._cell.update(self._html(""))


def _surface() -> type[_OnTerminal] | type[_InNotebook] | None:
    """Return where a bar can be drawn: a notebook's cell, a terminal, or nowhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is not None:
        return _InNotebook
    return _OnTerminal if sys.stderr.isatty() else None


class ArmsLine:
    """One line that says what every arm is at, drawn again each second; nothing where there is no terminal."""

    def __init__(self, folder: Path, money: Callable[[], tuple[float, float | None]] = _no_money) -> None:
        self.folder, self.money = folder, money
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)

    def __enter__(self) -> "ArmsLine":
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def text(self) -> str:
        """Return the line."""
        arms = [
            _of_arm(p.parent.name, s)
            for p in sorted((self.folder / "arms").glob("*/state.json"))
            if (s := read_state(p.parent)) is not None and s.running and s.label
        ]
        spent, cap = self.money()
        paid = [spent_of(spent, cap)] if spent else []
        return " · ".join([*arms, *paid])

    def _draw(self) -> None:
        while not self._over.wait(1.0):
            width = shutil.get_terminal_size().columns - 1
            clear_line(self.text()[:width])
        clear_line()


def _of_arm(name: str, state: RunState) -> str:
    count = f" {state.n:,} of {state.total:,}" if state.total else f" {state.n:,}" if state.n else ""
    rate = f", {state.rate_s:,.1f}/s" if state.rate_s else ""
    left = f", {state.left_s:,.0f} s left" if state.left_s is not None else ""
    return f"{name}: {state.label}{count}{rate}{left}"
