"""What this version samples otherwise than the first one did, and for which models: part of their fingerprints.

A fault mended in the sampler changes what a model says, and under an unchanged fingerprint the ledger would replay what the fault
said. So each such mending has a name here, and a model that it concerns carries it; all others keep fingerprint and samples.

Left out: a question that spells a control token which the template does not use. It is so rare that no one pays for it again.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.student.architectures import KNOWN, window
from orcamath.student.gguf_header import gguf_header
from orcamath.student.intake import config_of

__all__ = ["changes", "declared_ends"]

_SCALES = {"final_logit_softcapping": None, "logits_scaling": 1.0, "logit_scale": 1.0}
"""What a forward may do to its logits, and the value at which it does nothing."""
_CONTROL = 3  # a GGUF token's type


class _Words(NamedTuple):
    """What a tokenizer's files say."""

    template: str
    special: dict[str, int]
    """Spelling and id of every special token."""
    named: frozenset[str]
    """Those that have a role: bos, eos, pad, …"""
    ends: frozenset[int]
    """Ids that end an answer, as declared for `generate`."""
    eos: int | None
    prefix: bool
    """Whether a blank is put before every text."""


def changes(path: Path) -> tuple[str, ...]:
    """Return the names of mendings that change what the model at `path` (a folder or GGUF file) says.

    `logits`: its forward scales or caps them, which the sampler did not. `window`: some of its layers see a window, which the
    sampler lost. `plain`: it is not among the known architectures, and is now sampled by transformers' own `generate`. `ends`:
    its turns hold control tokens without a role, or it declares further ends. `template`: it asks for today's date, or thinks.
    `prefix`: its vocabulary puts a blank before every text, which answers that were tokenised apart got twice.
    """
    try:
        if path.is_file():
            header = gguf_header(path)
            return (*_of_gguf(header), *_of_words(_gguf_words(header)))
        return _of_folder(path) if (path / "config.json").exists() else _of_adapter(path)
    except Exception:  # malformed in whatever way: `load` says so
        return ()


def _of_folder(path: Path) -> tuple[str, ...]:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    found = {
        "logits": any(getattr(config, k, v) not in (None, v) for k, v in _SCALES.items()),
        "window": config.model_type in KNOWN and window(config) is not None,
        "plain": config.model_type not in KNOWN,
    }
    return (*_true(found), *_of_words(_folder_words(path)))


def declared_ends(path: Path) -> tuple[int, ...]:
    """Return the ids that a model folder's generation_config, or else its config, says end an answer."""
    for name in ("generation_config.json", "config.json"):
        ends = _json(path / name).get("eos_token_id")
        if ends is not None:
            return tuple(e for e in (ends if isinstance(ends, list) else [ends]) if type(e) is int)
    return ()


def _true(found: dict[str, bool]) -> tuple[str, ...]:
    return tuple(name for name, holds in found.items() if holds)


def _of_adapter(path: Path) -> tuple[str, ...]:
    base = Path(str(_json(path / "adapter_config.json").get("base_model_name_or_path", "")))
    return changes(base) if base.is_file() or (base / "config.json").exists() else ()


def _of_gguf(header: dict[str, Any]) -> tuple[str, ...]:
    kind = header.get("general.architecture", "")
    keys = {key.removeprefix(f"{kind}.") for key in header}
    return _true(
        {
            "logits": bool(keys & {"final_logit_softcapping", "logit_scale"}),
            "window": "attention.sliding_window" in keys,
            "plain": kind.replace("-", "_") not in {*KNOWN, "gemma3", "command_r"},
        }
    )


def _of_words(words: _Words) -> tuple[str, ...]:
    used = {text for text in words.special if text in words.template}
    known = {words.special[text] for text in used & words.named} | {words.eos}
    dated = "strftime_now" in words.template and "date_string" not in words.template
    return _true(
        {
            "ends": bool(used - words.named or words.ends - known),
            "template": dated or "think>" in words.template,
            "prefix": words.prefix,
        }
    )


def _folder_words(path: Path) -> _Words:
    written, named = _json(path / "tokenizer_config.json"), _json(path / "special_tokens_map.json")
    vocabulary = _json(path / "tokenizer.json")
    template = path / "chat_template.jinja"
    roles = named | {k: v for k, v in written.items() if k.endswith(("_token", "special_tokens"))}
    special = {t["content"]: int(t["id"]) for t in vocabulary.get("added_tokens", ()) if t.get("special")}
    eos = next(iter(_texts(roles.get("eos_token"))), "")
    return _Words(
        template.read_text(encoding="utf-8") if template.exists() else str(written.get("chat_template") or ""),
        special,
        frozenset(_texts(roles)),
        frozenset(declared_ends(path)),
        special.get(eos),
        any(s in json.dumps([vocabulary.get("normalizer"), vocabulary.get("pre_tokenizer")]) for s in _BLANK_FIRST),
    )


_BLANK_FIRST = ('"Prepend"', '"prepend_scheme": "always"', '"prepend_scheme": "first"', '"add_prefix_space": true')


def _gguf_words(header: dict[str, Any]) -> _Words:
    tokens, kinds = header.get("tokenizer.ggml.tokens", ()), header.get("tokenizer.ggml.token_type", ())
    ids = [v for k, v in header.items() if k.startswith("tokenizer.ggml.") and k.endswith("_token_id")]
    return _Words(
        header.get("tokenizer.chat_template", ""),
        {tokens[i]: i for i, kind in enumerate(kinds) if kind == _CONTROL},
        frozenset(tokens[i] for i in ids if i < len(tokens)),
        frozenset(),
        header.get("tokenizer.ggml.eos_token_id"),
        header.get("tokenizer.ggml.model") == "llama" and header.get("tokenizer.ggml.add_space_prefix", True),
    )


def _texts(value: object) -> list[str]:
    """Return the spellings in a role's value: a text, a token with its flags, or several."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return [value["content"]]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]


def _json(path: Path) -> dict[str, Any]:
    """Read a file of a model folder; empty where there is none."""
    return config_of(path) if path.is_file() else {}
