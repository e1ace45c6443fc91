"""Keys and values of rows that decode side by side, each at its own length, behind transformers' cache seam.

A slot's row r holds its first `lengths[r]` positions; what lies beyond is old and masked by length. Nothing is thrown away that
a sliding window no longer sees: windows are in the mask, so rows of any lengths stand side by side.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from orcamath.student.architectures import KNOWN, window

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Slots"]


class Slots:
    """One tensor of keys and one of values a layer: [rows, positions, heads, head_dim]."""

    def __init__(self, model: "PreTrainedModel", n_rows: int, longest: int) -> None:
        config, device, dtype = model.config, model.device, model.dtype
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        shape = (n_rows, longest, heads, head_dim)
        self.lengths = torch.zeros(n_rows, dtype=torch.long, device=device)
        self.columns = torch.arange(longest, device=device)
        self.layers = [_Layer(shape, device, dtype, self) for _ in range(config.num_hidden_layers)]
        self.cache = Cache(layers=self.layers)
        self.rows = torch.arange(0, device=device)
        self.width = 0
        self.window = window(config)
        self.by_layer_type = KNOWN[config.model_type].masks == "by_layer_type"
        self.additive = dtype if config._attn_implementation == "eager" else None

    def put(self, row: int, layers: list[tuple[Tensor, Tensor]]) -> None:
        """Start a row from a prompt's keys and values, each [heads, length, head_dim]."""
        length = layers[0][0].shape[1]
        for layer, (k, v) in zip(self.layers, layers, strict=True):
            layer.store_keys[row, :length] = k.transpose(0, 1)
            layer.store_values[row, :length] = v.transpose(0, 1)
        self.lengths[row] = length

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        length = int(self.lengths[source])
        for layer in self.layers:
            layer.store_keys[target, :length] = layer.store_keys[source, :length]
            layer.store_values[target, :length] = layer.store_values[source, :length]
        self.lengths[target] = length

    def forward(self, body: Callable[..., Tensor], ids: Tensor, rows: Tensor) -> Tensor:
        """Feed one token to each of `rows` ([n]); ids [n, 1]. Returns hidden states [n, d]."""
        lengths = self.lengths[rows]
        self.rows, self.width = rows, int(lengths.max()) + 1
        hidden = body(
            input_ids=ids,
            attention_mask=self._masks(lengths[:, None]),
            position_ids=lengths[:, None],
            cache=self.cache,
            use_cache=True,
        )
        self.lengths[rows] += 1
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
    """One layer's slots as transformers wants to see them."""

    def __init__(self, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype, slots: Slots) -> None:
        super().__init__()
        self.store_keys = torch.zeros(shape, device=device, dtype=dtype)
        self.store_values = torch.zeros(shape, device=device, dtype=dtype)
        self.slots = slots
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        """Write one position a row and return all of the rows' keys and values, [n, heads, L, head_dim]."""
        rows, width = self.slots.rows, self.slots.width
        at = self.slots.lengths[rows]
        self.store_keys[rows, at] = key_states[:, :, 0]
        self.store_values[rows, at] = value_states[:, :, 0]
        if len(rows) == int(rows[-1]) + 1:  # all slots up to the last are in use: a view, no copy
            keys, values = self.store_keys[: len(rows), :width], self.store_values[: len(rows), :width]
        else:
            keys, values = self.store_keys[rows, :width], self.store_values[rows, :width]
        return keys.transpose(1, 2), values.transpose(1, 2)

    def get_seq_length(self) -> int:
        """Return the longest row."""
        return self.slots.width
