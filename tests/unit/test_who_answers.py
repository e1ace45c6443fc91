"""Who answers: what a server says of itself is kept, and a run stops before its first call where it may be another model."""

import json
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from orcamath.backends.wire_quirks import Quirks
from orcamath.backends.wire_says import said_by
from orcamath.cli import main
from orcamath.settings import ModelSettings
from orcamath.store.servers import Servers, is_bare
from orcamath.testing import MisbehavingServer, serve, stub
from orcamath.testing.http import HttpAnswer, Incoming

BASE = """\
name: mine
seeds: {{sources: [{{name: file, path: seeds.jsonl, split: train}}]}}
ask_me_anything: null
suggester_editor: null
teacher: {{model: {model}, revision: {revision}, base_url: "{url}", api_key_env: null}}
"""


class Telling(MisbehavingServer):
    """Says of its models what a test wants; a status other than 200 says nothing."""

    entries: list[dict[str, Any]] | None = None

    def __call__(self, incoming: Incoming) -> HttpAnswer:
        if self.entries is not None and incoming.path.startswith("/v1/models"):
            return HttpAnswer(body=orjson.dumps({"data": self.entries})) if self.entries else HttpAnswer(404, b"no")
        return super().__call__(incoming)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seeds.jsonl").write_text(
        json.dumps({"question": "Tom has 3 apples and 1 pear. How many?", "answer": "4"})
    )
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, url: str, *more: str, model: str = "default", revision: str = "null") -> int:
    Path("r.yaml").write_text(BASE.format(url=url, model=model, revision=revision))
    monkeypatch.setattr(sys, "argv", ["orcamath", "run", "r.yaml", "--until", "teach", *more])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_another_model_on_the_same_server_stops_the_run_before_a_call(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(stub(), kind=Telling) as server:
        server.entries = [
            {"id": "default", "root": "/models/small", "created": 1, "permission": [1], "max_model_len": 4096}
        ]
        assert run(monkeypatch, server.base_url) == 0
        server.entries = [
            {"id": "default", "root": "/models/small", "created": 2, "permission": [2], "max_model_len": 8192}
        ]
        assert run(monkeypatch, server.base_url) == 0  # started anew, with more room
        calls = server.stats["calls"]
        server.entries = [{"id": "default", "root": "/models/large"}]
        (here / "seeds.jsonl").write_text(
            json.dumps({"question": "Ann has 2 nuts and 2 figs. How many?", "answer": "4"})
        )
        capsys.readouterr()
        assert run(monkeypatch, server.base_url) == 4
        said = capsys.readouterr().err
        for words in ("`teacher`", "/models/large", "/models/small", "teacher.revision", "--same-model"):
            assert words in said
        assert server.stats["calls"] == calls
        assert run(monkeypatch, server.base_url, revision="large") == 0  # asked anew, under a key of its own
        assert server.stats["calls"] == calls + 1
        server.entries = []  # says nothing: what it said stays known, and nothing is in doubt
        assert run(monkeypatch, server.base_url, "--same-model") == 0


def test_a_bare_name_on_a_new_server_is_in_doubt_and_a_telling_one_is_not(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(stub(), kind=Telling) as one, serve(stub(), kind=Telling) as other:
        one.entries, other.entries = [{"id": "default", "owned_by": "me"}], [{"id": "default", "owned_by": "me"}]
        assert run(monkeypatch, one.base_url) == 0
        assert run(monkeypatch, other.base_url) == 4
        assert "is new" in capsys.readouterr().err
        assert not other.stats.get("calls")
        assert run(monkeypatch, other.base_url, "--same-model") == 0
        assert run(monkeypatch, other.base_url) == 0
        for server in (one, other):
            assert run(monkeypatch, server.base_url, model="owner/name-7b") == 0
    assert orjson.loads((here / "store" / "servers.json").read_bytes())["default@-"]


def test_a_server_of_one_model_tells_whatever_it_is_called() -> None:
    meta = {"n_params": 7, "size": 3, "n_ctx": 4096}
    with serve(stub(), kind=Telling) as server:
        asked = ModelSettings(model="any", base_url=server.base_url, api_key_env=None)
        server.entries = [{"id": "/m/a.gguf", "meta": meta}]
        assert said_by(asked) == {"id": "/m/a.gguf", "meta": {"n_params": 7, "size": 3}}
        server.entries = [{"id": "a"}, {"id": "b"}]
        assert said_by(asked) == {}
    assert said_by(asked) == {}  # not there any more


@pytest.mark.parametrize(
    ("name", "bare"),
    [("default", True), ("local-model", True), ("gpt-4.1-mini", False), ("owner/model", False), ("o3", False)],
)
def test_which_names_say_nothing(name: str, bare: bool) -> None:
    assert is_bare(name) is bare


def test_a_damaged_file_of_servers_counts_as_none(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    servers.keep("default@-", "a:1", {"root": "x"})
    assert servers.doubt("default@-", "default", "b:1", {"root": "x"}) is None  # the same, elsewhere
    assert servers.doubt("default@-", "default", "b:1", {"root": "y"}) is not None
    servers.path.write_text("{")
    assert servers.doubt("default@-", "default", "b:1", {}) is None


@pytest.mark.parametrize(
    ("message", "left"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            {"max_completion_tokens", "temperature"},
        ),
        ("Unsupported parameter: max_tokens", {"max_completion_tokens", "temperature"}),
        ("litellm.UnsupportedParamsError: this model doesn't support temperature=0.0", {"max_tokens"}),
        ("`temperature` is deprecated for this model.", {"max_tokens"}),
        ("`temperature` may only be set to 1 when thinking is enabled", {"max_tokens"}),
        ("max_tokens is too large: 100000. This model takes at most 4096", {"max_tokens", "temperature"}),
        ("temperature must be between 0 and 2", {"max_tokens", "temperature"}),
    ],
)
def test_a_refused_parameter_is_learnt_whatever_the_model_is_called(message: str, left: set[str]) -> None:
    quirks = Quirks("an-alias-of-ours")
    body = {"max_tokens": 9, "temperature": 0.5}
    quirks.learn(body, orjson.dumps({"error": {"message": message}}))
    assert set(quirks.apply(dict(body))) == left


def test_a_run_of_which_no_lesson_is_left_ends_with_code_3_and_trains_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(stub("I do not know.")) as server:
        assert run(monkeypatch, server.base_url, "--until", "imitate") == 3
        calls = server.stats["calls"]
        assert "no lesson is left" in capsys.readouterr().err
        assert run(monkeypatch, server.base_url, "--until", "imitate") == 3
        assert server.stats["calls"] == calls  # remembered
    assert not list((here / "store" / "artifacts").glob("imitate-*"))


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["orcamath", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "words", ["evaluate m@{} --on own=test.csv", "ask m@{} question", "judge said.csv --model m@{}"]
)
def test_two_servers_of_one_name_are_not_taken_for_one_model(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    (here / "test.csv").write_text("question,answer\nTom has 3 apples and 1 pear. How many?,4\n")
    (here / "said.csv").write_text('question,gold,response\nHow many?,4,"Either 4 or 5, or so."\n')
    with serve(stub("#### 4")) as right, serve(stub("#### 5")) as wrong:
        assert command(monkeypatch, *words.format(right.base_url).split()) == 0
        capsys.readouterr()
        assert command(monkeypatch, *words.format(wrong.base_url).split()) == 4
        said = capsys.readouterr().err
        assert ("is new" in said, "--same-model" in said, "--store" in said) == (True, True, True)
        assert not wrong.stats.get("calls")
        assert command(monkeypatch, *words.format(wrong.base_url).split(), "--same-model") == 0
        assert command(monkeypatch, *words.format(wrong.base_url).split()) == 0


def test_two_checkpoints_that_are_compared_under_one_name_have_scores_of_their_own(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "test.csv").write_text("question,answer\nTom has 3 apples and 1 pear. How many?,4\n")
    with serve(stub("#### 4")) as right, serve(stub("#### 5")) as wrong:
        words = ["evaluate", f"m@{right.base_url}", "--compare", f"m@{wrong.base_url}", "--on", "own=test.csv"]
        assert command(monkeypatch, *words) == 4
        assert "--served-model-name" in capsys.readouterr().err
