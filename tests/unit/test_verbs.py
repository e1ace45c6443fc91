"""What the command line itself promises: help, version, completion, the newest run, what `gc` takes."""

import json
import os
import sys
from pathlib import Path

import pytest

from commanding import call_in
from orcamath import __version__
from orcamath.cli import main
from orcamath.commands.keeping import collect_garbage
from orcamath.commands.viewing import newest
from orcamath.recipe_file import load
from orcamath.report.standing import standing
from orcamath.store.artifacts import Store
from orcamath.store.facts import Facts
from orcamath.store.seals import write_sealed
from report_run import make_run, seal


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    monkeypatch.setattr(sys, "argv", ["orcamath", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    return capsys.readouterr().out


def test_help_and_version_are_where_people_look(monkeypatch, capsys) -> None:
    assert said(monkeypatch, capsys, "--version").strip() == __version__
    assert "--until" in said(monkeypatch, capsys, "run", "-h")
    assert "export" in said(monkeypatch, capsys, "-h")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("orcamath stat", {"status"}),
        ("orcamath export --ar", {"--arm"}),
        ("orcamath status tri", {"trial"}),
        ("orcamath run gsm8k-s", {"gsm8k-small"}),
        ("orcamath plan my", {"my.yaml"}),
    ],
)
def test_a_shell_completes_commands_options_runs_and_recipes(
    typed: str, offered: set[str], tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text("name: my\n")
    Path("runs/trial").mkdir(parents=True)
    Path("runs/trial/recipe.yaml").write_text("name: trial\n")
    words = typed.split(" ")
    monkeypatch.setenv("_ORCAMATH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert set(said(monkeypatch, capsys).split()) == offered


def test_show_looks_in_the_newest_run(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    folder, _ = make_run(tmp_path, n=5)
    other = tmp_path / "runs" / "older"
    other.mkdir()
    (other / "recipe.yaml").write_text("name: older\n")
    os.utime(other / "recipe.yaml", (1, 1))
    seeds = json.loads(said(monkeypatch, capsys, "show", "ask0", "--json"))
    assert seeds["problem"]["id"] == "ask0"
    assert folder.name == "trial"


def test_looking_at_a_run_is_no_work_on_it(tmp_path: Path) -> None:
    for name, at in (("older", 10), ("newer", 20)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(f"name: {name}\n")
        (folder / "log.txt").touch()
        for file in folder.iterdir():
            os.utime(file, (at, at))
    (tmp_path / "runs/older/view.sqlite.lock").touch()
    changed = {s.name: s.changed for s in standing(tmp_path / "runs", Store(tmp_path / "store"))}
    assert changed == {"newer": 20, "older": 10}
    assert newest(tmp_path / "runs").name == "newer"


def test_gc_drops_what_no_run_names_any_more_and_lists_it_with_sizes(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path, n=5)
    named = {p.name for p in store.artifacts.glob("*-*/")}
    names = ("old", "young", "pulled")
    old, young, pulled = (seal(store, "teach", lambda _: Facts.of({"big": "x" * 3_000}), name) for name in names)
    for made in (old, pulled):
        write_sealed(made.path.with_name(f"{made.path.name}.made.json"), {"seconds": 1.0, "at": 0.0})
    os.utime(old.path, (0, 0))

    told = collect_garbage(folder.parent, store.root, dry=True)
    assert f"{old.path.name}  0.0 MB" in told
    assert "`--superseded` would drop 1 results" in told
    collect_garbage(folder.parent, store.root, dry=False)
    assert old.path.exists()
    assert "dropped 1 results" in collect_garbage(folder.parent, store.root, dry=False, superseded=True)
    assert not old.path.exists()
    assert young.path.exists()  # a run at work may be about to name it
    assert pulled.path.exists()  # made long ago and elsewhere, and here a moment ago
    assert {p.name for p in store.artifacts.glob("*-*/")} == named | {young.path.name, pulled.path.name}


def test_a_student_may_be_named_without_a_section(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nstudent: owner/model\n")
    assert load(str(tmp_path / "r.yaml")).student.base == "owner/model"


def test_a_cluster_that_cannot_be_reached_is_refused_before_there_is_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where the extra is not installed
    done = call_in(tmp_path, "run", "classroom", "--engine", "ray")
    assert done.code == 2
    assert "orcamath[ray]" in done.err
    assert list(tmp_path.iterdir()) == []
