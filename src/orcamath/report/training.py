"""How a student was trained, in a few words, read from the resolved recipe of its arm. Rows are named for what they are."""

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Method", "training_of"]


class Method(NamedTuple):
    """What one iteration did."""

    method: str
    """`SFT`, `more SFT`, or the loss with what is added to it, such as `KTO + 10 NLL`."""
    practice: str
    """The two settings that every table names: which problems, held against whose answer. Empty where none is practised."""
    reference: str
    """The reference model where it is not the student before."""


def training_of(recipe: Mapping[str, Any], iteration: int) -> Method:
    """Describe iteration 0 (the base), 1, 2, … of a resolved recipe; what a recipe does not tell is left out."""
    steps = recipe.get("iterations") or []
    if iteration < 2 or iteration - 2 >= len(steps):
        return Method("SFT" if iteration == 1 else "", "", "")
    step = steps[iteration - 2] or {}
    if step.get("more_sft"):
        return Method("more SFT", "", "")
    practice = step.get("practice") or {}
    if step.get("online"):
        held = f"{practice.get('problems', '')} / {practice.get('label', '')}".strip(" /")
        return Method(f"{_method(step['online'])}, online", held, "")
    problems, label = practice.get("problems", ""), practice.get("label", "")
    first = iteration > 2 and recipe.get("reference") == "first"
    return Method(_method(step.get("learn") or {}), f"{problems} / {label}".strip(" /"), "M1" if first else "")


def _method(learn: Mapping[str, object]) -> str:
    loss = str(learn.get("loss") or "")
    name = loss if "." in loss or "/" in loss else loss.upper().replace("_", "-")
    weight = learn.get("nll_weight") or 0
    return f"{name} + {weight:g} NLL" if weight and name != "NLL" else name
