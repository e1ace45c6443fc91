"""A run from one machine to another by way of object storage: its folder, the sealed artifacts it names, its book.

Pushed: what is whole by its own seals, each file under the hash of its content, so that nothing goes twice; last of all a sealed
list. Pulled: every file is held against its name and every folder against its manifest before it is put in place, whole; what is
there already is kept, and never written over. The run's folder comes last: a pull that was broken off is not a run yet, and the
same command goes on.

Not taken along: remembered replies, checkpoints of a training that is not through, the viewer's index. What was not sealed is
asked again there.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from orcamath.errors import DataError, SchemaTooNew, UsageError, nearest
from orcamath.store.artifacts import Store
from orcamath.store.checking import Damage, check_artifact, check_runs
from orcamath.store.history import History, book_of, copy_book, pointed_to, reached_in
from orcamath.store.leases import account_of
from orcamath.store.locks import wait_for
from orcamath.store.names import run_name
from orcamath.store.object_store import HASH, ObjectStore
from orcamath.store.placing import aside_of, folder_whole, remove, sync
from orcamath.store.run_folder import VIEW_INDEX, RunFolder
from orcamath.store.seals import MANIFEST, hash_of, read_sealed, seal, unseal, write_sealed

__all__ = ["Carried", "pull_run", "push_run"]

LIST_VERSION = 1
AT_ONCE = 8
"""Files under way at a time."""
Hashes = Mapping[str, str]
"""Path inside a folder → hash of the file."""


class Carried(NamedTuple):
    """What went over."""

    run: str
    n_stages: int
    n_files: int
    """All that belong to the run."""
    n_moved: int
    """Files that went: one for those of the same content when pushed, none that was there."""
    n_bytes: int
    """Of those."""


class _List(NamedTuple):
    """What a run was made of when it was pushed."""

    id: str
    run: Hashes
    artifacts: Mapping[str, Hashes]
    made: Mapping[str, Mapping[str, float]]
    """Artifact → how long it took, and when."""
    book: str | None


def push_run(store: Store, run: Path, place: ObjectStore, name: str | None = None) -> Carried:
    """Send a run and all that its stages made, under its own name or another.

    Raises RunBusy while it runs, DataError where something is not what was sealed, UsageError where that place has another run
    of that name, WireDown where the storage fails.
    """
    called = run_name(name or run.resolve().name)
    with RunFolder(run) as folder, TemporaryDirectory(prefix="orcamath-") as spare:
        before, run_id = place.latest(called), folder.id
        if before is not None and _read(before, place).id != run_id:
            raise UsageError(f"`{place.url}` has another run called `{called}`: give this one another `--name`")
        taken = Path(spare) / "run"
        _copy(run, taken)  # a viewer adds marks, a report is written anew, while files go
        own = {path.relative_to(taken).as_posix(): hash_of(path) for path in sorted(taken.rglob("*")) if path.is_file()}
        files = {h: taken / path for path, h in own.items()}
        artifacts = {artifact: _hashes_of(store, artifact) for artifact in sorted(pointed_to(run))}
        files |= {h: store.artifacts / a / f for a, hashes in artifacts.items() for f, h in hashes.items()}
        book = None
        if (kept := book_of(store.root, run)) is not None:
            copy_book(kept, copy := Path(spare) / kept.name)
            book = hash_of(copy)
            files[book] = copy
        said = seal(
            {
                "list_version": LIST_VERSION,
                "id": run_id,
                "run": own,
                "artifacts": artifacts,
                "made": {a: read_sealed(store.artifacts / f"{a}.made.json") or {} for a in artifacts},
                "book": book,
            }
        )
        moved = _together(lambda h: place.put(files[h], h), files)
        if said != before:
            place.add(called, said)
    return Carried(called, len(artifacts), _n_files(own, artifacts, book), sum(n > 0 for n in moved), sum(moved))


def pull_run(
    place: ObjectStore,
    run: str | None,
    runs: Path,
    store: Store,
    name: str | None = None,
    arrives: Callable[[Path, str], None] = lambda _folder, _name: None,
) -> Carried:
    """Fetch a run into `runs` and its artifacts into the store; the only one there is where no name is given.

    `arrives` is called with the folder before it is put in place under the name.
    Raises UsageError where a run of that name is there, or the store has other content under the name of one of its artifacts;
    DataError where something that arrives is not what was pushed; WireDown where the storage fails.
    """
    run = _chosen(place, run)
    target = runs / run_name(name or run, (p.name for p in runs.glob("*/")))
    if target.exists():
        raise UsageError(f"`{target}` is there already, and is not written over: give the pulled run another `--name`")
    found = _read(place.latest(run) or "", place)
    for artifact, hashes in found.artifacts.items():
        kept = store.artifacts / artifact / MANIFEST
        if kept.exists() and hash_of(kept) != hashes[MANIFEST]:
            raise UsageError(
                f"`{kept.parent}` was made here too and came out otherwise, so `{run}` would not be what it was: pull it into "
                f"another `--store`"
            )
    moved = Counter[str]()
    _take_book(place, found, store, moved)
    for artifact, hashes in found.artifacts.items():
        _take(place, store, artifact, hashes, found.made.get(artifact, {}), moved)
    runs.mkdir(parents=True, exist_ok=True)
    aside = aside_of(target)
    remove(aside)
    _fetch(place, found.run, aside, moved)
    _refuse(check_runs(aside, Counter()))
    ids = {p: str((read_sealed(p) or {}).get("id")) for p in aside.rglob("run.json")}
    if ids.get(aside / "run.json") != found.id or not all(_inside(own) and "/" not in own for own in ids.values()):
        raise DataError(f"what `{place.url}` calls `{run}` says that it is another run: the run was not put in place")
    _note(store, found.id, aside, target)
    arrives(aside, target.name)
    aside.rename(target)
    sync(runs)
    n_files = _n_files(found.run, found.artifacts, found.book)
    return Carried(target.name, len(found.artifacts), n_files, moved["files"], moved["bytes"])


def _n_files(run: Hashes, artifacts: Mapping[str, Hashes], book: str | None) -> int:
    return len(run) + sum(map(len, artifacts.values())) + (book is not None)


def _copy(run: Path, target: Path) -> None:
    """Copy a run's folder as it is now, but for locks, what is being written, and the viewer's index."""
    target.mkdir()
    for path in sorted(run.rglob("*")):
        inside = path.relative_to(run)
        index = path.parent == run and path.name.startswith(VIEW_INDEX)
        if path.is_file() and not index and not any(part.startswith(".") for part in inside.parts):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # it was written beside its place, and is there now
                shutil.copyfile(path, target / inside)


def _hashes_of(store: Store, artifact: str) -> Hashes:
    """Return the hashes of an artifact's files. Raises DataError where one is not what was sealed."""
    folder = store.artifacts / artifact
    if not folder.is_dir():
        raise DataError(f"`{folder}` is not in this store any more: run the recipe again, then push it")
    _refuse(check_artifact(folder, Counter()))
    return {f.relative_to(folder).as_posix(): hash_of(f) for f in sorted(folder.rglob("*")) if f.is_file()}


