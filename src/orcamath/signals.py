"""What ends a program from outside: SIGTERM, as schedulers and containers send it, means what Ctrl-C means."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["terminated_is_interrupted"]


@contextmanager
def terminated_is_interrupted() -> Iterator[None]:
    """Give SIGTERM to whoever handles interrupts just then. Does nothing elsewhere than in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(number, frame)
    else:  # a shell that started this in the background has interrupts ignored
        raise KeyboardInterrupt
