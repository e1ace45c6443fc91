"""Ask-Me-Anything: many problems out of one, by hiding each of its numbers in turn (paper, section 2.2).

In: a seed with its answer. The model writes a statement that contains the answer, then for every number of it a target
and a question. The hidden number is a known answer for free, provided that nothing else was lost: both are checked here.
The last target restates the seed and is dropped every time.

Deviation: the paper takes over what the agent writes; here a statement that lost or changed a number rejects the reply,
and a question that lost a number or still shows the hidden one is rejected by itself.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import PositiveInt

from orcamath.agents.driver import CallSettings
from orcamath.agents.hidden_numbers import answer_value, as_told, change_of, short_answer, wording_asked
from orcamath.agents.replies import failed, said, tagged
from orcamath.agents.small_writer.ask_each import QuestionSettings, StatementSettings
from orcamath.agents.small_writer.ask_in_two import QuestionsSettings
from orcamath.agents.wellformed import counts_something
from orcamath.answers.numbers import quantities
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import Problem, Rejected

__all__ = ["AskMeAnything", "AskSettings", "make"]


class AskSettings(CallSettings):
    """Settings of Ask-Me-Anything."""

    PROMPT = "ask_me_anything"
    max_new_tokens: PositiveInt = 2048
    calls: Literal["one", "two", "each"] = "one"
    """`one` call a seed, as in the paper; `two`: the statement, then all questions; `each`: the statement, then every question
    by itself. `writer_size` chooses."""
    statement: StatementSettings = StatementSettings()
    """The first call where `calls` is `two` or `each`."""
    questions: QuestionsSettings = QuestionsSettings()
    """The second call where `calls` is `two`."""
    question: QuestionSettings = QuestionSettings()
    """The other calls where `calls` is `each`."""

    def contents(self) -> list[str]:
        """Return the hashes of the prompts that are used, which enter the digest of the stage."""
        if self.calls == "one":
            return super().contents()
        then = self.questions if self.calls == "two" else self.question
        return [*self.statement.contents(), *then.contents()]


class AskMeAnything:
    """The agent: one call a seed, one problem a number."""

    name = "ask_me_anything"

    def __init__(self, settings: AskSettings, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    def request(self, item: Problem, draw: int) -> Request:
        """Ask for statement, targets and questions."""
        answer = (item.solution if item.answer is None else short_answer(item)) or ""
        listed = [q.text for q in quantities(item.question) if counts_something(q)] + [short_answer(item) or ""]
        values = {
            "problem": block("problem", item.question),
            "answer": block("answer", answer),
            "numbers": block("numbers", "\n".join(listed)),
        }
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Problem) -> Iterable[Problem | Rejected] | Rejected:
        """Return a problem for every number that was hidden well, a Rejected for every other target."""
        words = said(reply)
        pieces = tagged(words.text, "statement", "target", "question")
        statement = next((p.text for p in pieces if p.tag == "statement" and p.whole), None)
        if statement is None or not any(p.tag == "question" for p in pieces):
            return failed(item.id, words, reply)
        if wrong := change_of(statement, item, as_told(answer_value(item), statement)):
            return Rejected(item=item.id, reason=wrong[0], detail=wrong[1], text=reply.text)
        return wording_asked(pieces, words, item, statement)


def make(settings: AskSettings) -> AskMeAnything:
    """Build the agent with its prompt."""
    return AskMeAnything(settings, settings.loaded())
