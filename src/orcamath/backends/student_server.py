"""A student behind an inference server, started for one stage's samples and stopped after them.

In: a command such as `vllm serve {model} --served-model-name {name} --port {port}`, and the checkpoint. The server is
started when the first sample is really needed, waited for until healthy, asked whether it serves what the weights' hash
says, and stopped when the last reply is in, so that training finds the GPU free. Prompts go out as our own token ids.

A server keeps no fixed chunks, so equal weights give equal samples only in distribution; each is remembered all the same.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path

from orcamath.backends.openai_compatible import OpenAICompatible
from orcamath.backends.served import lacking, served_here
from orcamath.errors import RecipeError
from orcamath.machines import Serving, StartServer
from orcamath.ports import Replies, Reply, Request
from orcamath.settings import ModelSettings
from orcamath.stages.serving import ServerSettings

__all__ = ["StudentServer"]

NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""What servers otherwise take from a model's generation_config or from their own defaults."""


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
        start: StartServer | None = None,
    ) -> None:
        """`start` starts the server, on this machine where it is None; its words go to `log`, beside the model where None."""
        self.settings, self.fingerprint = settings, fingerprint
        self.ends, self.log = tuple(ends), log or model.parent / "server.log"
        self.start = start or served_here
        self.name = f"orcamath-{fingerprint[-16:]}"
        """Under which the weights must be served: another checkpoint's server is never taken for this one's."""
        self.serving = Serving(settings.line(), model, self.name, settings.start_timeout_s)
        if missing := lacking(self.serving.command):
            raise RecipeError(f"`practice.server.command` lacks {', '.join(missing)}: {self.serving.command}")

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer the requests; the server runs from the first to the last."""
        source = iter(requests)
        first = next(source, None)
        if first is None:
            return
        with self.start(self.serving, self.log) as base_url:
            chat = OpenAICompatible(
                ModelSettings(
                    model=self.name,
                    base_url=base_url,
                    api_key_env=None,
                    plain_http=True,  # of our own starting, on this machine or on a node of the user's cluster
                    concurrency=self.settings.concurrency,
                    timeout_s=self.settings.timeout_s,
                    body={"return_token_ids": True, "stop_token_ids": list(self.ends)} | NEUTRAL | self.settings.body,
                    options={"fingerprint": self.fingerprint},
                )
            )
            with closing(chat(chain([first], source))) as replies:
                for reply in replies:
                    yield self._closed(reply)

    def _closed(self, reply: Reply) -> Reply:
        """Put the end-of-sequence id where the sample ended by itself, and nowhere else."""
        ids = reply.token_ids
        if ids is None or not self.ends:
            return reply
        ended = bool(ids) and ids[-1] in self.ends
        bare, end = (ids[:-1], ids[-1]) if ended else (ids, self.ends[0])
        wanted = (*bare, end) if reply.finish_reason == "stop" else bare
        return reply if wanted == ids else replace(reply, token_ids=wanted)
