"""How a student is served while it practises: `practice.server` of a recipe."""

from typing import Any, Literal

from pydantic import Field, model_validator

from orcamath.records import Settings

__all__ = ["ServerSettings"]

ENGINES = {
    "vllm": (
        "vllm serve {model} --served-model-name {name} --host {host} --port {port} --generation-config vllm "
        "--data-parallel-size {gpus}"
    ),
    "sglang": (
        "python -m sglang.launch_server --model-path {model} --served-model-name {name} --host {host} --port {port} "
        "--sampling-defaults openai --dp-size {gpus}"
    ),
}
"""How a server is started on all GPUs at hand, one copy of the student each, whose own sampling rules are off: the checkpoint's
generation_config is not read."""


class ServerSettings(Settings):
    """A server that samples the student, one checkpoint at a time (vLLM, SGLang, …): started before, stopped after."""

    engine: Literal["vllm", "sglang"] | None = None
    """A server whose command is known; it must be installed beside, or `command` says where."""
    command: str | None = None
    """How to start the server. No shell reads it; `{model}`, `{name}` and `{port}` are put in, `{host}`, the address on which
    it is to listen (127.0.0.1), and `{gpus}`, how many GPUs are at hand (1 where none is)."""
    body: dict[str, Any] = Field(default_factory=dict)
    """Extra fields of every request's body, or other values of ours (see docs/training.md)."""
    start_timeout_s: float = Field(default=900.0, gt=0)
    timeout_s: float = Field(default=300.0, gt=0)
    concurrency: int = Field(default=256, ge=1)

    @model_validator(mode="after")
    def _one_way_to_start(self) -> "ServerSettings":
        if self.engine is None and self.command is None:
            raise ValueError("name an engine (vllm, sglang), or give the command that starts the server")
        return self

    def line(self) -> str:
        """Return the command, its marks not yet filled in."""
        return self.command or ENGINES[self.engine or "vllm"]
