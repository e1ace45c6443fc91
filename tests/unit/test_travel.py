"""A run that is pushed arrives whole or not at all, is the same there, and nothing of anybody's is written over."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from commanding import call_in
from orcamath.errors import DataError, RunBusy, SchemaTooNew, UsageError, WireDown
from orcamath.ports import Message, Request, Silent, Usage
from orcamath.store.artifacts import Store
from orcamath.store.budget import Budget, Price
from orcamath.store.history import History, named_in
from orcamath.store.leases import account_of
from orcamath.store.leftovers import leftovers
from orcamath.store.marks import Marks, read_marks
from orcamath.store.object_store import ObjectStore
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Commands, Keeper, read_state
from orcamath.store.seals import hash_of, seal, unseal
from orcamath.store.travel import pull_run, push_run
from orcamath.view.opened import Opened
from report_run import make_run

SECRET = "told-to-nobody"


class Failing(LocalFileSystem):  # type: ignore[misc] # fsspec has no types
    """A storage that gives so many files and then no more."""

    protocol = ("failing",)
    left = 0

    def get_file(self, rpath: str, lpath: str, **options: Any) -> None:
        Failing.left -= 1
        if Failing.left < 0:
            raise TimeoutError(f"no answer from https://me:{SECRET}@bucket.example/x")
        super().get_file(rpath, lpath, **options)


class Slow(LocalFileSystem):  # type: ignore[misc]
    """A storage that takes so long for the first file that a reader marks a lesson meanwhile."""

    protocol = ("slow",)
    run = Path()

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        Marks(Slow.run).add("a" * 32, "bad", "too late")
        super().put_file(lpath, rpath, **options)


fsspec.register_implementation("failing", Failing, clobber=True)
fsspec.register_implementation("slow", Slow, clobber=True)


@pytest.fixture
def here(tmp_path: Path) -> tuple[Path, Store]:
    return make_run(tmp_path / "here")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/bucket"


def there(tmp_path: Path) -> tuple[Path, Store]:
    return tmp_path / "there" / "runs", Store(tmp_path / "there" / "store")


def files(root: Path) -> dict[str, bytes]:
    """Return what a folder holds, but for locks and when something was made."""
    found = {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
    return {name: content for name, content in found.items() if not name.endswith((".lock", ".taking"))}


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_a_pulled_run_is_the_one_that_was_pushed(protocol: str, tmp_path: Path, here: tuple[Path, Store]) -> None:
    run, store = here
    url = f"{protocol}://{tmp_path}/bucket"
    sent = push_run(store, run, ObjectStore(url))
    assert 20 < sent.n_moved <= sent.n_files
    runs, other = there(tmp_path)
    came = pull_run(ObjectStore(url), None, runs, other)
    assert came == sent._replace(n_moved=came.n_files, n_bytes=came.n_bytes)
    assert files(runs / "trial") == files(run)
    assert files(other.artifacts) == files(store.artifacts)
    assert set(named_in(other.root)) == {p.name for p in other.artifacts.glob("*-*/")}  # `gc` keeps them
    assert list(other.artifacts.glob(".*")) == []


def test_what_a_pulled_run_is_for(tmp_path: Path, here: tuple[Path, Store], url: str) -> None:
    for folder, commands in {
        "here": [("push", "trial", url)],
        "there": [
            ("pull", url, "--name", "ours"),
            ("fsck", "ours"),
            ("report", "ours"),
            ("export", "ours", "lessons"),
            ("runs",),
        ],
    }.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        for command in commands:
            done = call_in(tmp_path / folder, *command)
            assert done.code == 0, done.err
    assert len((tmp_path / "there" / "ours-lessons.jsonl").read_text().splitlines()) == 47
    report = call_in(tmp_path / "here", "report", "trial").out
    assert call_in(tmp_path / "there", "report", "ours").out.replace("ours", "trial") == report


def test_a_run_goes_on_where_it_was_pulled_to(tmp_path: Path, url: str) -> None:
    small = ("seeds.sources.0.options.n=12", "variants={}", "unspoilt=null", "teach.max_problems=12")
    few = ["classroom", *(part for setting in small for part in ("--set", setting))]
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
    assert call_in(folders[0], "run", *few, "--until", "collect").code == 0
    assert call_in(folders[0], "push", "classroom", url).code == 0
    assert call_in(folders[1], "pull", url).code == 0
    done = call_in(folders[1], "run", *few, "--until", "teach")
    assert done.code == 0, done.err
    assert "reused: benchmarks, seeds, ask, edit, collect" in done.err
    assert call_in(folders[1], "push", "classroom", url).code == 0  # and back
    shutil.rmtree(folders[0] / "runs")
    assert call_in(folders[0], "pull", url).code == 0
    assert "6 stages reused" in call_in(folders[0], "run", *few, "--until", "teach").err


@pytest.mark.parametrize(
    ("typed", "pull", "goes_on"),
    [
        (
            "orcamath run r.yaml --store /mine/store --runs=/mine/runs --limit 3 --set budget.cap_usd=…",
            [],
            "orcamath run r.yaml --limit 3 --set 'budget.cap_usd=…'",
        ),
        ("orcamath run r.yaml --name b", ["--name", "trial"], "orcamath run r.yaml"),
        ("orcamath run r.yaml", ["--name", "c", "--runs", "k r"], "orcamath run r.yaml --name c --runs 'k r'"),
        ("orcamath.run('r.yaml', store='/mine')", ["--store", "s"], "orcamath run runs/trial/recipe.yaml --store s"),
    ],
)
def test_a_pulled_run_goes_on_in_the_folders_it_was_pulled_to(
    typed: str, pull: list[str], goes_on: str, tmp_path: Path, here: tuple[Path, Store], url: str
) -> None:
    run, store = here
    Keeper(RunFolder(run), Silent(), Commands.always(typed), ())
    push_run(store, run, ObjectStore(url))
    (tmp_path / "there").mkdir()
    done = call_in(tmp_path / "there", "pull", url, *pull)
    assert done.code == 0, done.err
    given = pull[pull.index("--runs") :] if "--runs" in pull else pull if "--store" in pull else []
    named = pull[pull.index("--name") + 1] if "--name" in pull else "trial"
    assert done.out.endswith(f"next: {shlex.join(['orcamath', 'report', named, *given])}\n")
    (folder,) = [p.parent for p in (tmp_path / "there").glob("*/*/recipe.yaml")]
    state = read_state(folder)
    assert state is not None
    assert state.command == goes_on


def test_a_run_whose_book_lies_elsewhere_is_not_said_to_have_spent_nothing(
    tmp_path: Path, here: tuple[Path, Store]
) -> None:
    run, store = here
    assert RunFolder(run).id
    shutil.copytree(store.artifacts, tmp_path / "copied" / "artifacts")
    said = call_in(tmp_path, "status", str(run), "--store", "copied").out
    assert "spent      not known: the book of `trial` is not in `copied`; is `--store` the right one?" in said
    (line,) = call_in(tmp_path, "runs", "--runs", str(run.parent), "--store", "other").out.splitlines()
    assert "trial                    cannot be read: `" in line
    assert "run the recipe again to make it; what it spent is not known: the book of `trial`" in line
    assert "not measured yet" not in line


def test_what_a_reader_marks_while_a_run_goes_up_spoils_nothing(tmp_path: Path, here: tuple[Path, Store]) -> None:
    run, store = here
    Slow.run = run
    Marks(run).add("b" * 32, "good", "")
    push_run(store, run, ObjectStore(f"slow://{tmp_path}/bucket"))
    runs, other = there(tmp_path)
    pull_run(ObjectStore(f"slow://{tmp_path}/bucket"), None, runs, other)
    assert list(read_marks(runs / "trial" / "marks.jsonl")) == ["b" * 32]
    assert list(read_marks(run / "marks.jsonl")) == ["b" * 32, "a" * 32]


def test_the_viewers_index_stays_here(tmp_path: Path, here: tuple[Path, Store], url: str) -> None:
    run, store = here
    viewed = Opened(run, store)
    viewed.update()
    push_run(store, run, ObjectStore(url))
    viewed.index.close()
    runs, other = there(tmp_path)
    pull_run(ObjectStore(url), None, runs, other)
    assert list((runs / "trial").glob("view*")) == []


def test_nothing_goes_twice(tmp_path: Path, here: tuple[Path, Store], url: str) -> None:
    run, store = here
    push_run(store, run, ObjectStore(url))
    before = files(tmp_path / "bucket")
    assert push_run(store, run, ObjectStore(url)).n_moved == 0
    assert files(tmp_path / "bucket") == before
    (run / "notes.txt").write_text("read on a Friday")
    assert push_run(store, run, ObjectStore(url)).n_moved == 1
    after = files(tmp_path / "bucket")
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in set(after) - set(before)} == {"objects", "runs"}
    shutil.copytree(run, run.with_name("again"))
    assert push_run(store, run.with_name("again"), ObjectStore(url)).n_moved == 0
    runs, other = there(tmp_path)
    pull_run(ObjectStore(url), "trial", runs, other)
    assert (runs / "trial" / "notes.txt").exists()
    came = pull_run(ObjectStore(url), "again", runs, other)
    assert came.n_moved == len(files(runs / "again"))


def a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped": a_byte,
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "gone": Path.unlink,
    "of another": lambda path: path.write_bytes(b"something else"),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("what", ["lessons.parquet", "recipe.yaml", "list"])
def test_what_was_damaged_on_the_way_is_not_put_in_place(
    kind: str, what: str, tmp_path: Path, here: tuple[Path, Store], url: str
) -> None:
    run, store = here
    push_run(store, run, ObjectStore(url))
    listed = next((tmp_path / "bucket" / "runs" / "trial").iterdir())
    said = json.loads(listed.read_text())
    names = {**said["run"], **{f: h for a in said["artifacts"].values() for f, h in a.items()}}
    path = listed if what == "list" else tmp_path / "bucket" / "objects" / names[what][:2] / names[what]
    whole = path.read_bytes()
    DAMAGE[kind](path)
    runs, other = there(tmp_path)
    with pytest.raises((DataError, UsageError)):
        pull_run(ObjectStore(url), "trial", runs, other)
    assert not (runs / "trial").exists()
    path.write_bytes(whole)
    pull_run(ObjectStore(url), "trial", runs, other)
    assert files(runs / "trial") == files(run)
    assert files(other.artifacts) == files(store.artifacts)


def test_a_push_that_was_killed_in_a_file_is_mended_by_the_next(
    tmp_path: Path, here: tuple[Path, Store], url: str
) -> None:
    push_run(here[1], here[0], ObjectStore(url))
    path = max((tmp_path / "bucket" / "objects").glob("*/*"), key=lambda p: p.stat().st_size)
    DAMAGE["torn"](path)
    assert push_run(here[1], here[0], ObjectStore(url)).n_moved == 1
    pull_run(ObjectStore(url), None, *there(tmp_path))


@pytest.mark.parametrize("gives", [0, 1, 9, 25])
def test_a_pull_that_breaks_off_goes_on(gives: int, tmp_path: Path, here: tuple[Path, Store], url: str) -> None:
    run, store = here
    sent = push_run(store, run, ObjectStore(url))
    runs, other = there(tmp_path)
    Failing.left = gives
    with pytest.raises(WireDown, match="the same command goes on") as told:
        pull_run(ObjectStore(url.replace("file", "failing")), None, runs, other)
    assert SECRET not in str(told.value)
    assert not (runs / "trial").exists()
    arrived = {name for name in files(other.artifacts) if not name.startswith(".") and "/" in name}
    assert all(p.joinpath("manifest.json").exists() for p in other.artifacts.glob("[!.]*/"))
    Failing.left = 1000
    came = pull_run(ObjectStore(url.replace("file", "failing")), None, runs, other)
    assert came.n_moved == sent.n_files - len(arrived)
    assert files(runs / "trial") == files(run)
    assert files(other.artifacts) == files(store.artifacts)


def test_what_a_killed_pull_left_is_collected(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.artifacts / ".teach-0a.writing").mkdir()
    assert [p.name for p in leftovers(store, drop=True)] == [".teach-0a.writing"]
    assert list(store.artifacts.iterdir()) == []


def there_is(said: dict[str, Any]) -> str:
    """Return the hash of something that was pushed: what a list asks for is to be had, so that only its names can be wrong."""
    return str(said["run"]["recipe.yaml"])


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a way up": lambda said: said["run"].update({"../out": there_is(said)}),
    "from the root": lambda said: said["run"].update({"HERE/out": there_is(said)}),  # HERE: the test's own folder
    "hidden": lambda said: said["run"].update({"arms/.lock": there_is(said)}),
    "an artifact elsewhere": lambda said: said["artifacts"].update({"../out": next(iter(said["artifacts"].values()))}),
    "a file elsewhere": lambda said: next(iter(said["artifacts"].values())).update({"../../out": there_is(said)}),
    "another place's object": lambda said: said["run"].update({"out": "../" * 10 + "x"}),
    "an id that is a path": lambda said: said.update(id="../../out"),
    "another run's id": lambda said: said.update(id="0" * 16),
    "no id of its own": lambda said: said["run"].pop("run.json"),
    "another stage's name": lambda said: said["artifacts"].update({"teach-0a": next(iter(said["artifacts"].values()))}),
    "no manifest": lambda said: said["artifacts"].update({"teach-0a": {}}),
    "no hash": lambda said: said["run"].update({"out": 3}),
    "a list of another kind": lambda said: said.update(artifacts=[]),
    "a time that is none": lambda said: said["made"].update({"teach-0a": {"at": "noon"}}),
    "of a newer version": lambda said: said.update(list_version=2),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_list_that_somebody_wrote_leads_nowhere(
    kind: str, tmp_path: Path, here: tuple[Path, Store], url: str
) -> None:
    push_run(here[1], here[0], ObjectStore(url))
    path = next((tmp_path / "bucket" / "runs" / "trial").iterdir())
    said = unseal(path.read_text())
    assert said is not None
    HOSTILE[kind](said)
    path.write_text(seal(json.loads(json.dumps(said).replace("HERE", str(tmp_path)))))
    before = files(tmp_path / "bucket")
    runs, other = there(tmp_path)
    says = {
        "of a newer version": "newer orcamath",
        "another stage's name": "is another stage's",
        "another run's id": "says that it is another run",
        "no id of its own": "says that it is another run",
    }
    with pytest.raises((DataError, SchemaTooNew), match=says.get(kind, "is not what was written: push it again")):
        pull_run(ObjectStore(url), None, runs, other)
    assert not (runs / "trial").exists()
    assert not list(tmp_path.rglob("out"))
    assert files(tmp_path / "bucket") == before
    whole = {p.name for p in here[1].artifacts.iterdir()}
    assert {p.name for p in other.artifacts.glob("*-*/")} <= whole | {".teach-0a.writing"}


@pytest.mark.parametrize("where", ["run.json", "arms/a/run.json"])
def test_an_id_that_a_run_says_itself_leads_nowhere(
    where: str, tmp_path: Path, here: tuple[Path, Store], url: str
) -> None:
    push_run(here[1], here[0], ObjectStore(url))
    path = next((tmp_path / "bucket" / "runs" / "trial").iterdir())
    (evil := tmp_path / "run.json").write_text(seal({"id": "../../../out"}))
    ObjectStore(url).put(evil, hash_of(evil))
    said: Any = unseal(path.read_text())
    said["run"][where] = hash_of(evil)
    path.write_text(seal(said))
    with pytest.raises(DataError, match="says that it is another run: the run was not put in place"):
        pull_run(ObjectStore(url), None, *there(tmp_path))
    assert not (there(tmp_path)[0] / "trial").exists()


def test_nothing_that_is_there_is_written_over(tmp_path: Path, here: tuple[Path, Store], url: str) -> None:
    run, store = here
    push_run(store, run, ObjectStore(url))
    with pytest.raises(UsageError, match="--name"):
        pull_run(ObjectStore(url), None, run.parent, store)
    runs, other = there(tmp_path)
    otherwise = other.stage("teach", 1, None, ["elsewhere"], lambda _: None).path
    taught = next(store.artifacts.glob("teach-*/"))
    otherwise.rename(other.artifacts / taught.name)  # the same stage, with other content
    with pytest.raises(UsageError, match="another `--store`"):
        pull_run(ObjectStore(url), None, runs, other)
    assert not runs.exists()
    assert [p.name for p in other.artifacts.glob("[!.]*-*/")] == [taught.name]
    another, its_store = make_run(tmp_path / "another", n=40)
    with pytest.raises(UsageError, match="another run called `trial`"):
        push_run(its_store, another, ObjectStore(url))
    assert push_run(its_store, another, ObjectStore(url), "second").run == "second"
    with pytest.raises(UsageError, match=r"there are 2 runs.*`second`, `trial`"):
        pull_run(ObjectStore(url), None, *there(tmp_path / "new"))
    with pytest.raises(UsageError, match="did you mean `trial`"):
        pull_run(ObjectStore(url), "trail", *there(tmp_path / "new"))


def test_what_is_damaged_or_at_work_is_not_pushed(tmp_path: Path, here: tuple[Path, Store], url: str) -> None:
    run, store = here
    with RunFolder(run), pytest.raises(RunBusy):
        push_run(store, run, ObjectStore(url))
    table = next(store.artifacts.glob("teach-*/lessons.parquet"))
    a_byte(table)
    with pytest.raises(DataError, match=r"lessons\.parquet"):
        push_run(store, run, ObjectStore(url))
    shutil.rmtree(table.parent)
    with pytest.raises(DataError, match="run the recipe again"):
        push_run(store, run, ObjectStore(url))
    assert ObjectStore(url).runs() == []


def spend(store: Store, run: Path, n: int) -> Path:
    with RunFolder(run) as folder:
        book = History(store.root, folder.id).book
    book.parent.mkdir(parents=True, exist_ok=True)
    budget = Budget(book, cap_usd=10.0)
    meter = budget.meter("teach", Price(1000, 1000))
    for _ in range(n):
        held = meter.reserve(Request((Message("user", "x" * 68),)))
        assert held is not None
        meter.settle(held, Usage(20, 10), sent=True)
    meter.close()
    budget.close()
    return book


def test_what_was_spent_comes_along(tmp_path: Path, here: tuple[Path, Store], url: str) -> None:
    run, store = here
    book = spend(store, run, 3)
    push_run(store, run, ObjectStore(url))
    runs, other = there(tmp_path)
    pull_run(ObjectStore(url), None, runs, other)
    theirs = other.root / book.relative_to(store.root)
    assert account_of(theirs).usd == account_of(book).usd == {"teach": pytest.approx(0.09)}
    spend(other, runs / "trial", 1)  # it went on there
    shutil.rmtree(runs / "trial")
    pull_run(ObjectStore(url), None, runs, other)
    assert account_of(theirs).usd == {"teach": pytest.approx(0.12)}
    spend(store, run, 5)  # and here further than there
    push_run(store, run, ObjectStore(url))
    with pytest.raises(UsageError, match="knows of less"):
        pull_run(ObjectStore(url), None, runs, other, "newer")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"s3://me:{SECRET}@bucket/runs", "leave it out"),
        ("https://bucket.example/runs?token=abcdef0123456789", "leave it out"),
        ("nosuch://bucket", "nosuch"),
        ("s3://bucket/runs", "s3fs"),
    ],
)
def test_an_address_with_a_key_or_of_nobody_is_refused(
    url: str, said: str, tmp_path: Path, here: tuple[Path, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for command in (("push", "trial", url), ("pull", url)):
        done = call_in(tmp_path / "here", *command)
        assert done.code == 2
        assert said in done.err
        assert SECRET not in done.out + done.err
        assert "abcdef0123456789" not in done.out + done.err


def test_without_fsspec_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UsageError, match=r"orcamath\[storage\]"):
        ObjectStore(f"file://{tmp_path}")
