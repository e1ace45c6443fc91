"""Sides that run in one process and take turns within a budget of minutes; each stage is written as it ends."""

import gc
import json
import platform
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from pupil_shape import spread

__all__ = ["Bench", "Side", "against", "rated"]

PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bfloat16, by what the device's name holds (SXM data sheets)."""

Side = Callable[[], dict[str, float]]
"""One run: numbers by name."""


class Bench:
    """A budget of minutes on a device, and the one file of results."""

    def __init__(self, minutes: float, device: str, repeats: int, out: str | None, **said: Any) -> None:
        self.ends = time.monotonic() + 60 * minutes
        self.device, self.repeats = device, repeats
        self.out = Path(out) if out else None
        self.found: dict[str, Any] = {"machine": machine(device), **said, "stages": {}}

    @property
    def is_over(self) -> bool:
        """Whether nothing new may start."""
        return time.monotonic() >= self.ends

    def stage(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Run a stage, or say why not, and write what there is."""
        began = time.monotonic()
        if self.is_over:
            result: dict[str, Any] = {"skipped": "the minutes are over"}
        else:
            try:
                result = work()
            except Exception as e:  # whatever one stage meets, the others must have their turn
                result = {"error": f"{type(e).__name__}: {e}"[:2000], "traceback": traceback.format_exc()[-4000:]}
            result["wall_s"] = round(time.monotonic() - began, 1)
        self.found["stages"][name] = result
        print(name, json.dumps(result), flush=True)
        if self.out is not None:
            self.out.write_text(json.dumps(self.found, indent=1))

    def turns(self, sides: dict[str, Side], repeats: int) -> dict[str, Any]:
        """Run sides in turn, as often as the budget lets; a side that fails is left out from then on."""
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        failed: dict[str, str] = {}
        for _ in range(repeats):
            for name, side in sides.items():
                if name not in failed and not self.is_over:
                    try:
                        runs[name].append(side())
                    except torch.OutOfMemoryError as e:
                        failed[name] = f"out of memory: {e}"[:300]
                    except Exception as e:  # a peer that does not run with this setting is a finding, not the end
                        failed[name] = f"{type(e).__name__}: {e}"[:2000]
                    gc.collect()
        result: dict[str, Any] = {
            name: {k: spread([r[k] for r in some]) for k in some[0]} | {"runs": len(some)}
            for name, some in runs.items()
            if some
        }
        return result | {name: result.get(name, {}) | {"error": why} for name, why in failed.items()}

    def best(self, tries: dict[str, Side], of: str = "seconds", sign: int = 1) -> tuple[str | None, dict[str, Any]]:
        """Try settings once each; return the name of the best, and what each came to."""
        found = self.turns(tries, 1)
        said = {name: r.get("error") or r[of]["median"] for name, r in found.items()}
        able = [name for name, value in said.items() if not isinstance(value, str)]
        return min(able, key=lambda name: sign * said[name], default=None), said


def machine(device: str) -> dict[str, Any]:
    """Say what everything ran on."""
    said = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__}
    if device == "cuda":
        kind = torch.cuda.get_device_properties(0)
        said |= {"device": kind.name, "memory_gb": round(kind.total_memory / 1e9, 1), "cuda": torch.version.cuda}
    return said


def peak_flops(device: str) -> float | None:
    """Return the device's dense bfloat16 peak, if its name is known."""
    name = torch.cuda.get_device_name() if device == "cuda" else ""
    return next((flops for part, flops in PEAK_FLOPS.items() if part in name), None)


def rated(bench: Bench, result: dict[str, Any], n_tokens: int) -> dict[str, Any]:
    """Add rates to every side of a training's result."""
    peak = peak_flops(bench.device)
    for side in result.values():
        if isinstance(side, dict) and "seconds" in side:
            seconds = side["seconds"]["median"]
            side["tokens_per_s"] = round(n_tokens / seconds)
            side["forwarded_per_s"] = round(side["forwarded"]["median"] / seconds)
            side["mfu"] = round(side["flops"]["median"] / seconds / peak, 4) if peak else None
    return result


def against(result: dict[str, Any], peer: str, what: str, sign: int) -> dict[str, float]:
    """Return how many times better than the peer each other side is, in one number of its own."""
    if what not in result.get(peer, {}):
        return {}
    value = {name: r[what]["median"] for name, r in result.items() if isinstance(r, dict) and what in r}
    return {name: round((value[peer] / v) ** sign, 2) for name, v in value.items() if name != peer}
