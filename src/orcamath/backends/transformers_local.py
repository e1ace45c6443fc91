"""A model on this machine, by transformers: batched sampling on CPU or one GPU.

Requests are answered in fixed chunks of the request list, each chunk whole, so that samples depend on the weights and the
requests and not on what an earlier run already had.

Weights of up to `keep_gb` gigabytes stay in main memory from one call to the next, those of the model used last only: the
agents come back to the same small model a dozen times. On a GPU they are let go of, since training wants the room.
"""

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import ClassVar

from pydantic import Field

from orcamath.ports import Replies, Reply, Request, Usage
from orcamath.records import Settings
from orcamath.settings import ModelSettings, read_options
from orcamath.student.encode import Encoder
from orcamath.student.folder import ModelFolder
from orcamath.student.model import Loaded, load_model, open_folder, torch_dtype
from orcamath.student.room import let_go
from orcamath.student.sampling import Asked, Sampled, sample_each
from orcamath.student.settings import Dtype

__all__ = ["LocalChat", "LocalOptions", "open_chat"]


class LocalOptions(Settings):
    """What a recipe may say under `options`."""

    chunk: int = Field(default=256, ge=1)
    """Requests that are answered together."""
    rows: int | None = Field(default=None, ge=1)
    """Decoded side by side; None for 64, on a GPU 256."""
    dtype: Dtype = "auto"
    max_context: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer; None for what the model was made for."""
    keep_gb: float = Field(default=4.0, ge=0)
    """Weights up to this size stay in memory between calls."""


def open_chat(settings: ModelSettings) -> "LocalChat":
    """Find the model that `settings.model` names (folder, hub name or GGUF file). Weights are loaded at the first call.

    Raises ModelError where there is none, RecipeError for a wrong option.
    """
    options = read_options(LocalOptions, settings.options, "backend `transformers_local`")
    return LocalChat(open_folder(settings.model, settings.revision, options.dtype), options)


class LocalChat:
    """The port `Chat` over local weights. Takes messages (through the chat template) or prompt ids."""

    _last: ClassVar["weakref.ref[LocalChat] | None"] = None
    """The one whose weights may still be in memory."""

    def __init__(self, folder: ModelFolder, options: LocalOptions | None = None) -> None:
        self.folder, self.options = folder, options or LocalOptions()
        self.chunk: int | None = self.options.chunk
        self._loaded: tuple[Loaded, Encoder] | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, template, adapter and dtype, and the context where answers may be cut by the recipe's."""
        cut = self.options.max_context
        return self.folder.fingerprint if cut is None else f"{self.folder.fingerprint}#context{cut}"

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer chunk after chunk; weights too large to be kept are let go of when the last one is done."""
        source = iter(requests)
        try:
            while chunk := list(islice(source, self.chunk or 1)):
                yield from self._answer(chunk)
        finally:
            if not self._may_stay():
                self.close()

    def close(self) -> None:
        """Let go of the weights; the next call loads them again."""
        self._loaded = None
        let_go()  # the next model of the run needs the room, and so does a server

    def _may_stay(self) -> bool:
        if self._loaded is None:
            return True
        model = self._loaded[0].model
        n_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
        return model.device.type == "cpu" and n_bytes <= self.options.keep_gb * 1e9

    def _open(self) -> tuple[Loaded, Encoder]:
        if self._loaded is None:
            before = LocalChat._last() if LocalChat._last is not None else None
            if before is not None:
                before.close()
            LocalChat._last = weakref.ref(self)
            loaded = load_model(self.folder, dtype=torch_dtype(self.options.dtype))
            self._loaded = (loaded, Encoder(loaded.tokenizer, ends=loaded.ends))
        return self._loaded

    def _answer(self, chunk: list[Request]) -> Iterator[Reply]:
        loaded, encoder = self._open()
        keys = [r.key(self.fingerprint) for r in chunk]
        copies, first = Counter(keys), list(dict(zip(keys, chunk, strict=True)).items())  # equal requests are run once
        context = self.options.max_context or getattr(loaded.model.config, "max_position_embeddings", None) or 1 << 20
        asked = [self._asked(r, encoder, context) for _, r in first]
        rows = self.options.rows or (256 if loaded.model.device.type == "cuda" else 64)
        for place, sampled in sample_each(loaded.model, asked, encoder.stop_ids, encoder.decode, rows):
            reply = _reply(*first[place], asked[place], sampled, encoder)  # as it ends, so that progress shows
            yield from [reply] * copies[reply.key]

    def _asked(self, request: Request, encoder: Encoder, context: int) -> Asked:
        prompt = request.token_ids if request.token_ids is not None else encoder.chat(request.messages)
        s = request.sampling
        room = max(0, min(s.max_tokens, context - len(prompt)))  # none where the prompt fills the context
        return Asked(prompt, room, s.temperature, s.top_p, request.seed(), s.stop)


def _reply(key: bytes, request: Request, asked: Asked, sampled: Sampled, encoder: Encoder) -> Reply:
    text = request.sampling.before_stop(encoder.decode(sampled.ids))
    return Reply(key, text, sampled.finish, Usage(len(asked.prompt), len(sampled.ids)), token_ids=sampled.ids)
