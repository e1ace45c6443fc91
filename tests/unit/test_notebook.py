"""`import orcamath as om` as a notebook uses it: rows in any form, records and frames out, inside a running event loop."""

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import pandas
import pyarrow
import pytest

import orcamath as om
from orcamath.errors import DataError, OrcamathError, RecipeError, UsageError
from orcamath.notebook import _commands
from orcamath.store.run_state import read_state
from orcamath.testing import serve, stub

ROWS = [
    {"question": "2 + 2?", "gold": "4", "response": "It is 4.", "label": True},
    {"question": "2 + 3?", "gold": "5", "response": "So it is 6.", "label": False},
]
ANYHOW: Any = om
"""To call it with what its types refuse."""
SEED = {"question": "Tom has 3 apples and 1 pear. How many fruits has he?", "answer": "4"}


def test_importing_it_loads_nothing_and_its_names_are_what_it_says() -> None:
    code = (
        "import sys, orcamath\nprint(sorted(m for m in sys.modules if m.startswith('orcamath')), orcamath.__version__)\n"
        "print(dir(orcamath))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[0] == f"['orcamath'] {om.__version__}"
    assert out.splitlines()[1] == str(sorted(om.__all__))
    with pytest.raises(AttributeError, match="`judges_everything`"):
        om.judges_everything  # noqa: B018
    from orcamath import evaluate, scoring  # a room of the same name would take the function's place

    assert callable(evaluate)
    assert scoring is not evaluate


def forms(folder: Path) -> dict[str, object]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return {
        "dicts": ROWS,
        "an iterator": iter(ROWS),
        "a frame": pandas.DataFrame(ROWS),
        "a path": path,
        "its text": str(path),
    }


def test_rows_are_judged_alike_in_every_form_and_come_back_as_records_and_a_frame(tmp_path: Path) -> None:
    for form, rows in forms(tmp_path).items():
        found = om.judge(rows, store=tmp_path / "store")
        assert [r["outcome"] for r in found.records] == ["agrees", "disagrees"], form
        assert found.summary["forced_accuracy"] == 1.0
        assert list(found.frame["response"]) == ["It is 4.", "So it is 6."]
    html = found._repr_html_()
    assert html is not None
    assert "So it is 6." in html


def test_rows_of_other_packages_are_judged_as_dicts_are(tmp_path: Path) -> None:
    forms: dict[str, object] = {"an Arrow table": pyarrow.Table.from_pylist(ROWS)}
    if find_spec("datasets") is not None:
        from datasets import Dataset

        forms["a hub's split"] = Dataset.from_list(ROWS)
    if find_spec("polars") is not None:
        forms["polars"] = importlib.import_module("polars").DataFrame(ROWS)
    for form, rows in forms.items():
        assert [r["outcome"] for r in om.judge(rows, store=tmp_path).records] == ["agrees", "disagrees"], form


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ({"gold": "4", "response": "4"}, UsageError, r"a dict of `gold`, `response`: write `\[row\]` for one row"),
        ({"train": ROWS}, UsageError, r"a dict of `train`: .* `data\['train'\]` for a split"),
        (None, UsageError, "and this is a NoneType"),
        ([ROWS[0], ["4", "4"]], DataError, "row 2 is no dict and no text but a list"),
    ],
)
def test_what_is_no_list_of_rows_is_said(rows: Any, error: type, says: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=says):
        om.judge(rows, store=tmp_path)
    with pytest.raises(error, match=says):
        om.check(rows, ["How many?"])


def test_columns_that_json_has_no_word_for_do_not_stop_a_search() -> None:
    frame = pandas.DataFrame(
        {"question": ["Tom has 3 pens. How many?"], "at": [pandas.Timestamp("2026-01-01")], 7: [1]}
    )
    found = om.check(frame, [{"question": "Tom has 3 pens. How many?", "n": Decimal("1.5")}])
    assert found.summary["flagged"]["1"] == {"ge": 1, "gt": 1}


def test_what_a_frame_lacks_is_missing_and_not_the_text_nan(tmp_path: Path) -> None:
    frame = pandas.DataFrame([{"gold": 4.0, "response": "4"}, {"gold": 5.0, "response": None}])
    assert [r["reason"] for r in om.judge(frame, store=tmp_path).records] == ["same_answer", "no_answer"]


