"""A student behind an inference server, started for one stage's samples and stopped after them.

In: a command such as `vllm serve {model} --served-model-name {name} --port {port}`, and the checkpoint. The server is
started when the first sample is really needed, waited for until healthy, asked whether it serves what the weights' hash
says, and stopped when the last reply is in, so that training finds the GPU free. Prompts go out as our own token ids.

On a cluster each of the nodes with the most GPUs starts one of its own (`ServedThere`), and samples are shared out among them.

A server keeps no fixed chunks, so equal weights give equal samples only in distribution; each is remembered all the same.
"""

import os
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from orcamath.backends.openai_compatible import OpenAICompatible
from orcamath.backends.served import Served, Serving, lacking, served_here
from orcamath.errors import ModelError, RecipeError, WireDown
from orcamath.ports import Replies, Reply, Request
from orcamath.settings import ModelSettings
from orcamath.stages.serving import ServerSettings
from orcamath.store.room import own_folder

__all__ = ["ServedThere", "ServerLost", "StudentServer"]

NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""What servers otherwise take from a model's generation_config or from their own defaults."""


class ServerLost(WireDown):
    """The student's server ended while it was asked."""


class _Up(NamedTuple):
    """A server, and who asks it."""

    server: Served
    chat: OpenAICompatible


class StudentServer:
    """The Chat of one checkpoint.

    `ends`: the ids that end an answer. They go with every request, as do values under which a server samples from the student's
    own distribution. The first of them closes the ids of a finished sample where the server leaves it out.
    """

    chunk: int | None = None

    def __init__(
        self,
        settings: ServerSettings,
        model: Path,
        fingerprint: str,
        *,
        ends: Sequence[int] = (),
        log: Path | None = None,
    ) -> None:
        """What the server prints goes to `log`, beside the model where None."""
        self.settings, self.model, self.fingerprint = settings, model, fingerprint
        self.ends, self.log = tuple(ends), log or model.parent / "server.log"
        self.name = f"orcamath-{fingerprint[-16:]}"
        """Under which the weights must be served: another checkpoint's server is never taken for this one's."""
        if missing := lacking(settings.line()):
            raise RecipeError(f"`practice.server.command` lacks {', '.join(missing)}: {settings.line()}")
        self._stays = ExitStack()
        self._up: _Up | None = None

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer the requests; the server runs from the first to the last, or for as long as it is to stay."""
        source = iter(requests)
        first = next(source, None)
        if first is None:
            return
        with nullcontext(self._up) if self._up is not None else self._served() as up:
            try:
                with closing(up.chat(chain([first], source))) as replies:
                    for reply in replies:
                        if reply.error is not None and (ended := up.server.ended):
                            raise ServerLost(f"the student's server {ended}")
                        yield self._closed(reply)
            except WireDown as e:
                if ended := up.server.ended:
                    raise ServerLost(f"the student's server {ended}") from e
                raise

    def stay(self, lock: Path | None = None) -> None:
        """Start the server, and have it run until `close`; `lock` as `served_here` has it. Raises ModelError."""
        self._up = self._stays.enter_context(self._served(lock))

    def close(self) -> None:
        """Stop a server that stayed."""
        self._up = None
        self._stays.close()

    @contextmanager
    def _served(self, lock: Path | None = None) -> "Iterator[_Up]":
        if "torch" in sys.modules:  # what this process trained or sampled with lies on the GPU that the server wants
            from orcamath.student.room import let_go

            let_go()
        serving = Serving(self.settings.line(), self.model, self.name, self.settings.start_timeout_s)
        with served_here(serving, self.log, lock) as server:
            chat = OpenAICompatible(
                ModelSettings(
                    model=self.name,
                    base_url=server.url,
                    api_key_env=None,
                    concurrency=self.settings.concurrency,
                    timeout_s=self.settings.timeout_s,
                    body={"return_token_ids": True, "stop_token_ids": list(self.ends)} | NEUTRAL | self.settings.body,
                    options={"fingerprint": self.fingerprint},
                )
            )
            yield _Up(server, chat)

    def _closed(self, reply: Reply) -> Reply:
        """Put the end-of-sequence id where the sample ended by itself, and nowhere else."""
        ids = reply.token_ids
        if ids is None or not self.ends:
            return reply
        ended = bool(ids) and ids[-1] in self.ends
        bare, end = (ids[:-1], ids[-1]) if ended else (ids, self.ends[0])
        wanted = (*bare, end) if reply.finish_reason == "stop" else bare
        return reply if wanted == ids else replace(reply, token_ids=wanted)


@dataclass(frozen=True)
class ServedThere:
    """Opens the same student behind a server of another machine's own, which stays until it is closed. Picklable."""

    settings: ServerSettings
    model: Path
    """The checkpoint's folder, which that machine sees under the same path."""
    fingerprint: str
    ends: tuple[int, ...]
    logs: Path
    """A folder that it sees as well; a machine's server writes into a file of its name."""

    def __call__(self, _: ModelSettings) -> StudentServer:
        """Start the server. Raises ModelError where it does not start, or the student is not there."""
        if not self.model.is_dir():
            raise ModelError(
                f"`{self.model}` is not on the node that is to serve it: `store` has to lie where all nodes see it"
            )
        log = self.logs / f"student-server-{socket.gethostname()}.log"
        if log.exists():
            log.replace(log.with_suffix(".before.log"))  # says why the last one ended
        if os.environ.get("OMP_NUM_THREADS") == "1":  # put there for actors by their share of a CPU
            del os.environ["OMP_NUM_THREADS"]
        served = StudentServer(self.settings, self.model, self.fingerprint, ends=self.ends, log=log)
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES")  # a CPU is shared, and nobody waits for it
        served.stay(own_folder() / f"serving-{os.getppid()}-{gpus}.lock" if gpus else None)
        return served
