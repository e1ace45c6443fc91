"""Finds the size of a writer by at most 20 calls: `orcamath doctor RECIPE --writer`.

In: a model, and how Ask-Me-Anything calls it. Out: a trial for each size, from `large` down to the first that keeps enough. Four
problems of our own are the seeds, so that no data is needed: 4 calls for `large`, 4 statements and 4 more calls for
`medium`, and 8 for `small`, which asks for two numbers of each statement and takes the statements over.

What is kept is what the rules let through. They look at form: whether a problem is well-posed is for a reader, so the trials
carry the problems.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from orcamath.agents import ask_me_anything
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.driver import Agent, Item, examine
from orcamath.agents.small_writer.ask_each import Asker, Target, Teller, Told, targets
from orcamath.agents.small_writer.ask_in_two import Questioner
from orcamath.agents.writer_size import WriterSize
from orcamath.ports import Chat
from orcamath.records import Problem, Rejected

__all__ = ["ENOUGH", "Trial", "pilot"]

ENOUGH = 0.5
"""A size fits where at least this share of the numbers becomes problems."""
NUMBERS_A_SEED = 2
"""Numbers of a statement that `small` is tried on."""
SEEDS = tuple(
    Problem.make(question, "seed", "pilot", answer=answer, answer_from="gold")
    for question, answer in (
        ("A bakery bakes 36 rolls an hour and works 4 hours a day. How many rolls does it bake in a day?", "144"),
        ("Ida had 50 beads. She lost 8 of them and gave half of the rest to Tom. How many beads has Ida left?", "21"),
        (
            "Two pens cost $3 each and a book costs $6. Uwe pays with a $20 note. How many dollars does he get back?",
            "8",
        ),
        (
            "A tank holds 90 litres. 40% of it is used, then 12 litres are filled in. How many litres are in it now?",
            "66",
        ),
    )
)

In = TypeVar("In", bound=Item)
Made = TypeVar("Made")


class Trial(NamedTuple):
    """What a writer made of the seeds in one way of asking."""

    size: WriterSize
    n_calls: int
    n_numbers: int
    """Numbers that could have become problems."""
    kept: tuple[Problem, ...]
    lost: Counter[str]
    """Reasons of what was not kept, of calls and of results."""

    @property
    def enough(self) -> bool:
        """Whether this way fits the writer."""
        return len(self.kept) >= ENOUGH * self.n_numbers


def pilot(chat: Chat, settings: AskSettings) -> Iterator[Trial]:
    """Try the sizes from the largest down, and end with the first that fits. Nothing is remembered."""
    lost = Counter[str]()
    kept = _asked(ask_me_anything.make(settings), SEEDS, chat, lost)
    n_numbers = sum(len(list(targets(Told(seed, seed.question, 0)))) for seed in SEEDS)
    yield (trial := Trial("large", len(SEEDS), n_numbers, tuple(kept), lost))
    if trial.enough:
        return
    lost_statements = Counter[str]()
    told = _asked(Teller(settings.statement, settings.statement.loaded()), SEEDS, chat, lost_statements)
    lost = Counter(lost_statements)
    kept = _asked(Questioner(settings.questions, settings.questions.loaded()), told, chat, lost)
    yield (trial := Trial("medium", len(SEEDS) + len(told), n_numbers, tuple(kept), lost))
    if trial.enough:
        return
    few: list[Target] = [
        t for one in told for t in islice((t for t in targets(one) if t.story is not None), NUMBERS_A_SEED)
    ]
    lost = Counter(lost_statements)
    kept = _asked(Asker(settings.question, settings.question.loaded()), few, chat, lost)
    yield Trial("small", len(few), NUMBERS_A_SEED * len(SEEDS), tuple(kept), lost)


def _asked(agent: Agent[In, Made], items: Sequence[In], chat: Chat, lost: Counter[str]) -> list[Made]:
    """Put one call for each item and return what can be used of the replies; counts in `lost` why not."""
    by_key = {request.key(chat.fingerprint): item for item in items for request in [agent.request(item, 0)]}
    made: list[Made] = []
    for reply in chat([agent.request(item, 0) for item in items]):
        if reply.error is not None:
            lost["no_reply"] += 1
            continue
        found = examine(agent, reply, by_key[reply.key])
        for one in [found] if isinstance(found, Rejected) else found:
            if isinstance(one, Rejected):
                lost[one.reason] += 1
            else:
                made.append(one)
    return made
