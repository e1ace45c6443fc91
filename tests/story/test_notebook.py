"""A recipe run and a student measured from Python, on the classroom made small."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orcamath as om
from orcamath.yaml_reader import read_yaml


def as_settings(overrides: Sequence[str]) -> dict[str, Any]:
    return {key: read_yaml(value, key).value for key, _, value in (o.partition("=") for o in overrides)}


def test_a_run_gives_its_score_table_and_its_student_is_measured(tmp_path: Path, small: list[str]) -> None:
    kept = {"runs": tmp_path / "runs", "store": tmp_path / "store"}
    found = om.run("classroom", settings=as_settings(small), **kept)
    assert [(r["model"], r["benchmark"], r["n"]) for r in found.records] == [
        (m, "classroom", 20) for m in ("M0", "M1", "M2")
    ]
    assert list(found.frame["model"]) == ["M0", "M1", "M2"]
    assert Path(found.summary["report"]).stat().st_size > 10_000

    benchmark = tmp_path / "mine.jsonl"
    benchmark.write_text('{"question": "Ann has 2 pens and buys 3 more. How many pens?", "answer": "5"}\n')
    measured = om.evaluate(
        "classroom/M1",
        f"own={benchmark}",
        compare="classroom/M2",
        max_new_tokens=24,
        **kept,
    )
    assert [r["model"] for r in measured.records] == ["classroom/M1", "classroom/M2"]
    assert measured.records[0]["gold"] == "5"
    assert measured.summary["compared"]["differences"]["own"]["n"] == 1
