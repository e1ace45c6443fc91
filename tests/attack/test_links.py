"""Links that somebody put into a store or a run folder: what they lead to is neither read nor written. A book that is none."""

import shutil
from pathlib import Path

import pytest

from commanding import call_in as of


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


LINKED = [
    "store/artifacts",
    "store/ledger",
    "store/ledger/shard-0.sqlite",
    "store/ledger/shard-0.lock",
    "store/runs",
    "store/scratch",
    "store/runs/*",
    "store/runs/*/budget.sqlite",
    "store/runs/*/history.json",
    "store/artifacts/teach-*",
    "runs/r/stages.json",
    "runs/r/state.json",
    "runs/r/log.txt",
    "runs/r/recipe.yaml",
    "runs/r/run.json",
]


@pytest.mark.parametrize("linked", LINKED)
def test_nothing_is_read_or_written_by_a_link_that_leads_out(linked: str, here: Path, tmp_path: Path) -> None:
    (path, *_) = sorted(here.glob(linked))
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.move(path, outside / path.name)
    path.symlink_to(outside / path.name)
    before = content(outside)
    for words in (("status", "r"), ("report", "r"), ("run", "r.yaml", "--until", "teach")):
        done = of(here, *words)
        if linked.startswith("runs") or words[0] == "run":
            assert done.code != 0, words
            assert f"`{path.relative_to(here)}` is a link that leads out of" in done.err, done.err
        assert "Traceback" not in done.err
    assert content(outside) == before


def test_the_store_itself_and_a_run_itself_may_be_links(here: Path, tmp_path: Path) -> None:
    for name in ("store", "runs/r"):
        shutil.move(here / name, tmp_path / Path(name).name)
        (here / name).symlink_to(tmp_path / Path(name).name)
    assert of(here, "run", "r.yaml", "--until", "teach").code == 0
    assert of(here, "fsck").code == 0


def test_a_table_that_lies_elsewhere_is_made_anew(here: Path, tmp_path: Path) -> None:
    (table,) = (here / "store/artifacts").glob("teach-*/lessons.parquet")
    shutil.move(table, tmp_path / "lessons.parquet")
    table.symlink_to(tmp_path / "lessons.parquet")
    before = (tmp_path / "lessons.parquet").read_bytes()
    assert of(here, "fsck").code == 1
    done = of(here, "run", "r.yaml", "--until", "teach")
    assert done.code == 0
    assert not table.is_symlink()
    assert (tmp_path / "lessons.parquet").read_bytes() == before == table.read_bytes()


def test_a_link_that_waits_where_a_file_is_written_is_not_followed(here: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (here / "runs/r/stages.json.new").symlink_to("../../r.yaml")  # leads out of the run
    assert of(here, "run", "r.yaml", "--until", "gate").code != 0
    (here / "runs/r/stages.json.new").unlink()
    (here / "runs/r/stages.json.new").symlink_to("recipe.yaml")  # stays in it
    recipe = (here / "runs/r/recipe.yaml").read_bytes()
    assert of(here, "run", "r.yaml", "--until", "gate").code == 0
    assert (here / "runs/r/recipe.yaml").read_bytes() == recipe


def test_a_book_that_is_none_is_found(here: Path) -> None:
    (book,) = here.glob("store/runs/*/budget.sqlite")
    assert "damaged" in of(here, "fsck").out
    assert of(here, "fsck").code == 0
    book.write_bytes(b"no book at all " * 600)
    done = of(here, "fsck")
    assert done.code == 1
    assert "budget.sqlite" in done.out
    for words in (("report", "r"), ("run", "r.yaml", "--until", "teach")):
        assert "budget.sqlite` is damaged" in of(here, *words).err
