"""What ends a program from outside means what Ctrl-C means: SIGTERM of schedulers and containers, SIGHUP of a lost connection.

`nohup` has a program ignore SIGHUP; then it is left so. What comes while a process waits for its work is remembered for it.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["hearing_interrupts", "interrupt_waits", "remember_interrupts", "terminated_is_interrupted"]

_remembered = threading.Event()


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


def remember_interrupts() -> None:
    """Have interrupts end nothing from here on, but the next that hears them (`hearing_interrupts`) before it begins."""
    signal.signal(signal.SIGINT, lambda _number, _frame: _remembered.set())


def interrupt_waits() -> bool:
    """Tell whether an interrupt came that nobody has heard."""
    return _remembered.is_set()


@contextmanager
def hearing_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt where an interrupt comes, or came already; afterwards they are remembered again."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if interrupt_waits():
            raise KeyboardInterrupt
        with terminated_is_interrupted():
            yield
    finally:
        remember_interrupts()


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
