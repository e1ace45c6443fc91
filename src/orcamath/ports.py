"""The seams: what a model, a judge and a screen look like from inside. One narrow interface each.

A model is `Chat`: requests in, replies out, in any order, exactly one reply a request. Batching, retries, rate limits and
GPUs are the backend's business. Agents, teacher and judges stay plain synchronous code.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from orcamath.records import Outcome, canonical

__all__ = [
    "Batched",
    "Chat",
    "Closing",
    "Comparison",
    "Finding",
    "Judge",
    "Message",
    "Pose",
    "Progress",
    "Replies",
    "Reply",
    "Request",
    "Sampling",
    "Screen",
    "Silent",
    "TrackedRun",
    "Tracker",
    "Usage",
]


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reply is drawn. Temperature 0 is greedy and has one draw only."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()

    def before_stop(self, text: str) -> str:
        """Return a text up to where the first of its stop strings begins."""
        for mark in self.stop:
            text = text.split(mark, 1)[0]
        return text


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model: chat `messages`, or a bare prompt as `token_ids` for a student of ours."""

    messages: tuple[Message, ...] = ()
    token_ids: tuple[int, ...] | None = None
    sampling: Sampling = field(default_factory=Sampling)
    draw: int = 0
    _content: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """What `content` gave: a call on the wire asks for it five times, for its keys and its seed."""

    def content(self) -> bytes:
        """Return what the call says, apart from who answers and which draw it is."""
        if (made := self._content) is None:
            said = [[m.role, m.content] for m in self.messages]
            s = self.sampling
            # floats are spelled out so that 1 and 1.0 are one request
            sampled = [float(s.temperature), float(s.top_p), s.max_tokens, list(s.stop)]
            made = canonical([list(self.token_ids) if self.token_ids is not None else said, *sampled])
            object.__setattr__(self, "_content", made)
        return made

    def key(self, fingerprint: str) -> bytes:
        """Return the 16 bytes under which the answer of the model `fingerprint` is remembered."""
        draw = 0 if self.sampling.temperature == 0 else self.draw
        return blake2b(canonical([fingerprint, draw]) + self.content(), digest_size=16).digest()

    def seed(self) -> int:
        """Return a 63-bit seed from (request, draw): the same call draws the same numbers in any order or batch."""
        return int.from_bytes(blake2b(canonical(self.draw) + self.content(), digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as billed; reasoning tokens are part of `completion_tokens`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or one failure of the wire (`error` set, nothing else to read)."""

    key: bytes
    text: str = ""
    finish_reason: Literal["stop", "length", "refused"] = "stop"
    usage: Usage = field(default_factory=Usage)
    token_ids: tuple[int, ...] | None = None
    error: str | None = None
    reasoning: str | None = None
    """What a reasoning model thought before answering, where the server tells it apart; never parsed."""


class Replies(Protocol):
    """What a model yields: replies, and a way to have no more of them. A generator is one."""

    def __iter__(self) -> Iterator[Reply]:
        """Return itself."""
        ...

    def __next__(self) -> Reply:
        """Return the next reply."""
        ...

    def close(self) -> None:
        """Cancel what is under way, and settle what was sent."""
        ...


@runtime_checkable
class Chat(Protocol):
    """A model. Calling it pulls requests lazily (at most a window ahead) and yields one reply each, in any order.

    Closing the iterator cancels and settles. Errors of one call are `Reply.error`; only what would fail every call raises
    (`TeacherRefused`, `ModelError`, `Stopped`).
    """

    @property
    def fingerprint(self) -> str:
        """Name of the exact model: declared name and revision, or a hash of the weights."""
        ...

    @property
    def chunk(self) -> int | None:
        """Size of the fixed chunks in which calls are run and remembered whole; None where each call stands alone."""
        ...

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer the requests."""
        ...


@runtime_checkable
class Batched(Protocol):
    """What a backend offers besides, whose calls lie with a provider for hours before they are answered."""

    def handed_in(self) -> Set[bytes]:
        """Return the keys of calls that are paid for and not remembered yet."""
        ...


@runtime_checkable
class Closing(Protocol):
    """What a backend or a judge offers besides, that holds on to something: weights, a process, a connection."""

    def close(self) -> None:
        """Let go of it; called when the run ends, and harmless a second time."""
        ...


class Comparison(NamedTuple):
    """One question for a judge: does `response` reach the answer that `reference` reaches?"""

    question: str
    reference: str
    """The yardstick: a short answer, or a whole solution."""
    response: str
    kind: str = "number"
    options: tuple[str, ...] = ()
    finished: bool = True
    """False where the response was cut off by the token limit."""


class Finding(NamedTuple):
    """What a judge says of one comparison. `unjudged` is never a negative."""

    outcome: Outcome
    by: str
    reason: str = ""


@runtime_checkable
class Judge(Protocol):
    """Decides comparisons, in order, one finding each.

    A model that it asks is the one it was made with: what that model costs, and what never came through, is booked there.
    """

    @property
    def fingerprint(self) -> str:
        """Name of the exact rules or model that decide."""
        ...

    def __call__(self, comparisons: Iterable[Comparison]) -> Iterator[Finding]:
        """Judge every comparison, in input order."""
        ...


@runtime_checkable
class Screen(Protocol):
    """Says of a question why it must not be trained on; None lets it pass. Used by the contamination gate."""

    @property
    def fingerprint(self) -> str:
        """Name of the exact rule."""
        ...

    @property
    def reason(self) -> str:
        """The slug under which drops are counted."""
        ...

    def __call__(self, question: str) -> str | None:
        """Return what the question collides with, or None."""
        ...


class Pose(Protocol):
    """Turns a question into the request a given model is to answer (chat messages, or prompt ids of a student)."""

    def __call__(self, question: str, sampling: Sampling, draw: int = 0) -> Request:
        """Pose one question."""
        ...


class TrackedRun(NamedTuple):
    """What a tracker is told of the run (or arm) whose numbers it gets."""

    name: str
    """`RUN`, or `RUN/ARM`."""
    group: str
    """The run, for it and all its arms."""
    id: str
    """Drawn once a run."""
    folder: Path
    settings: Mapping[str, str | int | float]
    """What the recipe says of the student and how it learns, in few words."""


@runtime_checkable
class Tracker(Protocol):
    """Where the numbers of a training go besides `metrics.jsonl`. What it raises does not end the training."""

    def add(self, stage: str, step: int, numbers: Mapping[str, float]) -> None:
        """Take the numbers of one step of a stage (`imitate`, `learn 2`); after a crash some steps come again."""
        ...

    def close(self) -> None:
        """Write out what is still held; called when the run ends, and harmless a second time."""
        ...


class Progress(Protocol):
    """Where a stage says how far it is. The terminal draws it; tests count it."""

    def begin(self, what: str, total: int | None) -> None:
        """Start a bar of `total` items (None: unknown)."""
        ...

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        """Count `n` more items done, and money spent on them."""
        ...

    def end(self) -> None:
        """Finish the bar."""
        ...


class Silent:
    """Progress that nobody watches (tests, and arms that run side by side)."""

    money: Callable[[], tuple[float, float | None]] = staticmethod(lambda: (0.0, None))
    """US dollars spent by the run, and its cap; set by whoever runs a recipe, as `Bars.money` is."""

    def begin(self, what: str, total: int | None) -> None:
        """Take no notice."""

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        """Take no notice."""

    def end(self) -> None:
        """Take no notice."""
