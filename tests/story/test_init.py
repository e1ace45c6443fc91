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


def begun(*args: str, **files: str) -> str:
    """Write files, begin with the CSV ones as seeds, and return what is said."""
    for name, text in files.items():
        Path(f"{name}.csv").write_text(text, encoding="utf-8")
    seeds = [arg for name in files for arg in ("--seeds", f"{name}.csv")]
    done = call("init", *seeds, "--teacher", "m", *args)
    assert done.code == 0, done.err
    return str(done.err)


def test_choices_in_columns_are_shown_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = begun(
        quiz="Question,A,B,C,D,Answer,Explanation\nWhich of these is a metal?,O,Na,N,,1,\nAnd which of these?,Li,O,N,F,0,\n"
    )
    assert "columns: Question → question, A → options, B → options, C → options, D → options, Answer → answer" in said
    assert "Explanation (mostly empty, not taken)" in said
    assert "numbers that answer count the choices from 0;" in said
    (source,) = load("recipe.yaml").seeds.sources
    assert source.columns["options"] == ("A", "B", "C", "D")
    assert source.options["answers_from"] == 0
    assert "options: [A, B, C, D]" in Path("recipe.yaml").read_text()


def test_columns_are_named_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = "told,n,wrong,x,y\nWhich of these is the smaller one?,B,A,7,4\n"
    other = "question,answer\nHow many legs have two dogs?,8\n"
    named = [arg for c in ("question=told", "answer=n", "options=x,y") for arg in ("--column", c)]
    begun(*named, own=own, other=other)
    first, second = load("recipe.yaml").seeds.sources
    assert first.columns == {"question": "told", "answer": "n", "options": ("x", "y")}
    assert second.columns == {}
    gone = call("init", "--seeds", "own.csv", "--teacher", "m", "--out", "b.yaml", "--column", "question=tol")
    assert (gone.code, "no set has the column `tol`; did you mean `told`?" in gone.err) == (2, True)
    no_sign = call("init", "--seeds", "own.csv", "--teacher", "m", "--out", "b.yaml", "--column", "told")
    assert (no_sign.code, "has no `=`" in no_sign.err) == (2, True)


@pytest.mark.parametrize(
    ("args", "variable"),
    [
        ([], "OPENAI_API_KEY"),
        (["--base-url", "https://api.anthropic.com/v1"], "ANTHROPIC_API_KEY"),
        (["--base-url", "https://generativelanguage.googleapis.com/v1beta/openai"], "GEMINI_API_KEY"),
        (["--base-url", "http://localhost:8000/v1"], "OPENAI_API_KEY"),
        (["--base-url", "https://evilopenai.com/v1"], None),
        (["--base-url", "https://models.example/v1"], None),
        (["--base-url", "https://models.example/v1", "--api-key-env", "MINE"], "MINE"),
        (["--api-key-env", "MINE"], "MINE"),
    ],
)
def test_the_variable_of_a_key_is_the_hosts_own(
    args: list[str], variable: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = begun(*args, own="question,answer\nHow many legs have two dogs?,8\n")
    text = Path("recipe.yaml").read_text()
    assert (f"  api_key_env: {variable} " in text) == (variable is not None)
    assert ("no key goes to" in said) == ("#api_key_env: " in text) == (variable is None)


def test_a_key_is_for_a_model_behind_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text("question,answer\nHow many legs have two dogs?,8\n")
    local = call("init", "--seeds", "own.csv", "--teacher", "m.gguf", "--api-key-env", "MINE")
    assert (local.code, "--api-key-env is for a model behind a server" in local.err) == (2, True)
    written = call("init", "--seeds", "own.csv", "--teacher", "m", "--api-key-env", "sk-proj-abcdef")
    assert written.code == 2
    assert "sk-proj" not in written.err
    assert not Path("recipe.yaml").exists()


def test_two_files_of_one_name_stay_two_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, asked in (("a", "How many legs have two dogs?,8"), ("b", "How many wings have nine bees?,36")):
        Path(name).mkdir()
        Path(name, "train.csv").write_text(f"question,answer\n{asked}\n")
    assert call("init", "--seeds", "a/train.csv", "--seeds", "b/train.csv", "--teacher", "m").code == 0
    assert [s.title for s in load("recipe.yaml").seeds.sources] == ["a-train", "b-train"]
