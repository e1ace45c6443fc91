"""Commands on what is kept: what nobody needs any more (`gc`), whether all of it is still what was written (`fsck`), and whole
runs to and from object storage (`push`, `pull`)."""

import json
import shlex
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from orcamath.commands.typed import places, without_option
from orcamath.errors import UsageError
from orcamath.report.arms import recipe_of
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.checking import check_runs, check_store
from orcamath.store.history import named_in, pointed_to
from orcamath.store.ledger import Ledger
from orcamath.store.leftovers import leftovers
from orcamath.store.leftovers import superseded as results_no_run_names
from orcamath.store.object_store import ObjectStore
from orcamath.store.run_state import goes_on_here
from orcamath.store.seals import read_sealed
from orcamath.store.travel import Carried, pull_run, push_run
from orcamath.student.facts import TrainedFacts

__all__ = ["check_kept", "collect_garbage", "run_pulled", "run_pushed"]


def check_kept(run: Path | None, runs: Path, store: Path, *, as_json: bool) -> tuple[str, bool]:
    """Check everything, or what one run names (calls and log-probs in any case); says what it found, and whether all is well.

    Raises UsageError where the run has left nothing.
    """
    _require(store)
    only = None
    if run is not None:
        only = set(pointed_to(run))
        if not only:
            raise UsageError(
                f"nothing was run in `{run}` yet, or its stages.json is damaged; check all with `orcamath fsck`"
            )
    counts: Counter[str] = Counter()
    folder = run or runs
    found = [*check_store(Store(store), counts, only), *(check_runs(folder, counts) if folder.is_dir() else ())]
    if as_json:
        findings = [{"path": str(f.path), "what": f.what, "to_do": f.to_do} for f in found]
        return json.dumps({"checked": counts, "damaged": findings}, indent=1), not found
    lines = [f"damaged: {f.path}: {f.what}\n  {f.to_do}" for f in found]
    checked = ", ".join(f"{n:,} {what}" for what, n in counts.items()) or "nothing"
    return "\n".join([*lines, f"checked {checked}: {len(found)} damaged"]), not found


def collect_garbage(runs: Path, store: Path, *, dry: bool, superseded: bool = False) -> str:
    """Drop the samples of students that no run's history names, and what killed processes left lying.

    Teachers' replies are paid for and always stay, and so do samples of students from before there were histories. With
    `superseded` results that no run names go too; `dry` lists them with their sizes in any case. Raises UsageError where there
    is no store, or where a damaged file might have named some of them.
    """
    _require(store)
    where, ledger = Store(store), Ledger(store / "ledger")
    if superseded:
        _require_whole(runs, store)
    try:
        n, stale = _forget_samples(where, ledger, {*named_in(store), *pointed_to(runs)}, dry=dry)
    finally:
        ledger.close()
    left = leftovers(where, drop=not dry)
    said = "would drop" if dry else "dropped"
    lines = [
        f"{said} {n:,} samples of {stale} students that no run names, and {len(left)} folders that killed processes or damage "
        f"had left"
    ]
    if dry or superseded:
        kept = {*named_in(store), *pointed_to(runs)}  # anew: a run may have taken one up meanwhile
        gone = results_no_run_names(where, kept, drop=not dry)
        lines += [f"  {s.path.name}  {s.n_bytes / 1e6:,.1f} MB" for s in gone]
        total = f"{len(gone):,} results of stages that no run names, {sum(s.n_bytes for s in gone) / 1e6:,.1f} MB"
        lines.append(f"{said} {total}" if superseded else f"`--superseded` would drop {total}")
    return "\n".join(lines)


def run_pushed(run: Path, store: Path, url: str, name: str | None) -> str:
    """Push a run and say what went. Raises UsageError where there is no store, and as `push_run`."""
    _require(store)
    sent = push_run(Store(store), run, ObjectStore(url), name)
    return f"pushed {_carried(sent)}; elsewhere: orcamath pull {url} {sent.run}"


def run_pulled(url: str, run: str | None, runs: Path, store: Path, name: str | None) -> str:
    """Pull a run and say what came. Raises as `pull_run`."""

    def arrives(folder: Path, called: str) -> None:
        goes_on_here(
            folder, lambda command: _from_here(command, called, str(recipe_of(folder).get("name")), runs, store)
        )

    came = pull_run(ObjectStore(url), run, runs, Store(store), name, arrives)
    return f"pulled {_carried(came)}; next: {shlex.join(['orcamath', 'report', came.run, *places(runs, store)])}"


def _from_here(command: str, called: str, recipe: str, runs: Path, store: Path) -> str:
    """Return the command that goes on with a run in its new folders: the sender's folders would be other ones, or none."""
    named = [*(["--name", called] if called != recipe else []), *places(runs, store)]
    try:
        typed = shlex.split(command)
    except ValueError:
        typed = []
    if typed[:2] != ["orcamath", "run"]:  # it was begun from Python, by a call that this machine does not have
        return shlex.join(["orcamath", "run", str(runs / called / "recipe.yaml"), *named])
    for option in ("--name", "--runs", "--store"):
        typed = without_option(option, typed)
    return shlex.join([*typed, *named])


def _carried(moved: Carried) -> str:
    return (
        f"`{moved.run}`: {moved.n_stages:,} stages, {moved.n_files:,} files; {moved.n_moved:,} of them, "
        f"{moved.n_bytes / 1e6:,.1f} MB, were not there yet"
    )


def _forget_samples(where: Store, ledger: Ledger, kept: Collection[str], *, dry: bool) -> tuple[int, int]:
    """Forget what students sampled that are not among those `kept`; returns (samples, students)."""
    dropped: set[str] = set()
    needed: set[str] = set()
    for path in sorted(p.parent for p in where.artifacts.glob("[!.]*/model")):
        stage, _, name = path.name.rpartition("-")
        if (found := where.find(stage, name)) is not None:
            (needed if path.name in kept else dropped).update(_fingerprints(found))
    counts = ledger.counts()
    stale = [f for f in counts if any(n in f for n in dropped - needed)]
    n = sum(counts[f] for f in stale)
    return (ledger.forget(stale) if not dry and stale else n), len(stale)


def _require(store: Path) -> None:
    if not store.is_dir():
        raise UsageError(f"there is no store at `{store}`; name it with --store")


def _require_whole(runs: Path, store: Path) -> None:
    for path in sorted({*runs.rglob("stages.json"), *(store / "runs").glob("*/history*.json")}):
        if read_sealed(path) is None:
            raise UsageError(
                f"`{path}` is damaged, so what its run names is not known and nothing is dropped; run that recipe again, or "
                f"delete the file if you no longer need its run"
            )


def _fingerprints(trained: Artifact) -> Iterator[str]:
    """Yield the names under which a student's samples may be remembered: one for each dtype it may run in."""
    if trained.said(TrainedFacts).contents is not None:  # else it is from before there were histories
        from orcamath.student.model import fingerprint

        yield fingerprint(trained.path / "model", "float32")
        yield fingerprint(trained.path / "model", "bfloat16")