def _refuse(damage: Iterable[Damage]) -> None:
    for found in damage:
        raise DataError(f"`{found.path}` {found.what}: nothing was put in place. `orcamath fsck` says more")


def _together(work: Callable[[str], int], items: Iterable[str]) -> list[int]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, items))


def _chosen(place: ObjectStore, run: str | None) -> str:
    there = place.runs()
    if run is None and len(there) == 1:
        return there[0]
    if not there:
        raise UsageError(f"`{place.url}`: there is no run; `orcamath push RUN {place.url}` sends one")
    if run is None or run not in there:
        what = f"there is no run `{run}`" if run is not None else f"there are {len(there)} runs: name one"
        raise UsageError(f"`{place.url}`: {what}; {nearest(run or '', there)} (`orcamath push` sends one)")
    return run


def _read(text: str, place: ObjectStore) -> _List:
    """Read what a push said. Raises DataError where it is damaged, or names a place outside of its folders; SchemaTooNew."""
    said: Any = unseal(text)
    try:
        if said["list_version"] > LIST_VERSION:
            raise SchemaTooNew(f"`{place.url}` was written by a newer orcamath: upgrade this one")
        made = {a: {what: float(n) for what, n in told.items()} for a, told in said["made"].items()}
        found = _List(said["id"], said["run"], said["artifacts"], made, said["book"])
        names = [found.id, *found.artifacts]
        paths = [*names, *found.run, *(path for hashes in found.artifacts.values() for path in hashes)]
        hashes = [*found.run.values(), *(h for files in found.artifacts.values() for h in files.values())]
        whole = all(MANIFEST in files for files in found.artifacts.values()) and not any("/" in n for n in names)
        if not (whole and all(map(_inside, paths)) and all(map(HASH.fullmatch, [*hashes, found.book or "0" * 32]))):
            raise ValueError
    except (TypeError, KeyError, ValueError, AttributeError):
        raise DataError(f"what `{place.url}` says of the run is not what was written: push it again") from None
    return found


