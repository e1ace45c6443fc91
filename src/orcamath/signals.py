"""What ends a program from outside means what Ctrl-C means: SIGTERM of schedulers and containers, SIGHUP of a lost connection.

`nohup` has a program ignore SIGHUP; then it is left so.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["terminated_is_interrupted"]


@contextmanager
def terminated_is_interrupted() -> Iterator[None]:
    """Give what ends us to whoever handles interrupts just then. Does nothing elsewhere than in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [signal.SIGTERM] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGTERM, signal.SIGHUP]
    before = {number: signal.signal(number, _interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGHUP:
        _leave_the_terminal()
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(number, frame)
    else:  # a shell that started this in the background has interrupts ignored
        raise KeyboardInterrupt


def _leave_the_terminal() -> None:
    """Write into nothing where the terminal is gone: else the first line, or bar, that is drawn would end what still settles."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream)
            os.close(nothing)
