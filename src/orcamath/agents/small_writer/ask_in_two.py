"""Ask-Me-Anything in two calls: one tells the answer, one asks for all numbers of the statement (`calls: two`).

For writers that write whole problems well but lose the answer where they are to do everything at once. The statement is
checked before anything is asked about it, so that the second call never starts from a wrong one.

Deviation: the paper asks for statement and questions in one reply (section 2.2).
"""

from collections.abc import Callable, Iterable, Iterator

from pydantic import PositiveInt

from orcamath.agents.driver import CallSettings, write
from orcamath.agents.hidden_numbers import wording_asked
from orcamath.agents.replies import failed, said, tagged
from orcamath.agents.small_writer.ask_each import StatementSettings, Told, targets, tell
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Output
from orcamath.store.ledger import Remembered

__all__ = ["Questioner", "QuestionsSettings", "ask_in_two"]


class QuestionsSettings(CallSettings):
    """Settings of the call that asks for all numbers of a statement."""

    PROMPT = "ask_questions"
    max_new_tokens: PositiveInt = 1024


class Questioner:
    """The agent: one call a statement, one problem a number."""

    name = "ask_questions"

    def __init__(self, settings: QuestionsSettings, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    def request(self, item: Told, draw: int) -> Request:
        """Ask for targets and questions."""
        listed = "\n".join(target.gap.quantity.text for target in targets(item))
        values = {"statement": block("statement", item.statement), "numbers": block("numbers", listed)}
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Told) -> Iterable[Problem | Rejected] | Rejected:
        """Return a problem for every number that was hidden well, a Rejected for every other target."""
        words = said(reply)
        pieces = tagged(words.text, "target", "question")
        if not any(p.tag == "question" for p in pieces):
            return failed(item.id, words, reply)
        return wording_asked(pieces, words, item.seed, item.statement)


def ask_in_two(
    out: Output,
    statement: StatementSettings,
    questions: QuestionsSettings,
    seeds: Callable[[], Iterable[Problem]],
    n_seeds: int,
    writer: Remembered,
) -> None:
    """Write the problems that come of the seeds in two passes: all statements, then all questions about each."""
    told = tell(out, statement, seeds, n_seeds, writer)
    n_told = sum(any(True for _ in targets(one)) for one in told(out))  # the books are kept in this pass only

    def with_numbers() -> Iterator[Told]:
        return (one for one in told(None) if any(True for _ in targets(one)))

    write(Questioner(questions, questions.loaded()), with_numbers, writer, out, tries=questions.tries, total=n_told)