@pytest.mark.parametrize("missing", [float("nan"), numpy.float32("nan"), Decimal("nan"), pandas.NA, pandas.NaT, None])
def test_what_is_missing_in_dicts_is_missing_and_no_answer(missing: object, tmp_path: Path) -> None:
    rows = [{"gold": missing, "response": "4"}, {"gold": 4.0, "response": missing}]
    assert [r["outcome"] for r in om.judge(rows, store=tmp_path).records] == ["unjudged", "disagrees"]
    if isinstance(missing, float):
        (tmp_path / "rows.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows)
        )  # NaN, as Python writes it
        assert om.judge(tmp_path / "rows.jsonl", store=tmp_path).records[0]["outcome"] == "unjudged"
    found = om.check([{"question": "Tom has 3 pens. How many?", "by": missing}], ["How many?"])
    assert found.summary["n_training"] == 1


def test_a_frame_with_levels_of_columns_is_told_how_to_join_them(tmp_path: Path) -> None:
    frame = pandas.DataFrame([["4", "4"]], columns=pandas.MultiIndex.from_tuples([("a", "gold"), ("a", "response")]))
    with pytest.raises(UsageError, match="several levels of column names"):
        om.judge(frame, store=tmp_path)


def test_a_notebook_shows_text_of_a_model_as_text(tmp_path: Path) -> None:
    rows = [{"gold": "4", "response": "<script>alert(1)</script> 4"}]
    html = om.judge(rows, store=tmp_path)._repr_html_()
    assert html is not None
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ([], DataError, "no row to judge"),
        ([{"gold": "4"}], UsageError, "no column for the response"),
        ("nowhere.jsonl", DataError, "there is no file"),
    ],
)
def test_what_is_wrong_with_rows_is_an_error_that_says_so(rows: object, error: type, says: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=says):
        om.judge(rows, store=tmp_path)


def test_questions_are_searched_as_texts_dicts_frames_and_files(tmp_path: Path) -> None:
    test = "Nadia plants 12 rows of tulips with 8 bulbs in each row; a storm ruins 20 bulbs. How many bulbs survive?"
    train = [{"question": "A farmer has 3 cows and buys 2 more. How many cows?"}, {"question": test}]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in train))
    for rows in (train, [r["question"] for r in train], pandas.DataFrame(train), path):
        found = om.check(rows, [test])
        assert found.summary["flagged"]["1"] == {"ge": 1, "gt": 1}
        assert [(r["train_row"], r["test_row"], r["training"], r["paper"]) for r in found.records] == [
            (2, 1, test, 1.0)
        ]
    with pytest.raises(UsageError, match="no column `q`"):
        om.check(train, [test], column="q")


def recipe(url: str, folder: Path) -> dict[str, object]:
    (folder / "seeds.jsonl").write_text(json.dumps(SEED))
    return {
        "name": "mine",
        "seeds": {"sources": [{"name": "file", "path": str(folder / "seeds.jsonl"), "split": "train"}]},
        "ask_me_anything": None,
        "suggester_editor": None,
        "teacher": {"model": "default", "base_url": url, "api_key_env": None},
    }


def test_a_recipe_as_a_dict_runs_inside_a_notebooks_loop_and_stops_where_told(tmp_path: Path) -> None:
    kept = {"runs": tmp_path / "runs", "store": tmp_path / "store"}

    async def cell(url: str) -> om.Result:
        return om.run(recipe(url, tmp_path), until="teach", settings={"teach.max_problems": 7}, limit=1, **kept)

    with serve(stub("3 + 1 = 4\n#### 4")) as server:
        found = asyncio.run(cell(server.base_url))
        assert server.stats["calls"] >= 1
    assert found.records == []
    assert "stopped after `teach`" in found.summary["stopped"]
    assert "max_problems: 7" in (tmp_path / "runs" / "mine" / "recipe.yaml").read_text()
    state = read_state(tmp_path / "runs" / "mine")
    assert state is not None
    places = ", ".join(f"{what}={str(path)!r}" for what, path in kept.items())
    assert state.command == f"orcamath.run({{…}}, limit=1, {places}, settings={{'teach.max_problems': 7}})"


@pytest.mark.parametrize(
    ("given", "again", "changed"),
    [
        ({}, "orcamath.run('a.yaml')", "orcamath.run('a.yaml', settings={'budget.cap_usd': '…'})"),
        (
            {"name": "b", "until": "gate", "settings": {"budget.cap_usd": 1, "seed": 2}},
            "orcamath.run('a.yaml', name='b', settings={'budget.cap_usd': 1, 'seed': 2}, until='gate')",
            "orcamath.run('a.yaml', name='b', settings={'budget.cap_usd': '…', 'seed': 2}, until='gate')",
        ),
    ],
)
def test_a_run_goes_on_by_the_call_that_began_it(given: dict[str, Any], again: str, changed: str) -> None:
    told = {"name": None, "until": None, "settings": {}, "runs": "runs", "store": "store"} | given
    commands = _commands("a.yaml", **told)
    assert (commands.again, commands.changed("budget.cap_usd")) == (again, changed)


