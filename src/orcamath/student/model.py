"""Weights on disk and in memory: which model is it, load it, save it.

A model is named by a local folder, a hub name or a GGUF file. `fingerprint` hashes what changes its answers: weights,
configuration, tokenizer, chat template, adapter, dtype, and what this version samples otherwise (`changes`). Only safetensors
(and GGUF) are read, never pickle, and code that comes with a model is never run.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from safetensors import safe_open
from transformers.utils import logging as hf_logging

from orcamath.errors import ModelError, OrcamathError, nearest
from orcamath.store.placing import folder_whole
from orcamath.student.changes import changes, declared_ends
from orcamath.student.folder import ModelFolder
from orcamath.student.gguf_header import gguf_header
from orcamath.student.gguf_reading import model_of, read_once
from orcamath.student.gguf_weights import as_the_file_says
from orcamath.student.head import holds
from orcamath.student.intake import base_of, check_claims, check_folder, config_of
from orcamath.student.lora import saved_adapter_on
from orcamath.student.settings import Dtype

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "Loaded",
    "contents",
    "fingerprint",
    "load_model",
    "load_tokenizer",
    "local_folder",
    "look_at",
    "open_folder",
    "save",
    "torch_dtype",
]

_CHUNK = 1 << 22
_PARTS = ("*.safetensors", "*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt")
ADAPTER = "adapter_model.safetensors"
_IGNORED = {"model.safetensors.index.json", "README.md"}


class Loaded(NamedTuple):
    """A model ready to run, and its tokenizer."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    ends: tuple[int, ...] = ()
    """Ids that its generation_config says end an answer."""


def torch_dtype(name: Dtype) -> torch.dtype:
    """Return the dtype to run in; `auto` is bfloat16 on a GPU that has it, else float32."""
    if name == "auto":
        return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def fingerprint(path: Path, dtype: Dtype = "auto") -> str:
    """Hash what changes a model's answers: weights, configuration, tokenizer, template, adapter, the dtype it runs in, and what
    this version samples otherwise."""
    return _named(path, _content(path, dtype)).fingerprint


def contents(path: Path) -> dict[str, str]:
    """Return the hash of a model's files for each dtype it may run in: what is sealed with it, to be compared when it is opened.

    Not its fingerprint: a mended sampler changes that, and the student stays what was sealed.
    """
    return {str(torch_dtype(dtype)): _content(path, dtype).hexdigest() for dtype in ("float32", "bfloat16")}


def _named(path: Path, h: "blake2b") -> ModelFolder:
    content = h.hexdigest()
    for change in changes(path):
        h.update(f"\0{change}".encode())
    return ModelFolder(path, h.hexdigest(), content)


def _content(path: Path, dtype: Dtype) -> "blake2b":
    h = blake2b(str(torch_dtype(dtype)).encode(), digest_size=16)
    for file in _files(path):
        h.update(f"\0{'' if path.is_file() else file.relative_to(path)}\0".encode())
        with file.open("rb") as f:
            while piece := f.read(_CHUNK):
                h.update(piece)
    return h


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    found = {f for pattern in _PARTS for f in path.glob(pattern) if f.name not in _IGNORED}
    yield from sorted(found)


def local_folder(name: str, revision: str | None = None) -> Path:
    """Return the local folder or GGUF file behind a name; a hub name is fetched first. Raises ModelError."""
    path = Path(name).expanduser()
    if path.exists():
        return path
    if path.suffix == ".gguf" or path.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise ModelError(
            f"no model at `{name}`: no such folder or file. Give a folder with config.json, *.safetensors and "
            f"tokenizer.json, a .gguf file, or a hub name such as `owner/model`"
        )
    try:
        from huggingface_hub import snapshot_download

        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=[*_PARTS, "tokenizer*"], ignore_patterns=["*.bin"]
            )
        )
    except Exception as e:  # the hub's own errors are many; each means that the weights are not here
        raise ModelError(
            f"`{name}` is no local folder, and the hub did not give it ({type(e).__name__}: {str(e)[:200]}). "
            f"Download it elsewhere and name the folder or a .gguf file instead"
        ) from e


def open_folder(name: str, revision: str | None = None, dtype: Dtype = "auto") -> ModelFolder:
    """Find a model by name and say what exactly it is. Raises ModelError naming path and fix."""
    path = local_folder(name, revision)
    look_at(path)
    return _named(path, _content(path, dtype))


def look_at(path: Path) -> None:
    """Refuse early what could not be loaded later, without reading weights. Raises ModelError."""
    if path.is_file():
        if path.suffix != ".gguf":
            raise ModelError(f"`{path}` is a file but not a .gguf; name the model's folder instead")
        gguf_header(path)
        return
    if path.is_dir():
        check_folder(path)
    if not (path / "config.json").exists() and not (path / "adapter_config.json").exists():
        raise ModelError(f"`{path}` has no config.json, so it is no model folder; name the folder that holds it")
    weights = ADAPTER if (path / "adapter_config.json").exists() else "*.safetensors"
    if not any(path.glob(weights)):
        pickled = [*path.glob("*.bin"), *path.glob("*.pt")]
        fix = (
            "convert the weights to safetensors first (pickles can run code, so they are not read)"
            if pickled
            else ("copy the weights there")
        )
        raise ModelError(f"`{path}` has no {weights}; {fix}")
    _architecture(path / "config.json")
    check_claims(path)


