"""What a recipe will cost before it is run: calls, tokens, dollars, hours and disk of every stage, as a range.

In: the recipe, its seeds, and the ledger. What is already remembered is counted exactly, by asking the ledger for the very
calls the stage would make, and it calibrates the rest: tokens a byte, tokens an answer, problems a seed. Where nothing is
remembered, the range is wide: prompts at 3 to 4.5 bytes a token, answers as in `ANSWER_TOKENS`, growth around the paper's own
(section 2: 120,445 Ask-Me-Anything problems and 37,157 edited ones out of 36,217 seeds).

Left out: calls to a judge model and the student's own samples, which depend on students not yet trained, are estimated
from counts only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from orcamath.agents import ask_me_anything, solver, suggester
from orcamath.agents.driver import examine
from orcamath.ports import Reply, Request
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem, Rejected
from orcamath.settings import ModelSettings
from orcamath.store.budget import Price

__all__ = ["Asked", "Plan", "Range", "StagePlan", "Training", "asks_first", "plan", "training"]

BYTES_A_TOKEN = (3.0, 4.5)
ANSWER_TOKENS = {"ask": (300, 900), "suggest": (40, 200), "edit": (60, 250), "teach": (120, 450), "judge": (40, 150)}
SECONDS_A_CALL = (3.0, 20.0)
ASK_GROWTH = (2.5, 4.5)  # paper: 3.33 a seed
EDIT_GROWTH = (0.4, 1.0)  # a round; paper: 1.03 in two
ENOUGH = 20
"""Remembered calls of a stage from which its own figures are trusted, ± 15 %."""
CALL_BYTES, SAMPLE_BYTES = (500, 3000), (300, 1000)
REPAY_SHARE = 0.05


class Range(NamedTuple):
    """From the least to the most that is expected."""

    low: float
    high: float

    def times(self, other: "Range") -> "Range":
        """Return the product, end by end."""
        return Range(self.low * other.low, self.high * other.high)

    def plus(self, other: "Range") -> "Range":
        """Return the sum, end by end."""
        return Range(self.low + other.low, self.high + other.high)


class StagePlan(NamedTuple):
    """One stage. Tokens, dollars and hours are those still to pay."""

    stage: str
    model: str
    calls: Range
    remembered: int
    to_pay: Range
    prompt_tokens: Range
    completion_tokens: Range
    usd: Range
    hours: Range
    disk_mb: Range


class Plan(NamedTuple):
    """All stages of a recipe."""

    stages: tuple[StagePlan, ...]

    @property
    def usd(self) -> Range:
        """Dollars still to pay, of all stages."""
        return Range(sum(s.usd.low for s in self.stages), sum(s.usd.high for s in self.stages))

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"stages": [s._asdict() for s in self.stages], "usd": self.usd}


class Asked(Protocol):
    """A model with its memory: `store.ledger.Remembered` is one."""

    def reply(self, request: Request) -> Reply | None:
        """Return the remembered reply, or None."""
        ...


@dataclass
class _Tally:
    """What is known of one stage's calls."""

    known: int = 0
    unknown: int = 0
    unknown_bytes: int = 0
    known_bytes: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    made: int = 0

    def add(self, request: Request, reply: Reply | None) -> None:
        size = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages)
        if reply is None:
            self.unknown += 1
            self.unknown_bytes += size
        else:
            self.known += 1
            self.known_bytes += size
            self.prompt_tokens += reply.usage.prompt_tokens
            self.completion_tokens += reply.usage.completion_tokens

    def per_byte(self) -> Range:
        """Tokens a byte of prompt."""
        if self.known >= ENOUGH and self.prompt_tokens:
            return _around(self.prompt_tokens / self.known_bytes)
        return Range(1 / BYTES_A_TOKEN[1], 1 / BYTES_A_TOKEN[0])

    def per_answer(self, kind: str) -> Range:
        """Tokens an answer."""
        if self.known >= ENOUGH and self.completion_tokens:
            return _around(self.completion_tokens / self.known)
        return Range(*ANSWER_TOKENS[kind])

    def growth(self, default: tuple[float, float]) -> Range:
        """Results a call."""
        return _around(self.made / self.known) if self.known >= ENOUGH else Range(*default)

    def bytes_a_call(self) -> float:
        return (self.unknown_bytes + self.known_bytes) / max(self.unknown + self.known, 1)


def _around(value: float) -> Range:
    return Range(value * 0.85, value * 1.15)


def plan(
    recipe: Recipe,
    seeds: Callable[[], Iterable[Problem]],
    open_model: Callable[[ModelSettings], Asked],
    price_of: Callable[[ModelSettings], Price],
) -> Plan:
    """Return what every stage with model calls will still cost. `seeds()` starts over from the first seed.

    Raises RecipeError where a price is not known.
    """
    writer_settings = recipe.writer or recipe.teacher
    writer, teacher = open_model(writer_settings), open_model(recipe.teacher)
    n_seeds = sum(1 for _ in seeds())
    problems, stages = Range(n_seeds, n_seeds), []
    if recipe.ask_me_anything is not None:
        asked = _walk(ask_me_anything.make(recipe.ask_me_anything), seeds(), writer)
        stages.append(_stage("ask", "ask", asked, Range(0, 0), writer_settings, price_of))
        problems = problems.plus(asked.growth(ASK_GROWTH).times(Range(n_seeds, n_seeds)))
    if recipe.suggester_editor is not None:
        more, made = _edits(recipe, seeds, writer, writer_settings, price_of, n_seeds)
        stages += more
        problems = problems.plus(made)
    solved = _walk(solver.make(recipe.teach), (solver.Posed(p, 0, recipe.teach.solutions) for p in seeds()), teacher)
    limit = recipe.teach.max_problems
    taught = Range(*(min(x, limit) for x in problems)) if limit is not None else problems
    calls = taught.times(Range(recipe.teach.solutions, recipe.teach.solutions))
    solved = _scaled(solved, min(1.0, calls.low / max(n_seeds, 1)))
    rest = Range(*(max(x - solved.known - solved.unknown, 0) for x in calls))
    stages.append(_stage("teach", "teach", solved, rest, recipe.teacher, price_of))
    if recipe.judge_model is not None:
        attempts = sum(
            min(taught.high, i.practice.max_problems or taught.high) * i.practice.samples for i in recipe.iterations
        )
        judged = Range(0.0, attempts)  # rules decide most where the judge is a cascade
        stages.append(_stage("judge", "judge", _Tally(), judged, recipe.judge_model, price_of))
    return Plan(tuple(stages))


