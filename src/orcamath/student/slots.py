"""Keys and values of rows that decode side by side, each at its own length, behind transformers' cache seam.

A slot's row r holds its first `lengths[r]` positions; what lies beyond is old and masked by length. Nothing is thrown away that
a sliding window no longer sees: windows are in the mask, so rows of any lengths stand side by side. Lengths are known on both
sides, so that deciding what to feed never waits for the device. Shapes: N layers, R rows, n fed, L positions, H key heads, D.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from orcamath.student.architectures import KNOWN, window

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Slots"]


class Slots:
    """Keys and values of all layers in one tensor, [N, 2, R, H, L, D]: a head's positions together, as attention reads them."""

    def __init__(self, model: "PreTrainedModel", n_rows: int, longest: int) -> None:
        config, device, dtype = model.config, model.device, model.dtype
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        n_layers = config.num_hidden_layers
        self.store = torch.zeros((n_layers, 2, n_rows, heads, longest, head_dim), device=device, dtype=dtype)
        self.held = [0] * n_rows
        """`lengths`, on this side."""
        self.lengths = torch.zeros(n_rows, dtype=torch.long, device=device)
        self.columns = torch.arange(longest, device=device)
        self.cache = Cache(layers=[_Layer(self.store[i], self) for i in range(n_layers)])
        self.rows = torch.arange(n_rows, device=device)
        self.fed: Tensor | slice = slice(0)
        """The rows that are fed now: the first n, or these."""
        self.width = 0
        self.window = window(config)
        self.by_layer_type = KNOWN[config.model_type].masks == "by_layer_type"
        # a mask of numbers is made once a step, one of yes and no is turned into numbers in every layer
        self.additive = dtype if config._attn_implementation == "eager" or device.type == "cuda" else None

    def put(self, first: int, n: int, kept: Tensor) -> None:
        """Start rows `first` to `first + n` from one prompt's keys and values, [N, 2, H, length, D]."""
        length = kept.shape[3]
        self.store[:, :, first : first + n, :, :length] = kept[:, :, None]
        self.lengths[first : first + n] = length
        self.held[first : first + n] = [length] * n

    def move(self, sources: Sequence[int], targets: Sequence[int], n: int) -> None:
        """Copy rows over others; the first `n` are then in use."""
        if sources:
            width = max(self.held[r] for r in sources)
            source, target = (torch.tensor(rows, device=self.lengths.device) for rows in (sources, targets))
            self.store[:, :, target, :, :width] = self.store[:, :, source, :, :width]
            self.lengths[target] = self.lengths[source]
            for r, t in zip(sources, targets, strict=True):
                self.held[t] = self.held[r]
        self.lengths[n:] = 0
        self.held[n:] = [0] * (len(self.held) - n)

    def clear(self) -> None:
        """Let go of all rows."""
        self.move((), (), 0)

    def these(self, rows: Sequence[int]) -> Tensor | slice:
        """Return what picks `rows`, which rise: a view where they are all rows up to the last."""
        n = len(rows)
        return slice(n) if rows[-1] == n - 1 else torch.tensor(rows, device=self.lengths.device)

    def longest(self, rows: Sequence[int]) -> int:
        """Return how many positions the longest of `rows` will hold with one more."""
        return 1 + max(self.held[r] for r in rows)

    def rise(self, fed: Tensor | slice, rows: Sequence[int]) -> None:
        """Note that each of `rows`, which are those of `fed`, holds one position more."""
        self.lengths[fed] += 1
        for r in rows:
            self.held[r] += 1

    def run(self, body: Callable[..., Tensor], ids: Tensor) -> Tensor:
        """Run the model on the rows `fed`, which read `width` positions, and write their keys and values: [n, 1] → [n, d]."""
        at = self.lengths[self.fed][:, None]
        hidden = body(input_ids=ids, attention_mask=self._masks(at), position_ids=at, cache=self.cache, use_cache=True)
        return hidden[:, -1]

    def _masks(self, at: Tensor) -> object:
        """Return what each row's next token sees, [n, 1, 1, width], in the form the architecture takes; `at` [n, 1]."""
        columns = self.columns[: self.width]
        full = near = columns <= at
        if self.window is not None:
            near = full & (columns > at - self.window)
        if self.by_layer_type:
            return {"full_attention": self._form(full), "sliding_attention": self._form(near)}
        return self._form(near)

    def _form(self, seen: Tensor) -> Tensor:
        seen = seen[:, None, None, :]
        if self.additive is None:
            return seen
        return torch.zeros(seen.shape, dtype=self.additive, device=seen.device).masked_fill(~seen, float("-inf"))


class _Layer(DynamicLayer):
    """One layer's slots, [2, R, H, L, D], as transformers wants to see them."""

    def __init__(self, store: Tensor, slots: Slots) -> None:
        super().__init__()
        self.store = store
        self.slots = slots
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        """Write one position a row and return all of the rows' keys and values, [n, H, L, D]."""
        fed, width = self.slots.fed, self.slots.width
        rows, at = self.slots.rows[fed], self.slots.lengths[fed]
        self.store[0][rows, :, at] = key_states[:, :, 0]
        self.store[1][rows, :, at] = value_states[:, :, 0]
        return self.store[0][fed, :, :width], self.store[1][fed, :, :width]

    def get_seq_length(self) -> int:
        """Return the longest row."""
        return self.slots.width
