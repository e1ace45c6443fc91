"""What this version samples otherwise than the first one did, and for which models: part of their fingerprints.

A fault mended in the sampler changes what a model says, and under an unchanged fingerprint the ledger would replay what the fault
said. So each such mending has a name here, and a model that it concerns carries it; all others keep fingerprint and samples.
"""

import json
from pathlib import Path
from typing import Any

from orcamath.student.architectures import KNOWN, window
from orcamath.student.gguf_header import gguf_header

__all__ = ["changes"]

_SCALES = {"final_logit_softcapping": None, "logits_scaling": 1.0, "logit_scale": 1.0}
"""What a forward may do to its logits, and the value at which it does nothing."""


def changes(path: Path) -> tuple[str, ...]:
    """Return the names of mendings that change what the model at `path` (a folder or GGUF file) says.

    `logits`: its forward scales or caps them, which the sampler did not. `window`: some of its layers see a window, which the
    sampler lost. `plain`: it is not among the known architectures, and is now sampled by transformers' own `generate`.
    """
    if path.is_file():
        return _of_gguf(gguf_header(path))
    if not (path / "config.json").exists():
        return _of_adapter(path)
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError):  # no model that can be loaded: `load` says so
        return ()
    found = {
        "logits": any(getattr(config, k, v) not in (None, v) for k, v in _SCALES.items()),
        "window": config.model_type in KNOWN and window(config) is not None,
        "plain": config.model_type not in KNOWN,
    }
    return tuple(name for name, holds in found.items() if holds)


def _of_adapter(path: Path) -> tuple[str, ...]:
    try:
        base = Path(json.loads((path / "adapter_config.json").read_text())["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return changes(base) if base.exists() else ()


def _of_gguf(header: dict[str, Any]) -> tuple[str, ...]:
    kind = header.get("general.architecture", "")
    keys = {key.removeprefix(f"{kind}.") for key in header}
    found = {
        "logits": bool(keys & {"final_logit_softcapping", "logit_scale"}),
        "window": "attention.sliding_window" in keys,
        "plain": kind.replace("-", "_") not in {*KNOWN, "gemma3", "command_r"},
    }
    return tuple(name for name, holds in found.items() if holds)
