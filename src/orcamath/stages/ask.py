"""Stage `ask`: the problems that Ask-Me-Anything makes of the seeds (paper, section 2.2).

In: seeds. Out: `problems`, one for every number that could be hidden and asked for. How a reply is asked for and read is the
agent's business: `agents.ask_me_anything`, or `agents.small_writer` for writers too small for the whole at once.

Deviation: seeds without a number and a numeric answer are left out, with a message.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import compress

from orcamath.agents.ask_me_anything import AskSettings, make
from orcamath.agents.driver import write
from orcamath.agents.few_kept import with_few_told
from orcamath.agents.hidden_numbers import answer_value, short_answer
from orcamath.agents.small_writer.ask_each import ask_each
from orcamath.agents.small_writer.ask_in_two import ask_in_two
from orcamath.agents.wellformed import numbers
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage

__all__ = ["AskFacts", "AskSettings", "ask"]


class AskFacts(Facts):
    """What could be asked."""

    seeds: int = 0
    message: str | None = None
    """What to know where nothing could be asked at all."""
    targets: int | None = None
    """Numbers that were asked for one by one; None where whole replies hold all of a seed's."""


@stage("ask", version=10, settings=AskSettings, facts=AskFacts)
def ask(out: Output, settings: AskSettings, seeds: Artifact, writer: Remembered) -> AskFacts:
    """Write the problems that Ask-Me-Anything makes of the seeds."""
    unfit, fits = Counter[str](), bytearray()
    for seed in seeds.read(Problem):
        reason = _unfit(seed)
        fits.append(reason is None)
        if reason is not None:
            unfit[reason] += 1
            out.reject(Rejected(item=seed.id, reason=reason))
    n = seeds.count("problems")
    off = "Ask-Me-Anything is off: it hides numbers, and no seed has both a number and a numeric answer"
    facts = AskFacts(seeds=n, message=off) if unfit.total() == n else AskFacts(seeds=n)

    def fit() -> Iterable[Problem]:
        return compress(seeds.read(Problem), fits)

    n_fit = n - unfit.total()
    if settings.calls == "each":
        n_targets = ask_each(out, settings.statement, settings.question, fit, n_fit, writer)
        return with_few_told(facts.model_copy(update={"targets": n_targets}), out)
    if settings.calls == "two":
        ask_in_two(out, settings.statement, settings.questions, fit, n_fit, writer)
    else:
        write(make(settings), fit, writer, out, tries=settings.tries, total=n_fit)
    return with_few_told(facts, out)


def _unfit(seed: Problem) -> str | None:
    if seed.answer_kind not in ("number", "choice"):
        return "answer_is_no_number"
    if not numbers(seed.question):
        return "no_number_in_problem"
    if short_answer(seed) is None:
        return "no_answer_known"
    return "answer_is_no_number" if answer_value(seed) is None else None
