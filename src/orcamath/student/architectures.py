"""Which architectures are sampled in slots and trained in packed rows, and which go the plain way.

What stands in `KNOWN` is held to transformers' own numbers by `conformance`, each by a tiny model in the tests. Everything else
that transformers can load goes the plain way: rows forwarded whole and padded, sampled by transformers' own `generate`. It is
slower, right by construction, and said once a model.
"""

import logging
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from orcamath.student.head import bare, holds

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["KNOWN", "Architecture", "in_slots", "window"]

log = logging.getLogger("orcamath")


class Architecture(NamedTuple):
    """How an architecture takes masks, and whether its rows may be packed."""

    masks: Literal["one", "by_layer_type"] = "one"
    """`by_layer_type`: a mask for `full_attention` and one for `sliding_attention`, as its configuration names its layers."""
    packs: bool = False
    """Its attention is nothing but softmax(QKᵀ)V over positions, through transformers' attention seam."""


KNOWN = {
    "llama": Architecture(packs=True),
    "mistral": Architecture(packs=True),
    "granite": Architecture(packs=True),
    "olmo2": Architecture(packs=True),
    "phi3": Architecture(),
    "cohere": Architecture(),
    "qwen2": Architecture("by_layer_type", packs=True),
    "qwen3": Architecture("by_layer_type", packs=True),
    "smollm3": Architecture("by_layer_type", packs=True),
    "olmo3": Architecture("by_layer_type"),
    "gemma2": Architecture("by_layer_type"),
    "gemma3_text": Architecture("by_layer_type"),
    "cohere2": Architecture("by_layer_type"),
    "exaone4": Architecture("by_layer_type"),
    "gpt_oss": Architecture("by_layer_type"),
}


def in_slots(model: "PreTrainedModel") -> bool:
    """Tell whether a model is sampled in slots, and may be packed; says once where it goes the plain way."""
    kind = bare(model).config.model_type
    if kind in KNOWN and holds(model):
        return True
    _say(kind)
    return False


@cache
def _say(kind: str) -> None:
    why = "its head is not the one that was tested" if kind in KNOWN else f"tested are {', '.join(sorted(KNOWN))}"
    log.warning("`%s` goes the plain way, by transformers' own forward and generate, which is slower: %s", kind, why)


def window(config: object) -> int | None:
    """Return how many positions a token sees in layers that do not see all, itself included; None where every layer does."""
    width = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    return None if kinds is not None and "sliding_attention" not in kinds else width