def _walk(agent: Any, items: Iterable[Any], model: Asked) -> _Tally:
    """Go through the calls of one agent: known or not, how long, and what came of the known."""
    tally = _Tally()
    for item in items:
        request = agent.request(item, 0)
        reply = model.reply(request)
        tally.add(request, reply)
        if reply is not None:
            parsed = examine(agent, reply, item)
            tally.made += 0 if isinstance(parsed, Rejected) else sum(not isinstance(made, Rejected) for made in parsed)
    return tally


def _edits(
    recipe: Recipe,
    seeds: Callable[[], Iterable[Problem]],
    writer: Asked,
    settings: ModelSettings,
    price_of: Callable[[ModelSettings], Price],
    n_seeds: int,
) -> tuple[list[StagePlan], Range]:
    """Two calls a problem and round; every round starts from what the one before made."""
    assert recipe.suggester_editor is not None
    first = _walk(suggester.make(recipe.suggester_editor.suggester), seeds(), writer)
    calls, made, before = Range(0, 0), Range(0, 0), Range(n_seeds, n_seeds)
    for n in range(recipe.suggester_editor.rounds):
        if n:
            calls = calls.plus(before)
        before = before.times(Range(*EDIT_GROWTH))
        made = made.plus(before)
    edits = Range(n_seeds, n_seeds).plus(calls)
    length = _Tally(known_bytes=int(first.bytes_a_call() * 1.3))  # counts no call itself
    return [
        _stage("suggest", "suggest", first, calls, settings, price_of),
        _stage("edit", "edit", length, edits, settings, price_of),
    ], made


def _scaled(tally: _Tally, share: float) -> _Tally:
    """Return a tally of a part of the calls (where not every problem is taught)."""
    if share >= 1:
        return tally
    parts = {name: int(getattr(tally, name) * share) for name in ("known", "unknown", "unknown_bytes", "known_bytes")}
    tokens = {name: int(getattr(tally, name) * share) for name in ("prompt_tokens", "completion_tokens")}
    return _Tally(**parts, **tokens)


def _stage(
    stage: str,
    kind: str,
    tally: _Tally,
    more: Range,
    settings: ModelSettings,
    price_of: Callable[[ModelSettings], Price],
) -> StagePlan:
    """Put a stage together: the calls looked up, and `more` that can only be counted."""
    price, length = price_of(settings), tally.bytes_a_call() or 2000.0
    to_pay = Range(tally.unknown + more.low, tally.unknown + more.high)
    n_bytes = Range(tally.unknown_bytes + more.low * length, tally.unknown_bytes + more.high * length)
    n_in, n_out = n_bytes.times(tally.per_byte()), to_pay.times(tally.per_answer(kind))
    usd = Range(*((i * price.prompt + o * price.completion) / 1e6 for i, o in zip(n_in, n_out, strict=True)))
    per_minute = settings.options.get("requests_per_minute")
    pace = [s / settings.concurrency for s in SECONDS_A_CALL]
    if per_minute:
        pace = [max(p, 60 / per_minute) for p in pace]
    return StagePlan(
        stage, settings.model or settings.backend, Range(tally.known, tally.known).plus(to_pay), tally.known, to_pay, n_in,
        n_out, usd, Range(*(c * p / 3600 for c, p in zip(to_pay, pace, strict=True))),
        Range(*(c * b / 1e6 for c, b in zip(to_pay, CALL_BYTES, strict=True))),
    )  # fmt: skip


def asks_first(now: Plan, spent_before_usd: float, cap_usd: float | None) -> bool:
    """Tell whether going on would pay again for what an earlier run of this recipe paid for, by more than 5 % of the cap.

    That is what an edited prompt does: its calls have new keys, so nothing that was paid for is found.
    """
    if cap_usd is None or not spent_before_usd:
        return False
    return min(spent_before_usd, now.usd.high) > REPAY_SHARE * cap_usd


class Training(NamedTuple):
    """What one pass of training needs."""

    memory_gb: float
    gpu_hours: Range


def training(
    n_params: float, n_tokens: float, *, lora_share: float | None = None, reference: bool = False, tflops: float = 400.0
) -> Training:
    """Estimate memory and time of training `n_params` on `n_tokens` tokens in bfloat16 with AdamW.

    Memory: weights 2 bytes, and for what is trained gradient 2 + master copy 4 + moments 8; a quarter more for activations.
    Time: 6 FLOPs a parameter and token (Kaplan et al. 2020, section 2.1), 2 more where a reference model reads along, at 25 to
    50 % of `tflops`.
    """
    trained = n_params * (1.0 if lora_share is None else lora_share)
    memory = (n_params * 2 * (2 if reference and lora_share is None else 1) + trained * 14) * 1.25 / 1e9
    flops = (8 if reference else 6) * n_params * n_tokens
    return Training(memory, Range(*(flops / (tflops * 1e12 * share) / 3600 for share in (0.5, 0.25))))
