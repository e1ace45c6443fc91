"""SIGTERM and SIGHUP are interrupts, whoever handles interrupts just then, and what they were before afterwards."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
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


@pytest.fixture(autouse=True)
def connected():
    before = signal.signal(signal.SIGHUP, lambda *_: None)  # tests may run under `nohup`
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN, signal.SIG_DFL])
def test_it_is_an_interrupt_even_where_those_are_ignored(interrupts_by, handler: Handler, number: int) -> None:
    interrupts_by(handler)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), terminated_is_interrupted():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_a_program_under_nohup_goes_on_without_its_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with terminated_is_interrupted():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


AT_WORK = """
import os, signal, sys
from orcamath.signals import terminated_is_interrupted
os.open(os.ttyname(0), os.O_RDWR)  # by which it is this session's own terminal
try:
    with terminated_is_interrupted():
        print("begun", flush=True)
        signal.pause()
except KeyboardInterrupt:
    print("what is under way is waited for", file=sys.stderr, flush=True)
    open("settled", "w").close()
"""


def test_what_settles_after_a_terminal_is_gone_may_still_speak(tmp_path: Path) -> None:
    ours, its = pty.openpty()
    command = [sys.executable, "-c", AT_WORK]
    with subprocess.Popen(command, cwd=tmp_path, stdin=its, stdout=its, stderr=its, start_new_session=True) as work:
        os.close(its)
        assert b"begun" in os.read(ours, 1000)
        os.close(ours)
        assert work.wait(30) == 0
    assert (tmp_path / "settled").exists()


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
