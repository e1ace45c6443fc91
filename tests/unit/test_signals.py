"""SIGTERM is an interrupt, whoever handles interrupts just then, and what it was before afterwards."""

import signal
from collections.abc import Callable
from threading import Thread
from types import FrameType

import pytest

from orcamath.signals import terminated_is_interrupted

Handler = Callable[[int, FrameType | None], object] | int | None


@pytest.fixture
def interrupts_by():
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN, signal.SIG_DFL])
def test_it_is_an_interrupt_even_where_those_are_ignored(interrupts_by, handler: Handler) -> None:
    interrupts_by(handler)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_is_interrupted():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_who_handles_interrupts_is_asked_when_it_comes(interrupts_by) -> None:
    heard = []
    with terminated_is_interrupted():
        interrupts_by(lambda number, _: heard.append(number))
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]


def test_a_thread_may_call_it() -> None:
    done = []

    def work() -> None:
        with terminated_is_interrupted():
            done.append(True)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
