"""A model's own logits from hidden states: whatever its forward does after its backbone, run on the positions that are read.

Scales, caps and multipliers live there (Granite divides, Cohere multiplies, Gemma-2 caps), and a head made by hand forgets
them. So the forward itself runs, with a backbone that hands out hidden states which are already there. Scorer and sampler
both read logits through this. It is held against the whole model when weights are loaded; where the two differ, the whole
model runs and all of its logits are made. Where the forward does nothing more than the output matrix, bit for bit, that is used:
for a tiny model, calling the forward takes a few percent of decoding.
"""

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Head", "Whole", "bare", "holds", "split"]

TOLERANCE = 1e-4
_PROBE = (1, 0, 1, 1)


def bare(model: "PreTrainedModel") -> "PreTrainedModel":
    """Return the causal language model inside an adapted one (`peft`), or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


class _Given:
    """A backbone's output of which only the hidden states are there; everything else reads as None."""

    def __init__(self, hidden: Tensor) -> None:
        self.last_hidden_state = hidden

    def __getitem__(self, index: int) -> Tensor:
        return self.last_hidden_state

    def __getattr__(self, name: str) -> None:
        return None


class Head:
    """hidden [N, d] → logits [N, V], by the model's own forward."""

    def __init__(self, model: "PreTrainedModel") -> None:
        self._forward = type(model).forward  # not the instance's: hooks there would look for the real backbone
        self._backbone = model.base_model_prefix
        self._shell = object.__new__(type(model))  # shares all parameters; only its list of modules is its own
        self._shell.__dict__.update(model.__dict__)
        self._shell.__dict__["_modules"] = dict(model._modules)
        matrix = model.get_output_embeddings()
        self._matrix = matrix if getattr(model, "orcamath_bare_head", False) else None
        self.n_logits: int = getattr(matrix, "out_features", None) or model.config.vocab_size

    def __call__(self, hidden: Tensor) -> Tensor:
        """Run the forward from behind its backbone."""
        if self._matrix is not None:
            return self._matrix(hidden)
        line = hidden[None]
        self._shell._modules[self._backbone] = lambda *_, **__: _Given(line)
        logits: Tensor = self._forward(self._shell, inputs_embeds=line, use_cache=False).logits
        return logits[0]


class Whole:
    """The head of a model that is only run whole: its logits are there already."""

    def __init__(self, n_logits: int) -> None:
        self.n_logits = n_logits

    def __call__(self, logits: Tensor) -> Tensor:
        """Return what came in: [N, V]."""
        return logits


def split(model: "PreTrainedModel") -> tuple[Callable[..., Tensor], Head | Whole]:
    """Return what makes hidden states [B, T, d] of ids, and what makes logits of those, of a (perhaps adapted) model."""
    plain = bare(model)
    if holds(plain):
        body = _forward_of(plain.base_model)
        return lambda **asked: body(**asked).last_hidden_state, Head(plain)
    whole = _forward_of(plain)
    return lambda **asked: whole(**asked).logits, Whole(plain.config.vocab_size)


def _forward_of(module: torch.nn.Module) -> Callable[..., Any]:
    """Return a module's call, to which its keys and values are given as `cache`, whatever its forward calls them."""
    # transformers renames `past_key_values` from 5.24 on, architecture by architecture
    name = "cache" if "cache" in signature(module.forward).parameters else "past_key_values"
    return lambda cache=None, **asked: module(**asked, **({} if cache is None else {name: cache}))


def holds(model: "PreTrainedModel") -> bool:
    """Tell whether body and head, one after the other, give the logits of the whole model (asked once a model, at load)."""
    plain = bare(model)
    if not hasattr(plain, "orcamath_head_holds"):
        plain.orcamath_head_holds = _agrees(plain)
    return bool(plain.orcamath_head_holds)


@torch.no_grad()
def _agrees(model: "PreTrainedModel") -> bool:
    ids = torch.tensor([_PROBE], device=model.device)
    try:
        hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[0]
        apart = Head(model)(hidden)
    except Exception:  # a forward of another build: what it needs of its backbone is not there
        return False
    matrix = model.get_output_embeddings()
    model.orcamath_bare_head = matrix is not None and torch.equal(matrix(hidden), apart)
    whole = model(input_ids=ids, use_cache=False).logits[0]
    return whole.shape == apart.shape and bool(
        (whole - apart).abs().max() <= TOLERANCE * whole.abs().max().clamp(min=1)
    )
