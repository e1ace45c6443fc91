"""What the calls of one stage will come to: exact where they were rehearsed, a range beyond that.

Where nothing is remembered the range is wide: prompts at 3 to 4.5 bytes a token, answers as in `ANSWER_TOKENS`, growth around
the paper's own (section 2: 120,445 Ask-Me-Anything problems and 37,157 edited ones out of 36,217 seeds). From `ENOUGH`
remembered items on, a stage's own figures take their place, ± 15 %.
"""

from typing import NamedTuple

from orcamath.agents.ask_me_anything import AskSettings
from orcamath.extend import code_of
from orcamath.plan.ranges import Range, around
from orcamath.plan.rehearsal import CallTally, StageForecast
from orcamath.plan.sizes import ModelSize, size_by_name
from orcamath.recipe_settings import Recipe
from orcamath.settings import ModelSettings
from orcamath.store.prices import PAID_BACKENDS, is_unpriced, price_of
from orcamath.store.stage import StageLabel

__all__ = ["StagePlan", "follow_ups", "growth_of", "longest_of_asking", "put_together"]

BYTES_A_TOKEN = Range(3.0, 4.5)
ANSWER_TOKENS = {
    "ask": Range(300, 900),
    "ask_two": Range(80, 450),
    "ask_each": Range(10, 40),
    "edit": Range(50, 250),
    "agent": Range(50, 450),
    "teach": Range(120, 450),
    "judge": Range(40, 150),
    "confirm": Range(120, 450),
    "reask": Range(120, 450),
}
ASKING = {"one": "ask", "two": "ask_two", "each": "ask_each"}
"""Ask-Me-Anything's `calls` → the key of ANSWER_TOKENS; for two calls the mean of both."""
NUMBERS_A_STATEMENT = Range(2.0, 6.0)
FURTHER_CALLS = {"one": Range(0, 0), "two": Range(1, 1), "each": NUMBERS_A_STATEMENT}
"""How Ask-Me-Anything calls → calls a seed after the first."""
SECONDS_A_CALL = Range(3.0, 20.0)
ASK_GROWTH = Range(2.5, 4.5)  # problems a seed; paper: 3.33
AGENT_GROWTH = Range(0.5, 3.0)  # problems a seed, of an agent of one's own
EDIT_GROWTH = Range(0.4, 1.0)  # problems a seed and round; paper: 1.03 in two
A_NUMBER_GROWTH = Range(0.3, 1.0)  # problems a number, asked for by itself
ENOUGH = 20
CALL_BYTES = Range(500, 3000)


class StagePlan(NamedTuple):
    """One stage with model calls. Tokens, dollars, hours and disk are those still to pay."""

    arm: str
    stage: str
    model: str
    calls: Range
    remembered: int
    remembered_usd: float
    """What the remembered calls cost when they were made."""
    to_pay: Range
    prompt_tokens: Range
    completion_tokens: Range
    usd: Range
    hours: Range
    disk_mb: Range
    waiting: int = 0
    """Calls that lie in a provider's batch: paid for, not here yet; not among those to pay."""
    rehearsed: bool = True
    """Whether `remembered` was looked up; False for stages whose calls depend on students not yet trained."""
    own: ModelSize | None = None
    """Of a model on a server of one's own, as far as its name tells: what it costs is GPU hours."""


def growth_of(seen: StageForecast, recipe: Recipe) -> Range:
    """Return how many problems an agents' stage will have made in the end. A call not remembered is an item not yet done."""
    missing = seen.calls.unknown + seen.calls.waiting
    done = seen.n_in - missing
    if seen.sealed or not missing:
        return Range(seen.n_out, seen.n_out)
    if done >= ENOUGH:
        rate = around(seen.n_out / done)
    elif StageLabel.read(seen.label).name == "agent":
        rate = AGENT_GROWTH
    elif seen.label == "edit":
        rate = _sum_of_rounds(recipe, first=1)
    elif _not_begun(seen) or (recipe.ask_me_anything is not None and recipe.ask_me_anything.calls == "two"):
        rate = ASK_GROWTH
    else:  # a call for each number, and the statements are there
        rate = A_NUMBER_GROWTH
    return rate.times(missing).plus(seen.n_out)


