"""From a file of one's own to a report, by what `init` writes and nothing else: five shapes of files, and lines uncommented."""

import json
import re
from pathlib import Path

import pytest

from commanding import call
from orcamath.checks.whole import check
from orcamath.recipe_file import load
from orcamath.testing import serve
from orcamath.testing.server import Call
from own_files import OWN, Own, answers_of

ANSWERS = answers_of()
COMMENTED = re.compile(r"^(\s*)#(?=[^\s#])")

SHORT = [a for key in ("practice", "evaluate") for a in ("--set", f"{key}.max_new_tokens=24")]
"""A student that was never trained does not end; the recipe stays as it was written."""


def teach(asked: Call) -> str:
    """Solve the problem whose text the prompt holds; as an agent say nothing of use."""
    prompt = asked.messages[-1].content if asked.messages else ""
    found = next((a for q, a in ANSWERS.items() if q in prompt), None)
    return f"Read it once more, then work it out step by step.\n#### {found}" if found is not None else "I cannot."


@pytest.mark.slow
@pytest.mark.parametrize("own", OWN, ids=[o.name for o in OWN])
def test_a_file_of_ones_own_comes_to_a_report_without_editing(
    own: Own, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own.write(Path(own.name))
    with serve(teach, models=("m",)) as server:
        args = ["--seeds", own.name, "--teacher", "m", "--base-url", server.base_url, "--student", str(base)]
        begun = call("init", *args)
        assert begun.code == 0, begun.err
        assert begun.err.count("→") >= 3
        done = call("run", "recipe.yaml", "--limit", "10", *SHORT)
        assert done.code == 0, done.err
    told = call("report", "recipe", "--json")
    assert told.code == 0, told.err
    rows = json.loads(told.out)["rows"]
    assert {row["iteration"] for row in rows} == {1, 2, 3}
    assert Path("runs/recipe/report.html").stat().st_size > 10_000


def lines_of(recipe: str) -> list[int]:
    return [i for i, line in enumerate(recipe.splitlines()) if COMMENTED.match(line)]


def uncommented(recipe: str, which: list[int]) -> str:
    return (
        "\n".join(COMMENTED.sub(r"\1", line) if i in which else line for i, line in enumerate(recipe.splitlines()))
        + "\n"
    )


CASES = [
    (["klasse3.csv"], "m", ["--base-url", "http://localhost:8000/v1"]),
    (["klasse3.csv", "bank.parquet"], "gpt-4.1-mini", []),
    (["riddles.jsonl"], "gpt-4.1-mini", ["--base-url", "https://models.example/v1"]),
    (["asked.jsonl"], "teacher.gguf", []),
    (["train.jsonl", "test.jsonl"], "gpt-4.1-mini", []),
]


@pytest.mark.parametrize(("seeds", "teacher", "more"), CASES, ids=[" ".join(s) for s, _, _ in CASES])
def test_every_commented_line_can_be_uncommented(
    seeds: list[str], teacher: str, more: list[str], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for own in OWN:
        own.write(Path(own.name))
    Path("asked.jsonl").write_text('{"question": "How many legs have two dogs?"}\n')
    Path("train.jsonl").write_text('{"question": "How many legs have two dogs?", "answer": "8"}\n')
    Path("test.jsonl").write_text('{"question": "How many wings has a swarm of nine bees?", "answer": "36"}\n')
    named = [arg for name in seeds for arg in ("--seeds", name)]
    begun = call("init", *named, "--teacher", teacher, "--student", str(base), *more)
    assert begun.code == 0, begun.err
    recipe = Path("recipe.yaml").read_text(encoding="utf-8")
    lines = lines_of(recipe)
    assert len(lines) >= 9
    for which in [[], *([i] for i in lines), lines]:
        text = uncommented(recipe, which)
        Path("one.yaml").write_text(text, encoding="utf-8")
        said = [
            t for t in check(load("one.yaml"), tmp_path / "store", everything=False).troubles if "gguf" not in t.what
        ]
        assert not said or "price" in said[0].what, (said, text.splitlines()[which[0]] if which else text)


def test_test_files_are_measured_on_and_not_grown_from(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.jsonl").write_text('{"question": "How many legs have two dogs?", "answer": "8"}\n')
    Path("test.jsonl").write_text('{"question": "How many wings has a swarm of nine bees?", "answer": "36"}\n')
    assert call("init", "--seeds", "train.jsonl", "--seeds", "test.jsonl", "--teacher", "m").code == 0
    recipe = load("recipe.yaml")
    assert [s.path for s in recipe.seeds.sources] == ["train.jsonl"]
    assert [s.path for s in recipe.benchmarks.sources] == ["test.jsonl"]
    twice = ("--seeds", "train.jsonl", "--seeds", "train.jsonl")
    assert call("init", *twice, "--teacher", "m", "--out", "twice.yaml").code == 0
    assert [s.path for s in load("twice.yaml").seeds.sources] == ["train.jsonl"]
    alone = call("init", "--seeds", "test.jsonl", "--teacher", "m", "--out", "other.yaml")
    assert alone.code == 2
    assert "name a training file" in alone.err


@pytest.mark.parametrize(
    ("where", "cap"),
    [([], 5), (["--base-url", "https://models.example/v1"], 5), (["--base-url", "http://localhost:8000/v1"], None)],
)
def test_a_recipe_has_a_cap_where_calls_may_cost_money(
    where: list[str], cap: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.jsonl").write_text('{"question": "How many legs have two dogs?", "answer": "8"}\n')
    assert call("init", "--seeds", "train.jsonl", "--teacher", "m", *where).code == 0
    assert load("recipe.yaml").budget.cap_usd == cap
