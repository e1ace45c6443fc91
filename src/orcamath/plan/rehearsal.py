"""A dry run of the recipe: every stage up to the lessons is made in a temporary store, from remembered replies only.

So the plan looks up exactly the calls that the run would make, through the stages' own code, second tries and second rounds
included. A call that is not remembered is counted; what it would have led to is estimated by `calls`. A stage of which every
call is remembered is what the run would make, and is kept as that.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from orcamath.errors import TooManyRejects
from orcamath.ports import Progress, Reply, Request
from orcamath.recipe import run
from orcamath.recipe_settings import Recipe
from orcamath.records import Lesson, Problem, Settings
from orcamath.settings import ModelSettings
from orcamath.stages.teach import TeachFacts
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.ledger import Remembered
from orcamath.store.locks import wait_for
from orcamath.store.moving import move_in
from orcamath.store.stage import Stage
from orcamath.store.under_way import under_way
from orcamath.workshop import Tools, Workshop, identified

__all__ = ["CallTally", "StageForecast", "rehearsal"]

S = TypeVar("S", bound=Settings)
P = ParamSpec("P")

READ = {"benchmarks", "seeds", "problems", "lessons", "verdicts"}
"""Stages that only read files: really run and sealed."""
ASKED = {"ask", "edit", "agent", "collect", "teach", "confirm"}
"""Stages made in the temporary store where they are not sealed, and moved from there where they turn out whole."""


@dataclass
class CallTally:
    """What a stage's calls come to: those remembered, and those that would be sent."""

    known: int = 0
    unknown: int = 0
    known_bytes: int = 0
    unknown_bytes: int = 0
    """UTF-8 bytes of the prompts."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Of the remembered ones, as billed."""
    longest: int = 0
    """Most tokens that an answer may have (`max_tokens` of the requests)."""
    waiting: int = 0
    """Calls that lie in a provider's batch: paid for, not here yet."""
    models: "dict[str, CallTally]" = field(default_factory=dict)
    """Fingerprint → its part, where a stage may ask several."""

    def add(self, request: Request, reply: Reply | None) -> None:
        """Count one call."""
        self.longest = max(self.longest, request.sampling.max_tokens)
        size = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages)
        if reply is None:
            self.unknown += 1
            self.unknown_bytes += size
        else:
            self.known += 1
            self.known_bytes += size
            self.prompt_tokens += reply.usage.prompt_tokens
            self.completion_tokens += reply.usage.completion_tokens


@dataclass
class StageForecast:
    """One stage of the rehearsal."""

    label: str
    sealed: bool
    n_in: int
    """Problems it works on, as far as they exist."""
    n_out: int
    """Problems, or lessons, that came of what is remembered."""
    question_bytes: float
    """Mean UTF-8 bytes of the questions it works on, or holds."""
    answer_bytes: float
    """Mean UTF-8 bytes of the solutions it holds; 0 where there are none."""
    calls: CallTally = field(default_factory=CallTally)
    rungs: list[CallTally] = field(default_factory=list)
    """Its calls by teacher, where several stand on a ladder."""
    artifact: str = ""
    """What it makes is called; empty where nothing was read, and so nobody knows."""


class _Enough(Exception):
    """Ends the rehearsal: the next stage depends on students that are not trained yet."""


@dataclass
class _Books:
    """What one recipe asked so far, stage by stage."""

    tallies: dict[str, CallTally] = field(default_factory=dict)
    keys: dict[str, set[bytes]] = field(default_factory=dict)
    """Of the requests that are counted, each where it came first."""
    unknown: set[bytes] = field(default_factory=set)
    """Of those that are not remembered."""
    whole: bool = True
    """Whether all that the stage under way asked is remembered."""

    def begin(self, stage: str) -> CallTally:
        self.tallies[stage], self.keys[stage], self.whole = CallTally(), set(), True
        return self.tallies[stage]

    def met(self, key: bytes) -> bool:
        return any(key in keys for keys in self.keys.values())


class _Counted(Remembered):
    """A model that answers what is remembered, and counts on the stage under way instead of asking."""

    def __init__(self, model: Remembered, books: _Books) -> None:
        super().__init__(model.chat, model.ledger)
        self._books = books
        self._waiting = model.handed_in()

    def fill(self, requests: Iterable[Request], progress: Progress | None = None) -> list[str]:
        """Count every request once."""
        stage = under_way()
        assert stage is not None
        tally = self._books.tallies[stage.stage]
        for request in requests:
            key = request.key(self.fingerprint)
            stage.asked(key)
            if not self._books.met(key):
                self._books.keys[stage.stage].add(key)
                reply = self.ledger.get(key)
                if reply is None:
                    self._books.unknown.add(key)
                for books in (tally, tally.models.setdefault(self.fingerprint, CallTally())):
                    if reply is None and key in self._waiting:
                        books.waiting += 1
                    else:
                        books.add(request, reply)
            self._books.whole &= key not in self._books.unknown
            if progress is not None:
                progress.advance()
        return []


