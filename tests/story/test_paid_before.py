"""What users paid for stays theirs: a store written by 0.1.0 serves this version without one call, and its book goes on.

`golden/store-0.1.0/` was made by version 0.1.0: `orcamath run recipe.yaml --until teach` and `orcamath judge answers.jsonl
--judge model` against the textbook behind `python -m orcamath.testing`. It is never made again; where this test fails, the
change would make users pay a second time.
"""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from commanding import call
from orcamath.records import Lesson
from orcamath.store.tables import read_table
from orcamath.testing import serve, stub

PAID = Path(__file__).parents[1] / "golden" / "store-0.1.0"
SPENT = {"ask": 16_316_000, "edit": 17_479_600, "teach": 12_563_200}
"""Nano-dollars, as version 0.1.0 booked them."""


@pytest.fixture
def paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(PAID, tmp_path, dirs_exist_ok=True))


def lessons(folder: Path) -> list[dict[str, str | None]]:
    # the run says which: a store may hold an older version's beside it
    (pointers,) = folder.glob("runs/*/stages.json")
    (name,) = [s["artifact"] for s in json.loads(pointers.read_text())["stages"] if s["label"] == "teach"]
    table = folder / "store" / "artifacts" / name / "lessons.parquet"
    kept = ("question", "answer", "gold", "verified")
    return [{k: getattr(lesson, k) for k in kept} for lesson in read_table(table, Lesson)]


def spent(folder: Path) -> dict[str, int]:
    """What the books below a folder say, by stage."""
    found: dict[str, int] = {}
    for book in folder.rglob("budget*.sqlite"):
        with sqlite3.connect(book) as db:
            for stage, nano in db.execute("SELECT stage, sum(spent) FROM leases GROUP BY stage HAVING sum(spent) > 0"):
                found[stage] = max(found.get(stage, 0), nano)
    return found


@pytest.mark.parametrize("keep", ["the whole store", "the ledger alone"])
def test_a_run_paid_for_with_0_1_0_is_not_paid_for_again(paid: Path, keep: str) -> None:
    if keep == "the ledger alone":
        shutil.rmtree(paid / "store/artifacts")
    with serve(stub("This server should not have been asked.")) as server:
        where = f"teacher.base_url={server.base_url}"
        assert call("run", "recipe.yaml", "--until", "teach", "--set", where).code == 0
        assert not server.stats.get("calls")
    wanted = [json.loads(line) for line in (paid / "lessons.jsonl").read_text().splitlines()]
    assert lessons(paid) == wanted
    assert spent(paid) == SPENT


def test_verdicts_paid_for_with_0_1_0_are_not_paid_for_again(
    paid: Path,
) -> None:
    with serve(stub("This server should not have been asked.")) as server:
        asked = ("judge", "answers.jsonl", "--judge", "model", "--model", "textbook", "--base-url", server.base_url)
        done = call(*asked, "--json")
        assert (done.code, server.stats.get("calls", 0)) == (0, 0)
    counted = json.loads(done.out)
    assert (counted["n"], counted["agrees"], counted["disagrees"]) == (6, 3, 3)
