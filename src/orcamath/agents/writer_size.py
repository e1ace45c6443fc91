"""How much a writer can do in one call: the settings of the agents that go with its size.

The paper's GPT-4 writes everything of a seed in one call (`large`). A writer of about 1.5B parameters tells the answer in one
call and asks for all numbers in a second (`medium`); one of about 0.5B asks for each number by itself, of a statement in
which the gap is made already, and its edits only add (`small`; see `small_writer`). What a recipe says of these settings
itself comes first. `pilot` finds the size of a writer that nobody knows.
"""

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["SIZES", "WriterSize", "sized"]

WriterSize = Literal["small", "medium", "large"]

_WHOLE = {"suggester": {"ideas": False}, "editor": {"writes": "whole"}}
SIZES: dict[WriterSize, dict[str, dict[str, object]]] = {
    "large": {"ask_me_anything": {"calls": "one"}, "suggester_editor": _WHOLE},
    "medium": {"ask_me_anything": {"calls": "two"}, "suggester_editor": _WHOLE},
    "small": {
        "ask_me_anything": {"calls": "each"},
        "suggester_editor": {"suggester": {"ideas": True}, "editor": {"writes": "added"}},
    },
}
"""Size → section of a recipe → what it says there."""


def sized(raw: Mapping[str, Any], base: Mapping[str, object] | None = None) -> dict[str, object]:
    """Put the settings that go with `writer_size` under what a recipe, or an arm's overrides of `base`, says itself.

    An agent that is switched off stays off. A size that is none is left for the recipe's own check.
    """
    out = dict(raw)
    for section, settings in SIZES.get(raw.get("writer_size", ""), {}).items():
        off = raw.get(section, {}) is None or (base is not None and section not in raw and base.get(section) is None)
        if not off:
            out[section] = _under(settings, raw.get(section, {}))
    return out


def _under(settings: Mapping[str, object], said: object) -> object:
    """Merge, where both are mappings, with what was said on top."""
    if not isinstance(said, Mapping):
        return said
    merged = {k: _under(v, said[k]) if k in said and isinstance(v, Mapping) else v for k, v in settings.items()}
    return merged | {k: v for k, v in said.items() if not isinstance(settings.get(k), Mapping)}
