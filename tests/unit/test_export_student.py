"""The card of an exported student: what these very weights scored, and a header that the hub takes."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orcamath.commands.doors import Handout, export_from
from orcamath.export.student import export_student
from orcamath.report.arms import arms_of
from orcamath.store.artifacts import Store
from orcamath.store.seals import read_sealed, write_sealed
from report_run import make_run


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Store]:
    """A run whose base recipe has an M2 as well as its arms, and that was repeated with another seed."""
    folder, store = make_run(tmp_path)
    for path in store.artifacts.glob("*-*/"):
        (path / "model").mkdir()
        (path / "model" / "config.json").write_text("{}")
    arms = {arm.name: arm for arm in arms_of(folder)}
    other = next(s for s in arms["NLL on right samples"].pointers["students"] if s["name"] == "M2")
    pointers = read_sealed(folder / "stages.json") or {}
    pointers["students"].append(other)
    write_sealed(folder / "stages.json", pointers)
    return folder, store


def table(card: Path) -> list[str]:
    return [line for line in (card / "README.md").read_text().splitlines() if line.startswith("| classroom")]


def test_a_card_has_the_scores_of_these_weights_alone(run: tuple[Path, Store], tmp_path: Path) -> None:
    folder, store = run
    for arm, number in (("KTO + NLL", 2), ("KTO + NLL", 3), ("KTO + NLL", 1), ("NLL on right samples", 2)):
        out = tmp_path / f"{arm} {number}"
        export_from(folder, store.root, Handout("student", None, out, arm, number))
        found = next(a for a in arms_of(folder) if a.name == arm)
        scored = next(s["scored"] for s in found.pointers["students"] if s["iteration"] == number)
        outcomes = store.artifacts / scored / "scored.parquet"
        right = [row["outcome"] == "agrees" for row in pq.read_table(outcomes).to_pylist()]
        (line,) = table(out)
        assert f"| {100 * sum(right) / len(right):.1f} |" in line


@pytest.mark.parametrize(
    ("base", "header", "called"),
    [
        ("Hugging/Smol-135M", ["base_model: Hugging/Smol-135M"], "`Hugging/Smol-135M`"),
        ("/home/me/models/base", [], "`base`"),
        ("classroom", [], "`classroom`"),
        ("../mine: [x]/base", [], "`base`"),
    ],
)
def test_the_header_names_a_base_of_the_hub_only(base: str, header: list[str], called: str, tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir()
    made = export_student(tmp_path / "sealed", tmp_path / "out", title="x", base=base, rows=[])
    text = (made.path / "README.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("base_model")] == header
    assert f"A student of {called}, trained" in text
    assert "/home/me" not in text
