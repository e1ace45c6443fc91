"""transformers on a GGUF file, quicker and quieter than by itself.

It opens the file anew for its configuration, its weights and its tokenizer, and each time a reader in Python makes an array of
every piece of the vocabulary; it makes the table of tensors' names anew for each part of a model; and it draws a bar over the
weights whatever its logging is told. Inside `read_once` each is made once, and no bar is drawn.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["model_of", "read_once"]

_ONE_AT_A_TIME = RLock()
"""The names are the process's: whoever comes second waits."""


@contextmanager
def read_once() -> Iterator[None]:
    """Let every reading of one GGUF file inside be the first one's; what was read is let go of at the end."""
    import gguf
    from transformers import modeling_gguf_pytorch_utils as theirs

    with _ONE_AT_A_TIME, ExitStack() as undone:
        for module, name, instead in (
            (gguf, "GGUFReader", lru_cache(maxsize=1)),
            (gguf, "get_tensor_name_map", lru_cache(maxsize=1)),
            (theirs, "tqdm", _without_bar),
        ):
            _replaced(module, name, instead, undone)
        yield


def _replaced(module: ModuleType, name: str, instead: Callable[[Any], Any], undone: ExitStack) -> None:
    """Put something in the place of a module's name, where this version of it has such a name, until `undone`."""
    if (theirs := getattr(module, name, None)) is not None:
        undone.callback(setattr, module, name, theirs)
        setattr(module, name, instead(theirs))


def _without_bar(_: object) -> Callable[..., Iterable[object]]:
    return lambda items, **__: items


def model_of(path: Path, dtype: "torch.dtype") -> tuple["PreTrainedModel", dict[str, Any]]:
    """Return the model that transformers makes of a file, and what it says of keys that were missing or left over."""
    from transformers import AutoModelForCausalLM

    with read_once():
        found: tuple[PreTrainedModel, dict[str, Any]] = AutoModelForCausalLM.from_pretrained(
            path.parent,
            gguf_file=path.name,
            dtype=dtype,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    return found
