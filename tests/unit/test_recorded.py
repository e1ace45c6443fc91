"""Recorded replies: by prompt and draw, never made up."""

from pathlib import Path

import pytest

from orcamath.backends.recorded import open_chat, record
from orcamath.errors import DataError, RecipeError
from orcamath.ports import Message, Request, Sampling
from orcamath.settings import ModelSettings


def ask(text: str, draw: int = 0) -> Request:
    return Request((Message("user", text),), sampling=Sampling(0.7), draw=draw)


def test_what_was_recorded_is_replayed_by_prompt_and_draw(tmp_path: Path) -> None:
    record(tmp_path / "r.jsonl", [(ask("a {x}"), ["one", "two"]), (Request(token_ids=(1, 2)), ["three"])])
    chat = open_chat(ModelSettings(model=str(tmp_path / "r.jsonl")))
    replies = list(chat([ask("a {x}", 1), Request(token_ids=(1, 2)), ask("a {x}")]))
    assert [r.text for r in replies] == ["two", "three", "one"]
    assert replies[0].key == ask("a {x}", 1).key(chat.fingerprint)


def test_what_was_not_recorded_is_an_error_of_that_call(tmp_path: Path) -> None:
    record(tmp_path / "r.jsonl", [(ask("known"), ["one"])])
    more, unknown = open_chat(ModelSettings(model=str(tmp_path / "r.jsonl")))([ask("known", 1), ask("unknown")])
    assert more.error is not None
    assert "only 1 replies" in more.error
    assert unknown.error is not None
    assert "'unknown'" in unknown.error


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        '{"messages": [["user"]], "replies": ["a"]}',
        '{"token_ids": [1], "replies": [{}]}',
        '{"token_ids": [1], "replies": [{"text": "a", "prompt_tokens": "9"}]}',
        "[" * 100_000,
        '{"messages": ["' + "x" * 9_000_000,
        '{"token_ids": [1], "replies": [{"text": "a", "token_ids": [-1]}]}',
        '{"token_ids": [1], "replies": [{"text": ["a"]}]}',
    ],
    ids=lambda line: line[:60],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "r.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(DataError, match=r"r\.jsonl:2"):
        open_chat(ModelSettings(model=str(tmp_path / "r.jsonl")))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(RecipeError, match="nowhere"):
        open_chat(ModelSettings(model="nowhere.jsonl"))