def _architecture(config: Path) -> None:
    """Refuse a model type that the installed transformers cannot build as a causal language model."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    if not config.exists():
        return  # an adapter: its base says what it is
    said = config_of(config).get("model_type")
    if not isinstance(said, str) or said not in KNOWN:
        hint = nearest(str(said), list(KNOWN)) if said else "it names none"
        raise ModelError(f"`{config}` says `model_type: {said}`, which the installed transformers cannot train; {hint}")


def load_model(
    folder: ModelFolder | Path,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | None = None,
    quantize: Literal["none", "4bit"] = "none",
    to_train: bool = False,
) -> Loaded:
    """Load weights and tokenizer, in evaluation mode. An adapter folder is joined to the base it names.

    `quantize` holds the weights in NF4 (QLoRA); `to_train` merges such an adapter, to be trained on. Raises ModelError.
    """
    path = folder.path if isinstance(folder, ModelFolder) else folder
    look_at(path)
    hf_logging.disable_progress_bar()  # stages draw their own
    try:
        with read_once() if path.is_file() else nullcontext():
            if (path / "adapter_config.json").exists():
                if quantize == "4bit":
                    raise ModelError(f"`{path}` is an adapter, which is not quantized: merge it into its base first")
                model = _load_adapter(path, dtype, merged=to_train)
            elif quantize == "4bit":
                model = _load_quantized(path, dtype)
            else:
                model = _load_weights(path, dtype)
            tokenizer = load_tokenizer(path)
    except OrcamathError:
        raise
    except Exception as e:  # whatever transformers makes of a malformed file: it cannot be loaded
        raise ModelError(
            f"the model in `{path}` cannot be loaded ({type(e).__name__}: {str(e)[:300]}). It needs config.json, intact "
            f"*.safetensors and a tokenizer.json, or a .gguf of an architecture that transformers knows"
        ) from e
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    model = (model if quantize == "4bit" else model.to(device)).eval()
    holds(model)
    return Loaded(model, tokenizer, declared_ends(path))


def _load_weights(path: Path, dtype: torch.dtype) -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM

    if path.is_file():
        model, said = model_of(path, dtype)
        return as_the_file_says(_complete(model, said, path), path)
    model, said = AutoModelForCausalLM.from_pretrained(
        path,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    return _complete(model, said, path)


def _complete(model: "PreTrainedModel", said: dict[str, Any], path: Path) -> "PreTrainedModel":
    """Return the model if every tensor had its place and every place its tensor. Raises ModelError naming those that did not.

    transformers only warns, and draws what is missing at random.
    """
    missing, left_over = sorted(said["missing_keys"]), sorted(said["unexpected_keys"])
    if missing or left_over:
        sides = (("missing", missing), ("of no known place", left_over))
        wrong = "; ".join(f"{len(names)} tensors {what}: {_some(names)}" for what, names in sides if names)
        raise ModelError(
            f"the weights in `{path}` are not those of its configuration: {wrong}. Copy the model again, whole, or name the "
            f"folder that holds all of it"
        )
    return model


def _some(names: Sequence[str], n: int = 3) -> str:
    return ", ".join(f"`{name}`" for name in names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")


def _load_quantized(path: Path, dtype: torch.dtype) -> "PreTrainedModel":
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    scheme = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    model, said = AutoModelForCausalLM.from_pretrained(
        path,
        dtype=dtype,
        quantization_config=scheme,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        device_map={"": torch.cuda.current_device()},  # of several processes each has its own
        output_loading_info=True,
    )
    return _complete(model, said, path)


def _load_adapter(path: Path, dtype: torch.dtype, *, merged: bool) -> "PreTrainedModel":
    from peft import get_peft_model_state_dict

    base = local_folder(base_of(path / "adapter_config.json"))
    look_at(base)
    if (base / "adapter_config.json").exists():
        raise ModelError(f"`{path}` is an adapter on `{base}`, which is one itself; merge that into its own base first")
    model = saved_adapter_on(_load_weights(base, dtype), path)
    with safe_open(path / ADAPTER, "pt") as file:
        held = set(file.keys())
    # peft too only warns; embeddings may be saved beside the adapter
    wanted, allowed = (set(get_peft_model_state_dict(model, save_embedding_layers=e)) for e in (False, True))
    _complete(model, {"missing_keys": wanted - held, "unexpected_keys": held - wanted - allowed}, path)
    return model.merge_and_unload().requires_grad_(True) if merged else model  # peft froze them


def load_tokenizer(path: Path) -> "PreTrainedTokenizerBase":
    """Load a model's tokenizer alone. Raises ModelError."""
    from transformers import AutoTokenizer

    try:
        if path.is_file():
            return _gguf_tokenizer(path, path.stat().st_mtime_ns)
        return AutoTokenizer.from_pretrained(path, trust_remote_code=False, local_files_only=True)
    except Exception as e:  # as in `load`
        said = " ".join(str(e).split())[:200]
        raise ModelError(f"`{path}` has no tokenizer that can be read ({said}); copy its tokenizer.json there") from e


@lru_cache(maxsize=4)
def _gguf_tokenizer(path: Path, _mtime: int) -> "PreTrainedTokenizerBase":
    """Read once a process: a GGUF's vocabulary takes many seconds."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        path.parent, gguf_file=path.name, trust_remote_code=False, local_files_only=True
    )


def save(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", path: Path, dtype: torch.dtype | None = None
) -> None:
    """Write a model as transformers does: safetensors, config, tokenizer with its chat template. Whole or not at all."""
    if dtype is not None:
        model = model.to(dtype)
    with folder_whole(path) as aside:
        model.save_pretrained(aside)
        tokenizer.save_pretrained(aside)
        (aside / "README.md").unlink(missing_ok=True)  # peft writes a model card with placeholders
