"""How a run stands, for the viewer's first page and for `status`: stages done, under way and to come; money; warnings.

In: a run folder, finished or running, and the store. Out: plain values. Costs little, since it is asked for every second or two:
what only sealed stages decide (the scores) is folded again only when another stage was sealed.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.errors import OrcamathError
from orcamath.report.arms import ArmFolder, arms_of, load_artifact, recipe_of
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.facts import Facts
from orcamath.store.history import StagePointer, book_of, lacks_book
from orcamath.store.leases import account_of
from orcamath.store.run_state import RunState, read_state

__all__ = ["ArmNow", "Money", "RunNow", "StageNow", "now_of"]


class StageNow(NamedTuple):
    """One stage of one arm."""

    label: str
    stands: str
    """`done`, `shared` (done, and made by an earlier arm), `now` or `to come`."""
    made: str
    """What it holds, in words."""
    rejected: int
    seconds: float
    warnings: tuple[str, ...]


class ArmNow(NamedTuple):
    """The base or an arm."""

    name: str
    stands: str
    """`running`, `done`, `until`, `stopped`, `failed`, `interrupted`, `gone` (its process died) or `waiting`."""
    why: str
    stages: tuple[StageNow, ...]
    what: str
    n: int
    total: int | None
    rate_s: float | None
    left_s: float | None


class Money(NamedTuple):
    """US dollars."""

    spent: float
    cap: float | None
    by_stage: Mapping[str, float]
    """Stage → what of it is spent; for programs that read `status --json`."""
    doubt: str = ""
    """Why the book cannot be read, so that nobody knows what is spent; empty where it can."""
    held: float = 0.0
    """Of what is spent, the part that is held: for calls under way, or by a process that was killed and told no bill of it."""


class RunNow(NamedTuple):
    """The whole run."""

    name: str
    about: str
    stands: str
    why: str
    command: str
    arms: tuple[ArmNow, ...]
    money: Money
    at: float

    def plain(self) -> dict[str, object]:
        """Return it as JSON values."""
        arms = [a._asdict() | {"stages": [s._asdict() for s in a.stages]} for a in self.arms]
        return self._asdict() | {"arms": arms, "money": self.money._asdict()}


def now_of(folder: Path, store: Store) -> RunNow:
    """Tell how a run stands. Raises OrcamathErrors where its files are of a later version."""
    recipe = recipe_of(folder)
    state = read_state(folder)
    try:
        arms = {arm.name: arm for arm in arms_of(folder)}
    except OrcamathError:
        arms = {}  # its first stage is under way
    seen: set[str] = set()
    names = list(dict.fromkeys(["", *(recipe.get("variants") or {}), *arms]))
    shown = [_arm(name, arms.get(name), _state_of(folder, name, arms.get(name), state), store, seen) for name in names]
    base = shown[0]
    why = next((a.why for a in shown if a.why and a.stands not in {"running", "done"}), base.why)
    return RunNow(
        folder.name,
        str(recipe.get("about") or ""),
        base.stands,
        why,
        state.command if state else f"orcamath run {folder.name}",
        tuple(shown),
        _money(book_of(store.root, folder), recipe, lacks_book(store.root, folder)),
        time.time(),
    )


def _state_of(folder: Path, name: str, arm: ArmFolder | None, base: RunState | None) -> RunState | None:
    if not name:
        return base
    if arm is not None:
        return read_state(arm.folder)
    for path in sorted((folder / "arms").glob("*/recipe.yaml")):  # its first stage is under way
        if recipe_of(path.parent).get("name") == name:
            return read_state(path.parent)
    return None


def _arm(name: str, arm: ArmFolder | None, state: RunState | None, store: Store, seen: set[str]) -> ArmNow:
    stands = _stands(arm, state)
    done = [_stage(s, load_artifact(store, s["artifact"]), seen) for s in (arm.pointers["stages"] if arm else ())]
    labels = {s.label for s in done}
    running = stands == "running"
    expected = [label for label in (state.expected if state else ()) if label not in labels]
    later = (
        [
            StageNow(label, "now" if running and state and label == state.label else "to come", "", 0, 0.0, ())
            for label in expected
        ]
        if stands != "done"
        else []
    )
    if running and state and state.label and state.label not in labels | set(expected):
        later.insert(0, StageNow(state.label, "now", "", 0, time.time() - state.label_at, ()))
    count = (
        (state.what, state.n, state.total, state.rate_s, state.left_s)
        if running and state
        else ("", 0, None, None, None)
    )
    return ArmNow(name, stands, state.why if state else "", (*done, *later), *count)


def _stands(arm: ArmFolder | None, state: RunState | None) -> str:
    if state is None:
        return "done" if arm is not None and arm.pointers["students"] else "waiting"
    return "running" if state.running else state.ending or "gone"


def _stage(pointer: StagePointer, artifact: Artifact, seen: set[str]) -> StageNow:
    tables = artifact.manifest["tables"]
    made = ", ".join(f"{n:,} {table}" for table, n in tables.items() if table != "rejected") or "sealed"
    warnings = artifact.said(Facts).warnings
    shared = pointer["artifact"] in seen
    seen.add(pointer["artifact"])
    return StageNow(
        pointer["label"],
        "shared" if shared else "done",
        made,
        int(tables.get("rejected", 0)),
        float(pointer["seconds"]),
        warnings if not shared else (),
    )


def _money(book: Path | None, recipe: Mapping[str, Any], doubt: str) -> Money:
    cap = (recipe.get("budget") or {}).get("cap_usd")
    usd, held = dict[str, float](), 0.0
    try:
        account = account_of(book)
        usd, held = dict(account.usd), account.held_usd
    except OrcamathError as e:
        doubt = str(e)
    return Money(sum(usd.values()), None if cap is None else float(cap), usd, doubt, held)
