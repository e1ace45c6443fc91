"""One decoding step of the rows in their slots: the tokens just chosen in, the next logits out.

On a GPU a step of a small model is a thousand kernels of microseconds, and starting them takes many times as long as running
them. So a step is captured once for a number of rows and a width (powers of two, multiples of 64) as a CUDA graph and replayed:
rows that are not fed compute something that nobody reads, and write where their next token will be written anyway. Where an
architecture cannot be captured its steps run as everywhere else, and that is said once.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from orcamath.student.head import split
from orcamath.student.slots import Slots

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Decoder", "decoder"]

log = logging.getLogger("orcamath")

WIDTHS = 64
"""Widths are rounded up to a multiple of this many positions."""


class Decoder:
    """Feeds rows and makes their logits."""

    def __init__(self, model: "PreTrainedModel", n_rows: int, longest: int) -> None:
        self.slots = Slots(model, n_rows, longest)
        self.body, self.head = split(model)

    def step(self, last: Tensor, active: Sequence[int], logits: Tensor) -> None:
        """Feed the rows `active`, which rise, their `last` tokens ([R, 1]) and write what comes next into `logits` [R, V]."""
        slots, fed = self.slots, self.slots.these(active)
        slots.fed, slots.width = fed, slots.longest(active)
        logits[fed] = self.head(slots.run(self.body, last[fed])).to(logits.dtype)
        slots.rise(fed, active)


class _Captured(Decoder):
    """The same, replayed."""

    def __init__(self, model: "PreTrainedModel", n_rows: int, longest: int) -> None:
        super().__init__(model, n_rows, -(-longest // WIDTHS) * WIDTHS)
        self.kind = model.config.model_type
        self.last = torch.zeros(n_rows, 1, dtype=torch.long, device=model.device)
        self.made = torch.zeros(n_rows, self.head.n_logits, dtype=model.dtype, device=model.device)
        self.graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}
        self.fails = False

    def step(self, last: Tensor, active: Sequence[int], logits: Tensor) -> None:
        """As `Decoder.step`."""
        slots, fed = self.slots, self.slots.these(active)
        rows = min(1 << active[-1].bit_length(), len(slots.held))
        width = -(-slots.longest(active) // WIDTHS) * WIDTHS
        if not self._ready(rows, width):
            super().step(last, active, logits)
            return
        self.last.copy_(last)
        self.graphs[rows, width].replay()
        logits[fed] = self.made[fed].to(logits.dtype)
        slots.rise(fed, active)

    def _ready(self, rows: int, width: int) -> bool:
        """Capture a step of so many rows and such a width, if there is none yet; False where that cannot be done."""
        if (rows, width) not in self.graphs and not self.fails:
            try:
                self.graphs[rows, width] = self._captured(rows, width)
            except RuntimeError as e:  # something in this forward waits for the device
                self.fails = True
                _say(self.kind, str(e).split("\n", 1)[0])
        return not self.fails

    def _captured(self, rows: int, width: int) -> torch.cuda.CUDAGraph:
        slots, last, made = self.slots, self.last[:rows], self.made[:rows]
        slots.fed, slots.width = slice(rows), width
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries take their workspaces at a first run, which may not be captured
            self.head(slots.run(self.body, last))
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        pool = next(iter(self.graphs.values())).pool() if self.graphs else None
        with torch.cuda.graph(graph, pool=pool):
            made.copy_(self.head(slots.run(self.body, last)))
        return graph


def decoder(model: "PreTrainedModel", n_rows: int, longest: int) -> Decoder:
    """Return what decodes up to `n_rows` rows of up to `longest` tokens; on a GPU the one this model had before, where it is
    large enough."""
    if model.device.type != "cuda":
        return Decoder(model, n_rows, longest)
    kept = getattr(model, "orcamath_decoder", None)
    if kept is None or len(kept.slots.held) != n_rows or len(kept.slots.columns) < longest:
        model.orcamath_decoder = None  # its memory is free before the next one asks for as much
        kept = model.orcamath_decoder = _Captured(model, n_rows, longest)
    kept.slots.clear()
    return kept


@cache
def _say(kind: str, why: str) -> None:
    log.warning("`%s` is sampled without CUDA graphs, which is slower: %s", kind, why)
