"""What runs and arms may be called, by one rule: letters, digits, `.`, `_` and `-`; never a path, nor what Windows has for a
device; told apart without capitals.

A run's name is its folder. An arm may be called anything that can be read; its folder is the name by the rule, everything else
a dash.
"""

import re
from collections.abc import Iterable

from orcamath.errors import RecipeError, UsageError

__all__ = ["arm_folder", "check_apart", "fitting", "once_more", "run_name"]

_OTHER = re.compile(r"[^\w.-]+")
_DEVICE = re.compile(r"\A(?i:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)")
"""What no file can be called on Windows, whatever its ending; a folder of that name could not be copied there."""
MAX_CHARS = 100


def fitting(name: str) -> str:
    """Return the nearest name that keeps to the rule; empty where nothing is left."""
    return _DEVICE.sub(r"\g<0>_", _OTHER.sub("-", name).strip("-."))[:MAX_CHARS].rstrip("-.")


def run_name(name: str, taken: Iterable[str] = ()) -> str:
    """Return the name of a run if it keeps to the rule, and differs from those `taken` by more than capitals.

    Raises UsageError with the nearest name that does.
    """
    fixed = fitting(name)
    if name != fixed or not fixed:
        raise UsageError(
            f"a run cannot be called `{name}`: its name is its folder, so letters, digits, `.`, `_` and `-`, neither `.` nor `-` "
            f"at its ends, and no device of Windows (`con`, `nul`). Call it `{fixed or 'run'}`"
        )
    if other := next((t for t in taken if t != name and t.casefold() == name.casefold()), None):
        raise UsageError(
            f"a run called `{other}` is there already: `{name}` differs by capitals only; give another `--name`"
        )
    return name


def arm_folder(arm: str) -> str:
    """Return the folder of an arm, below its run's `arms/`. Raises RecipeError where nothing is left of the name."""
    folder = re.sub("-+", "-", fitting(arm)).casefold()
    if not folder:
        raise RecipeError(f"variant `{arm}` has no letter or digit in its name; give it one")
    return folder


def check_apart(arms: Iterable[str]) -> None:
    """Raise RecipeError where two arms would share a folder."""
    seen: dict[str, str] = {}
    for arm in arms:
        if (other := seen.setdefault(arm_folder(arm), arm)) != arm:
            raise RecipeError(
                f"variants `{other}` and `{arm}` would share the folder `{arm_folder(arm)}`: letters, digits, `.`, `_` and `-` "
                f"count in a name, capitals do not; rename one"
            )


def once_more(arm: str, seed: int) -> str:
    """Name an arm (or the base, which has no name) that is trained with another seed."""
    return f"{arm} · seed {seed}" if arm else f"seed {seed}"