def test_paths_and_numbers_of_numpy_are_settings_and_what_is_none_is_said(tmp_path: Path) -> None:
    seeds = tmp_path / "nowhere.jsonl"
    mine = {
        "name": "mine",
        "seeds": {"sources": [{"name": "file", "path": seeds}]},
        "teach": {"max_problems": numpy.int64(3)},
    }
    kept = {"runs": tmp_path / "runs", "store": tmp_path / "store"}
    teacher = {"model": "m", "base_url": "http://127.0.0.1:9/v1", "api_key_env": None}
    plain = {"seeds.sources.0.path": seeds, "teach.max_problems": numpy.int64(3)}
    for settings in ({}, plain, {"about": "a 😀, and\u2028lines\n"}):
        with pytest.raises(OrcamathError, match=r"nowhere\.jsonl"):
            om.run({**mine, "teacher": teacher}, settings=settings, **kept)
    with pytest.raises(UsageError, match=r"`seeds\.path` a object: a recipe holds texts"):
        om.run("classroom", settings={"seeds.path": object()}, **kept)
    with pytest.raises(UsageError, match="`about` a str: a recipe holds texts"):
        om.run("classroom", settings={"about": "half of one: \ud83d"}, **kept)


def test_a_wrong_recipe_names_the_key_and_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"the recipe given: unknown key `teachers`; did you mean `teacher`"):
        om.run({"name": "mine", "teachers": {}})
    with pytest.raises(RecipeError, match="there is no recipe `clasroom`"):
        om.run("clasroom")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ANYHOW.run("classroom", settings=["a=b"]), r"`settings` is a list: give a dict"),
        (lambda: ANYHOW.run("classroom", settings="a=b"), r"`settings` is 'a=b': give a dict"),
        (lambda: ANYHOW.run("classroom", limit="3"), r"`limit` is '3': give a whole number"),
        (lambda: ANYHOW.run("classroom", limit=2.5), r"`limit` is 2.5: give a whole number"),
        (lambda: ANYHOW.run("classroom", limit=0), r"`limit` is 0: give a whole number from 1 on"),
        (lambda: ANYHOW.run("classroom", until=5), r"`until` is 5: give a text"),
        (lambda: ANYHOW.run("classroom", runs=5), r"`runs` is 5: give a path"),
        (lambda: ANYHOW.run(None), r"`recipe` is None: give a shipped name, a file or a dict"),
        (lambda: ANYHOW.evaluate(None, "gsm8k"), r"`model` is None: give a text"),
        (lambda: ANYHOW.evaluate("m", None), r"`on` is a NoneType, and no list of names: .*`on='own=test.csv'`"),
        (lambda: ANYHOW.evaluate("m", [{"question": "2 + 2?"}]), r"`on` is a list, and no list of names"),
        (lambda: ANYHOW.evaluate("m", pandas.DataFrame(ROWS)), r"`on` is a DataFrame.*frame.to_csv\('test.csv'\)"),
        (lambda: ANYHOW.evaluate("m", "test.csv"), r"write NAME=FILE, as in `on='own=test.csv'`"),
        (
            lambda: ANYHOW.evaluate("m@http://127.0.0.1:9/v1", "gsm8k", dtype="float17"),
            r"no dtype `float17`.*`bfloat16`",
        ),
        (lambda: ANYHOW.judge(ROWS, columns="gold"), r"`columns` is 'gold': give a dict"),
        (lambda: ANYHOW.judge([{"a": "4"}]), r"name it, as in `columns=\{'reference': 'my_column'\}`"),
        (
            lambda: ANYHOW.judge(ROWS, model="m@http://127.0.0.1:9/v1", cap_usd=1),
            r"^`cap_usd` needs .*`price=\(2.5, 10\)`",
        ),
        (lambda: ANYHOW.judge(ROWS, api_key_env="K"), r"^`api_key_env` is for a model behind a server"),
        (lambda: ANYHOW.check([], []), r"^t[a-z]+: no "),
        (lambda: ANYHOW.check([{"a": 1}], ["How many?"]), r"with `column`|`column`"),
    ],
)
def test_a_wrong_argument_is_told_in_the_words_of_a_call(
    call: Callable[[], object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OrcamathError, match=says) as told:
        call()
    assert "--" not in str(told.value)
    assert "/tmp/orcamath-" not in str(told.value)
