"""The two ways into peft, without the warning that it causes itself.

In: a model, and a new adapter's configuration or a saved adapter's folder; out: the model with that adapter. peft 0.21 asks
transformers whether a model checkpoints by a name that transformers 6 removes; whoever trains an adapter can do nothing about it.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["saved_adapter_on", "with_adapter"]


@contextmanager
def _unwarned() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def with_adapter(model: "PreTrainedModel", config: object) -> "PreTrainedModel":
    """Return the model with a fresh adapter of peft's `config`. Raises ImportError where peft is not installed."""
    from peft import get_peft_model

    with _unwarned():
        return get_peft_model(model, config, autocast_adapter_dtype=True)


def saved_adapter_on(base: "PreTrainedModel", path: Path) -> "PreTrainedModel":
    """Return the base with the adapter that lies in a folder, not to be trained. Raises ImportError without peft."""
    from peft import PeftModel

    with _unwarned():
        return PeftModel.from_pretrained(base, path, is_trainable=False)