class _Unsent:
    """The tools of a recipe, but for its models: those only count."""

    def __init__(self, tools: Tools, books: _Books) -> None:
        self._books = books
        self.base, self.model_of, self.player, self.judge = tools.base, tools.model_of, tools.player, tools.judge
        self.readers, self.screens, self.loss, self.agent = tools.readers, tools.screens, tools.loss, tools.agent
        self._chat = tools.chat

    def chat(self, settings: ModelSettings) -> Remembered:
        return _Counted(self._chat(settings), self._books)


class _Done(NamedTuple):
    """A stage that was gone through: what was seen, and the requests that came first in it."""

    seen: StageForecast
    keys: set[bytes]


@dataclass
class _Aside(Workshop):
    """A workshop that finds what is sealed, reads files, makes the rest in a temporary store, and stops before a student."""

    aside: Store = field(kw_only=True)
    books: _Books = field(kw_only=True)
    gone_through: dict[Path, _Done] = field(kw_only=True)
    """By the artifact, of earlier recipes too."""
    seen: dict[str, StageForecast] = field(kw_only=True, default_factory=dict)

    def stage(self, stage: Stage[S, P], settings: S, *inputs: P.args, **named: P.kwargs) -> Artifact:
        if stage.name not in READ | ASKED:
            raise _Enough
        tally = self.books.begin(stage.name)  # one for each label: a recipe may have several agents of its own
        sealed = None
        if stage.name in READ:
            made = super().stage(stage, settings, *inputs, **named)
            if not made.reused:
                self.store.ahead.add(made.path.name)
        elif (sealed := self.sealed(stage, settings, *inputs, **named)) is None:
            made = self._made_aside(stage, settings, *inputs, **named)
        else:
            made, tally.known = sealed, int(sealed.balance["asked"])
        if (done := self.gone_through.get(made.path)) is None:
            here = made.path.parent == self.store.artifacts
            first = [made] if stage.name in READ else inputs[0] if isinstance(inputs[0], list) else [inputs[0]]
            parts = [x for x in first if isinstance(x, Artifact)]
            seen = _seen(stage.label, made, parts, tally, sealed=here)
            for rung in made.said(TeachFacts).rungs if stage.name == "teach" else ():
                seen.rungs.append(
                    tally.models.get(rung.model, CallTally()) if sealed is None else CallTally(known=rung.calls)
                )
            done = self.gone_through[made.path] = _Done(seen, self.books.keys[stage.name])
        self.books.keys[stage.name] = done.keys
        self.seen[stage.label] = done.seen
        return made

    def _made_aside(self, stage: Stage[S, P], settings: S, *inputs: P.args, **named: P.kwargs) -> Artifact:
        """Make a stage in the temporary store; it is moved out of there where all that it is made of is known."""
        real, self.store = self.store, self.aside
        try:
            made = super().stage(stage, settings, *inputs, **named)
        finally:
            self.store = real
        known = [x for x in identified([*inputs, *named.values()]) if isinstance(x, Artifact)]
        whole = self.books.whole and not made.reused and all(x.path.parent == real.artifacts for x in known)
        return move_in(made, real) if whole else made


def _seen(label: str, made: Artifact, parts: Iterable[Artifact], tally: CallTally, *, sealed: bool) -> StageForecast:
    questions = [_size(question) for part in parts for (question,) in part.columns(Problem, "question")]
    lessons = [(_size(question), _size(answer)) for question, answer in made.columns(Lesson, "question", "answer")]
    n_out = next((made.count(t) for t in ("lessons", "exercises", "problems") if made.has(t)), 0)
    size, answer = _mean(questions or [q for q, _ in lessons]), _mean([a for _, a in lessons])
    return StageForecast(label, sealed, len(questions), n_out, size, answer, tally, artifact=made.path.name)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _mean(sizes: Sequence[int]) -> float:
    return sum(sizes) / len(sizes) if sizes else 0.0


@contextmanager
def rehearsal(store: Store, tools: Tools, progress: Progress) -> Iterator[Callable[[Recipe], dict[str, StageForecast]]]:
    """Provide a function that rehearses recipes without sending anything; a stage that several share is made once.

    It returns a recipe's stages, by label, up to the lessons. Files are read, and sealed stages are left alone. Raises what
    reading a recipe's files raises (RecipeError, DataError).
    """
    with (
        tempfile.TemporaryDirectory(dir=store.scratch, prefix="plan-") as folder,
        wait_for(Path(folder) / ".lock", "plan"),
    ):
        aside, gone_through = Store(Path(folder) / "store"), dict[Path, _Done]()

        def rehearse(recipe: Recipe) -> dict[str, StageForecast]:
            books = _Books()
            unsent = _Unsent(tools, books)
            shop = _Aside(store, None, unsent, progress, aside=aside, books=books, gone_through=gone_through)
            with suppress(
                _Enough, TooManyRejects
            ):  # of what is remembered no lesson may be left, and more is to be asked
                run(recipe, shop)
            return shop.seen

        yield rehearse
