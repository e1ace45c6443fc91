"""Where names become modules: the only room with dynamic imports, and the boundary at which others' exceptions are named.

`find(family, name)` returns the member's module: a file of the family's own package, what a room of ours or an installed
package offers by that name, or the user's own file by its path (see `extend.py` for who may offer what).

Others' code runs inside ours: when it is imported, when it makes its agent or judge, and in every call after that, often
inside an iterator that we draw from. No call is wrapped. An exception reaches `boundary`, in which every process of ours runs its
work, unchanged, and is attributed there: the last frame of its traceback that lies in others' code says which file and which
line, the last one that lies in a member which family's contract.
"""

import importlib
import importlib.util
import linecache
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType

from orcamath.errors import NO_ROOM, OrcamathError, OthersFailed, RecipeError, nearest
from orcamath.extend import FAMILIES, code_of, contract_of, group_of, offered, offers

__all__ = ["attributed", "boundary", "find", "members"]

_OWN = "orcamath_own"
"""How modules loaded by path are called: `orcamath_own_FAMILY_HASH`."""


def members(family: str) -> list[str]:
    """Return the names of a family that can be found now: ours, our rooms', and those of installed packages."""
    return sorted({*_shipped(family), *(offer.name for offer in offers(family))})


def find(family: str, name: str) -> ModuleType:
    """Return a member's module. Raises RecipeError naming the nearest, and OthersFailed where its import fails."""
    if name.endswith(".py"):
        return _from_file(family, Path(name).expanduser())
    offer = offered(family, name)
    if name in _shipped(family):
        if offer is not None:
            raise RecipeError(
                f"`{offer.by}` offers a {family} `{name}`, which ships here too; remove it, or name its file"
            )
        return importlib.import_module(f"{FAMILIES[family].package}.{name}")
    if offer is None:
        raise RecipeError(
            f"there is no {family} `{name}`; {nearest(name, members(family))} (or give the path of a .py file)"
        )
    what = f"`{name}` of {offer.by}"
    entry = f"the entry point `{name}` in `{group_of(family)}` of {offer.by}, which names `{offer.module}`"
    return _checked(family, _imported(family, lambda: importlib.import_module(offer.module), entry), what)


@cache
def _shipped(family: str) -> frozenset[str]:
    """The files of a family's package that define its entry."""
    package, entry = FAMILIES[family].package, FAMILIES[family].entry
    if package is None or not entry:
        return frozenset()
    names = [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    return frozenset(n for n in names if _defines(f"{package}.{n}", entry))


def _defines(module: str, entry: str) -> bool:
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None and f"def {entry}(" in Path(spec.origin).read_text("utf-8")


def _from_file(family: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise RecipeError(f"{family} file `{path}` does not exist; check the path")
    spec = importlib.util.spec_from_file_location(f"{_OWN}_{family}_{code_of(family, str(path))}", path)
    assert spec is not None
    assert spec.loader is not None
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def load() -> ModuleType:
        sys.modules[spec.name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[spec.name]
            raise
        return module

    what = f"{family} file `{path}`"
    return _checked(family, _imported(family, load, what), what)


def _imported(family: str, load: Callable[[], ModuleType], what: str) -> ModuleType:
    """Import others' code: whatever it raises is theirs, also where no line of it ran (a syntax error, a missing module)."""
    try:
        return load()
    except OrcamathError:
        raise
    except (Exception, SystemExit) as e:
        raise _named(e, family, what) from e


def _checked(family: str, module: ModuleType, what: str) -> ModuleType:
    entry, contract = FAMILIES[family].entry, FAMILIES[family].contract
    if not callable(getattr(module, entry, None)):
        raise RecipeError(f"{what} defines no `{entry}`. It must have: {contract}")
    return module


@contextmanager
def boundary() -> Iterator[None]:
    """Attribute what comes out of others' code inside: every process of ours runs its work in this, once.

    Raises OthersFailed in place of an exception whose traceback passes through others' code, or of one that tells the run to end
    (`sys.exit` of theirs); errors that were raised on purpose, an interrupt, and all others, pass through.
    """
    try:
        yield
    except OrcamathError:
        raise
    except (Exception, SystemExit) as e:
        full = isinstance(e, OSError) and e.errno in NO_ROOM  # a full disk is no fault of the code that wrote
        theirs = None if full else attributed(e)
        if theirs is None:
            raise
        raise theirs from e


def attributed(error: BaseException) -> OthersFailed | None:
    """Return what to say of an exception that came out of others' code; None where none of it was on the way.

    A StopIteration that ends a generator comes as a RuntimeError whose cause alone has the place, so causes are looked at too.
    """
    for e in _causes(error):
        steps = list(traceback.walk_tb(e.__traceback__))
        family = _family_of([module for frame, _ in steps if _is_theirs(module := _module(frame))])
        if family is not None:
            return _named(e, family)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, what it was raised from, and so on."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        yield found
        seen.append(found)
        found = found.__cause__


def _named(error: BaseException, family: str, what: str = "") -> OthersFailed:
    """Say file, line, what was raised, and what the family's contract is; `what` where no line of theirs was on the way."""
    place, text = _place(error), ""
    if place is not None:
        what, text = f"`{place[0]}`, line {place[1]}", linecache.getline(*place).strip()
    raised = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return OthersFailed(f"{what}: {raised}" + (f" (in `{text}`)" if text else "") + f". {contract_of(family)}")


def _place(error: BaseException) -> tuple[str, int] | None:
    """Return the last place in others' code, or where Python could not read it."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return error.filename, error.lineno or 1
    steps = traceback.walk_tb(error.__traceback__)
    theirs = [(frame.f_code.co_filename, line) for frame, line in steps if _is_theirs(_module(frame))]
    return theirs[-1] if theirs else None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_theirs(module: str) -> bool:
    """Tell others' code from ours, and from libraries."""
    return module.startswith(f"{_OWN}_") or module.partition(".")[0] in {m.partition(".")[0] for m in _offered()}


def _family_of(modules: Sequence[str]) -> str | None:
    """Return the family whose contract others' code is to keep, of the modules on the way: the last one that is a member says it.

    Where none is, the last one is of the member with which its name has most in common.
    """
    known = _offered()
    for module in reversed(modules):
        if module.startswith(f"{_OWN}_"):
            return module.split("_")[2]
        if FAMILIES[known.get(module, "recipe")].entry:
            return known[module]
    if not modules:
        return None
    return known[max(known, key=lambda member: _in_common(member.split("."), modules[-1].split(".")))]


def _in_common(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the parts with which both names begin."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _offered() -> dict[str, str]:
    """Return module → family of what installed packages offer; a package that holds recipes last, for no code is called there."""
    found: dict[str, str] = {}
    for family in sorted(FAMILIES, key=lambda name: not FAMILIES[name].entry):
        for offer in offers(family):
            if offer.by is not None:
                found.setdefault(offer.module, family)
    return found