def follow_ups(seen: StageForecast, recipe: Recipe) -> Range:
    """Return the calls that come after the unknown ones: an editor after its suggester, a second round after a first, the
    questions about a statement."""
    if seen.sealed:
        return Range(0, 0)
    if seen.label == "edit":
        calls = _sum_of_rounds(recipe, first=0).times(2)
        return Range(calls.low - 1, calls.high - 1).times(seen.calls.unknown + seen.calls.waiting)
    if seen.label == "ask" and recipe.ask_me_anything is not None:
        return FURTHER_CALLS[recipe.ask_me_anything.calls].times(_not_begun(seen))
    return Range(0, 0)


def longest_of_asking(settings: AskSettings) -> int:
    """Return the most tokens that one of Ask-Me-Anything's answers may have."""
    if settings.calls == "one":
        return settings.max_new_tokens
    then = settings.questions if settings.calls == "two" else settings.question
    return max(settings.statement.max_new_tokens, then.max_new_tokens)


def _not_begun(seen: StageForecast) -> int:
    """Return how many items have not even their first call."""
    return min(max(seen.n_in - seen.calls.known, 0), seen.calls.unknown + seen.calls.waiting)


def _sum_of_rounds(recipe: Recipe, first: int) -> Range:
    """Sum the growth to the power of n over rounds: from 0 what the rounds work on, from 1 what they make."""
    assert recipe.suggester_editor is not None
    powers = range(first, recipe.suggester_editor.rounds + first)
    return Range(sum(EDIT_GROWTH.low**n for n in powers), sum(EDIT_GROWTH.high**n for n in powers))


def put_together(
    arm: str,
    stage: str,
    tally: CallTally,
    more: Range,
    settings: ModelSettings,
    *,
    longest: int,
    rehearsed: bool,
    kind: str | None = None,
) -> StagePlan:
    """Put a stage together: the calls looked up, and `more` that can only be counted. Raises RecipeError as `price_of` does.

    `longest`: most tokens of an answer (`max_new_tokens`). `kind`: whose usual answers, where not the stage's own.
    """
    price = price_of(settings)
    length = (tally.known_bytes + tally.unknown_bytes) / max(tally.known + tally.unknown, 1) or 2000.0
    to_pay = more.plus(tally.unknown)
    n_bytes = more.times(length).plus(tally.unknown_bytes)
    n_in = n_bytes.times(_tokens_a_byte(tally))
    n_out = to_pay.times(_tokens_an_answer(tally, kind or stage).at_most(longest))
    usd = Range(*((i * price.prompt + o * price.completion) / 1e6 for i, o in zip(n_in, n_out, strict=True)))
    known_usd = (tally.prompt_tokens * price.prompt + tally.completion_tokens * price.completion) / 1e6
    calls = to_pay.plus(tally.known + tally.waiting)
    return StagePlan(
        arm=arm,
        stage=stage,
        model=settings.model or settings.backend,
        calls=calls,
        remembered=tally.known,
        remembered_usd=known_usd,
        to_pay=to_pay,
        prompt_tokens=n_in,
        completion_tokens=n_out,
        usd=usd,
        hours=to_pay.times(_hours_a_call(settings)),
        disk_mb=to_pay.times(CALL_BYTES).times(1e-6),
        waiting=tally.waiting,
        rehearsed=rehearsed,
        own=size_by_name(settings.model) if is_unpriced(settings) else None,
    )


def _tokens_a_byte(tally: CallTally) -> Range:
    if tally.known >= ENOUGH and tally.prompt_tokens:
        return around(tally.prompt_tokens / tally.known_bytes)
    return Range(1 / BYTES_A_TOKEN.high, 1 / BYTES_A_TOKEN.low)


def _tokens_an_answer(tally: CallTally, stage: str) -> Range:
    if tally.known >= ENOUGH and tally.completion_tokens:
        return around(tally.completion_tokens / tally.known)
    return ANSWER_TOKENS[stage]


def _hours_a_call(settings: ModelSettings) -> Range:
    """Wall time a call, at the recipe's concurrency; a local model answers one batch after the other."""
    local = settings.backend == "transformers_local"
    if not local and settings.backend not in PAID_BACKENDS and code_of("backend", settings.backend) is None:
        return Range(0, 0)  # of ours, what is no service and no model answers at once
    at_once = 1 if local else settings.concurrency
    seconds = SECONDS_A_CALL.times(1 / at_once)
    per_minute = settings.options.get("requests_per_minute")
    if per_minute:
        seconds = Range(*(max(s, 60 / per_minute) for s in seconds))
    return seconds.times(1 / 3600)
