"""Every backend that ships keeps the laws of the Chat port."""

from pathlib import Path

import pytest

from orcamath.backends import openai_batch, openai_compatible, recorded
from orcamath.classroom import textbook
from orcamath.ports import Request
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
