"""Stage `ask`: the problems that Ask-Me-Anything makes of the seeds (paper, section 2.2).

In: seeds. Out: `problems`, one for every number that could be hidden and asked for. How a reply is asked for and read is the
agent's business: `agents.ask_me_anything`, or `agents.small_writer.ask_each` for writers too small for the whole at once.

Deviation: seeds without a number and a numeric answer are left out, with a message.
"""

from collections import Counter
from collections.abc import Iterable

from orcamath.agents.ask_me_anything import AskSettings, make
from orcamath.agents.driver import write
from orcamath.agents.hidden_numbers import answer_value, short_answer
from orcamath.agents.small_writer.ask_each import ask_each
from orcamath.agents.wellformed import numbers
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage

__all__ = ["AskSettings", "ask"]


@stage("ask", version=4, settings=AskSettings)
def ask(out: Output, settings: AskSettings, seeds: Artifact, writer: Remembered) -> None:
    """Write the problems that Ask-Me-Anything makes of the seeds."""
    unfit = Counter[str]()
    for seed in seeds.read(Problem):
        if reason := _unfit(seed):
            unfit[reason] += 1
            out.reject(Rejected(item=seed.id, reason=reason))
    out.facts["seeds"] = seeds.count("problems")
    if unfit.total() == seeds.count("problems"):
        out.facts["message"] = (
            "Ask-Me-Anything is off: it hides numbers, and no seed has both a number and a numeric answer"
        )

    def fit() -> Iterable[Problem]:
        return (seed for seed in seeds.read(Problem) if not _unfit(seed))

    n_fit = seeds.count("problems") - unfit.total()
    if settings.calls == "each":
        ask_each(out, settings.statement, settings.question, fit, n_fit, writer)
    else:
        write(make(settings), fit, writer, out, tries=settings.tries, total=n_fit)


def _unfit(seed: Problem) -> str | None:
    if seed.answer_kind not in ("number", "choice"):
        return "answer_is_no_number"
    if not numbers(seed.question):
        return "no_number_in_problem"
    if short_answer(seed) is None:
        return "no_answer_known"
    return "answer_is_no_number" if answer_value(seed) is None else None
