"""Every backend that ships keeps the laws of the Chat port; and the check finds one that breaks a law."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from orcamath.backends import openai_batch, openai_compatible, recorded
from orcamath.classroom import textbook
from orcamath.ports import Replies, Reply, Request, Usage
from orcamath.settings import ModelSettings
from orcamath.testing import Faults, serve, stub
from orcamath.testing.contracts import ask_plainly, check_chat


def test_textbook() -> None:
    check_chat(lambda: textbook.open_chat(ModelSettings(backend="textbook")))


def test_recorded(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    recorded.record(path, [(ask_plainly(i), [f"first {i}", f"second {i}"]) for i in range(9)])
    check_chat(lambda: recorded.open_chat(ModelSettings(backend="recorded", model=str(path))))


@pytest.mark.parametrize("faults", [Faults(), Faults(max_per_key=3, retry_after_s=0.001).every_wire(0.3, hang=False)])
def test_openai_compatible(faults: Faults) -> None:
    options = {"first_backoff_s": 0.001, "pause_s": 0.002}
    with serve(stub(), faults) as server:
        settings = ModelSettings(model="m", base_url=server.base_url, concurrency=4, timeout_s=10, options=options)
        check_chat(lambda: openai_compatible.open_chat(settings))


def test_openai_compatible_with_prompts_of_ids() -> None:
    def ask(i: int, draw: int = 0) -> Request:
        return Request(token_ids=(1, 2, i), sampling=ask_plainly(0).sampling, draw=draw)

    with serve(stub()) as server:
        settings = ModelSettings(model="m", base_url=server.base_url, concurrency=4)
        check_chat(lambda: openai_compatible.open_chat(settings), ask)


def test_openai_batch(tmp_path: Path) -> None:
    with serve(stub()) as server:
        options = {"poll_s": 0.001, "folder": str(tmp_path), "max_lines": 4}
        settings = ModelSettings(backend="openai_batch", model="m", base_url=server.base_url, options=options)
        check_chat(lambda: openai_batch.open_chat(settings))


class Lawful:
    """Answers every request alike and keeps every law."""

    fingerprint: str = "own"
    chunk: int | None = None

    def __call__(self, requests: Iterable[Request]) -> Replies:
        return (self.answer(r, n) for n, r in enumerate(requests))

    def answer(self, request: Request, n: int) -> Reply:
        return Reply(request.key(self.fingerprint), "#### 4", usage=Usage(3, 2))


class Renamed(Lawful):
    numbers = count()

    def __init__(self) -> None:
        self.fingerprint = f"own {next(self.numbers)}"


class Nameless(Lawful):
    fingerprint = ""


class Chunkless(Lawful):
    chunk = 0


class Unasked(Lawful):
    def __call__(self, requests: Iterable[Request]) -> Replies:
        return (self.answer(r, 0) for r in [*requests, Request(token_ids=(1,))])


class Once(Lawful):
    """Answers equal requests once."""

    def __call__(self, requests: Iterable[Request]) -> Replies:
        return super().__call__({r.key(self.fingerprint): r for r in requests}.values())


class Failing(Lawful):
    def answer(self, request: Request, n: int) -> Reply:
        return Reply(request.key(self.fingerprint), error="not today")


class Miscounting(Lawful):
    def answer(self, request: Request, n: int) -> Reply:
        return replace(super().answer(request, n), usage=Usage(-1, 2))


class Fickle(Lawful):
    def answer(self, request: Request, n: int) -> Reply:
        return replace(super().answer(request, n), text=f"#### {n}")


class Eager(Lawful):
    def __call__(self, requests: Iterable[Request]) -> Replies:
        return super().__call__(list(requests))


class Unending(Lawful):
    """Its replies cannot be closed."""

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:  # type: ignore[override]
        return map(self.answer, requests, count())


class Exhausted(Lawful):
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, requests: Iterable[Request]) -> Replies:
        self.asked += 1
        return super().__call__(requests if self.asked == 1 else ())


class Fastidious(Lawful):
    """Has nothing to say to a text with a NUL in it."""

    def __call__(self, requests: Iterable[Request]) -> Replies:
        return super().__call__(r for r in requests if not any("\0" in m.content for m in r.messages))


BREAKS: list[tuple[Callable[[], Lawful], str]] = [
    (Renamed, "one fingerprint"),
    (Nameless, "names something"),
    (Chunkless, "at least one call"),
    (Unasked, "no request, no reply"),
    (Once, "every request gets one reply"),
    (Failing, "has no error: not today"),
    (Miscounting, "counted from 0"),
    (Fickle, "one key has one answer"),
    (Eager, "nothing is pulled before"),
    (Unending, "can be closed early"),
    (Exhausted, "after closing early it answers again"),
    (Fastidious, "it answers or says why not"),
]


def test_one_that_keeps_them_passes() -> None:
    check_chat(Lawful)


@pytest.mark.parametrize(("broken", "says"), BREAKS)
def test_the_check_names_the_law_that_is_broken(broken: Callable[[], Lawful], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_chat(broken)