def _inside(path: str) -> bool:
    """Tell whether a path stays in its folder, and names nothing hidden."""
    pure = PurePosixPath(path)
    return str(pure) == path and path.isprintable() and not any(part.startswith((".", "/")) for part in pure.parts)


def _fetch(place: ObjectStore, files: Hashes, folder: Path, moved: Counter[str]) -> None:
    def one(path: str) -> int:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return place.get(files[path], target)

    folder.mkdir(exist_ok=True)
    came = _together(one, files)
    moved.update({"files": len(came), "bytes": sum(came)})
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def _take(
    place: ObjectStore, store: Store, artifact: str, files: Hashes, made: Mapping[str, float], moved: Counter[str]
) -> None:
    """Put one artifact in place, unless it is there."""
    target = store.artifacts / artifact
    with wait_for(store.scratch / f"{artifact}.lock", f"take in `{artifact}`"):
        if target.exists():
            return
        with folder_whole(target) as folder:
            _fetch(place, files, folder, moved)
            _refuse(check_artifact(folder, Counter()))
            sealed = read_sealed(folder / MANIFEST) or {}
            if f"{sealed.get('stage')}-{sealed.get('digest')}" != artifact:
                raise DataError(f"what `{place.url}` calls `{artifact}` is another stage's: nothing was put in place")
            write_sealed(target.with_name(f"{artifact}.made.json"), {"seconds": 0.0, "at": time.time(), **made})
        sync(store.artifacts)


def _take_book(place: ObjectStore, found: _List, store: Store, moved: Counter[str]) -> None:
    """Put the run's book in place. One that is there stays: it may not know of less money than the one that comes."""
    if found.book is None:
        return
    book = History(store.root, found.id).book
    with TemporaryDirectory(prefix="orcamath-") as spare:
        came = Path(spare) / book.name
        moved.update({"files": 1, "bytes": place.get(found.book, came)})
        if not book.exists():
            book.parent.mkdir(parents=True, exist_ok=True)
            copy_book(came, book)
        elif sum(account_of(book).usd.values()) < sum(account_of(came).usd.values()):
            raise UsageError(
                f"`{book}` is this run's book from an earlier time, and knows of less that was spent: move it away, then "
                f"pull again"
            )


def _note(store: Store, run_id: str, folder: Path, target: Path) -> None:
    """Have the store remember what the run and its arms name, so that garbage collection keeps it."""
    history = History(store.root, run_id)
    for path in sorted(folder.rglob("stages.json")):
        where = path.parent.relative_to(folder)
        reached = reached_in(path.parent)
        if reached is not None:
            history.note(target / where, where.name, reached["stages"])
