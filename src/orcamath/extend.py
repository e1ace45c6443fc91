"""What others may add: the families, who offers members of them, and how a member's code enters a digest.

A family is a kind of thing a recipe names. Its members are modules that define the family's entry: files of the family's
own package (found by their name), a file of the user's (`./my_judge.py`), or what an installed package offers under an entry
point group such as `orcamath.judges`. A room of this package may offer members by the same lines, in an `entry_points.txt`
beside its code, and say there which member a recipe gets that names none (`[orcamath.defaults]`). Nothing is imported here;
`families.py` does that, and `held.py` holds what others return to their contract.
"""

import sys
from functools import cache
from hashlib import blake2b
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import RecipeError

__all__ = ["FAMILIES", "Family", "Offer", "code_of", "contract_of", "default_of", "group_of", "offered", "offers"]


class Family(NamedTuple):
    """What each member must define, in words what that is, and the package whose files are members."""

    entry: str
    contract: str
    package: str | None = None


FAMILIES: dict[str, Family] = {
    "source": Family(
        "read",
        "read(settings: SourceSettings) -> Iterator[Problem]: the problems of one data set, split and licence on each",
        "orcamath.sources",
    ),
    "agent": Family(
        "agent", "agent(settings: AgentSettings) -> Agent: two pure halves, request and parse", "orcamath.agents"
    ),
    "judge": Family(
        "make", "make(settings: JudgeSettings, model) -> Judge: one finding a comparison, in order", "orcamath.judges"
    ),
    "loss": Family(
        "loss", "loss(batch: Batch, settings) -> Loss: a pure function of log-probs", "orcamath.student.losses"
    ),
    "backend": Family(
        "open_chat",
        "open_chat(settings: ModelSettings) -> Chat: one reply a request, in any order",
        "orcamath.backends",
    ),
    "screen": Family("make", "make() -> Iterable[Screen]: each says why a question must not be trained on, or None"),
    "tracker": Family(
        "open_tracker",
        "open_tracker(run: TrackedRun) -> Tracker: takes the numbers of a training, step by step",
        "orcamath.trackers",
    ),
    "base": Family("folder", "folder() -> Path: a model folder in transformers' format, which becomes M1"),
    "recipe": Family("", "a package that holds the recipe as NAME.yaml", "orcamath.recipes"),
}


class Offer(NamedTuple):
    """A member that is offered by name, from outside its family's own package."""

    name: str
    module: str
    by: str | None
    """The installed package and its version; None for a room of ours."""


def group_of(family: str) -> str:
    """Return the entry point group of a family: `orcamath.judges`, `orcamath.losses`."""
    return f"orcamath.{family}{'es' if family.endswith('s') else 's'}"


def contract_of(family: str) -> str:
    """Say whose code it is that broke off or returned what it may not, and what it is to keep to."""
    return (
        f"This is the code of {'an' if family == 'agent' else 'a'} {family}; it must have: {FAMILIES[family].contract}"
    )


def default_of(family: str) -> str:
    """Return the member that a recipe gets where it names none: a room of ours says which."""
    (value,) = (e.value for e in _rooms()["orcamath.defaults"] if e.name == family)
    return value


def offers(family: str) -> list[Offer]:
    """Return what our rooms and the installed packages offer, in that order."""
    group = group_of(family)
    ours = [Offer(e.name, e.module, None) for e in _rooms().get(group, ())]
    return ours + [Offer(e.name, e.module, _package(e)) for e in _installed(tuple(sys.path)).get(group, ())]


def offered(family: str, name: str) -> Offer | None:
    """Return who offers a name; None where nobody does. Raises RecipeError where several do."""
    found = [o for o in offers(family) if o.name == name]
    if len(found) > 1:
        who = ", ".join(f"`{o.by or 'orcamath'}`" for o in found)
        raise RecipeError(f"the {family} `{name}` is offered by {who}; remove one of them, or name a file instead")
    return found[0] if found else None


def code_of(family: str, name: str) -> str | None:
    """Name others' code by its content, for digests: where a file lies is no part of it. None for what ships with us."""
    if name.endswith(".py"):
        path = Path(name).expanduser()
        return _hash(path.read_bytes()) if path.is_file() else name
    offer = next((o for o in offers(family) if o.name == name and o.by is not None), None)
    if offer is None:
        return None
    try:
        spec = find_spec(offer.module)
    except ModuleNotFoundError:  # whoever imports it says so
        spec = None
    source = Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""
    return f"{name} of {offer.by}, {_hash(source)}"


def _hash(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


class _Room(Distribution):
    """A room of ours, read as an installed package is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read_text(self, filename: str) -> str | None:
        """Return a file of the room."""
        path = self.folder / filename
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def locate_file(self, path: object) -> Path:
        """Return where a file of the room lies."""
        return self.folder / str(path)


@cache
def _rooms() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for lines in sorted(Path(__file__).parent.glob("*/entry_points.txt")):
        for entry in _Room(lines.parent).entry_points:
            found.setdefault(entry.group, []).append(entry)
    return found


@cache
def _installed(path: tuple[str, ...]) -> dict[str, tuple[EntryPoint, ...]]:  # noqa: ARG001 — what is read depends on it
    """Return what the packages offer, by group: whichever group is asked for, all of them have to be looked at."""
    found = entry_points()
    return {g: tuple(found.select(group=g)) for g in found.groups if g.startswith("orcamath.")}


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "a package without a name"
