"""Ask-Me-Anything: many problems out of one, by hiding each of its numbers in turn (paper, section 2.2).

In: a seed with its answer. The model writes a statement that contains the answer, then for every number of it a target
and a question. The hidden number is a known answer for free, provided that nothing else was lost: both are checked here.
The last target restates the seed and is dropped every time.

Deviation: the paper takes over what the agent writes; here a statement that lost or changed a number rejects the reply,
and a question that lost a number or still shows the hidden one is rejected by itself.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

from orcamath.agents.driver import CallSettings
from orcamath.agents.gaps import about_another, gaps
from orcamath.agents.hidden_numbers import answer_value, as_told, changed, hidden, short_answer
from orcamath.agents.replies import Piece, Said, failed, said, tagged
from orcamath.agents.small_writer.ask_each import QuestionSettings, StatementSettings
from orcamath.agents.wellformed import ask_of, counts, numbers
from orcamath.answers.numbers import quantities
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import Problem, Rejected

__all__ = ["AskMeAnything", "AskSettings", "make"]


class AskSettings(CallSettings):
    """Settings of Ask-Me-Anything."""

    PROMPT = "ask_me_anything"
    max_new_tokens: int = 2048
    calls: Literal["one", "each"] = "one"
    """`one` call a seed, as in the paper; `each`: one for the statement and one for every number, for small writers."""
    statement: StatementSettings = StatementSettings()
    """The first call where `calls` is `each`."""
    question: QuestionSettings = QuestionSettings()
    """The other calls where `calls` is `each`."""

    def contents(self) -> list[str]:
        """Return the hashes of the prompts that are used, which enter the digest of the stage."""
        if self.calls == "one":
            return super().contents()
        return [*self.statement.contents(), *self.question.contents()]


class AskMeAnything:
    """The agent: one call a seed, one problem a number."""

    name = "ask_me_anything"

    def __init__(self, settings: AskSettings, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    def request(self, item: Problem, draw: int) -> Request:
        """Ask for statement, targets and questions."""
        answer = (item.solution if item.answer is None else short_answer(item)) or ""
        listed = [q.text for q in quantities(item.question) if counts(q)] + [short_answer(item) or ""]
        values = {
            "problem": block("problem", item.question),
            "answer": block("answer", answer),
            "numbers": block("numbers", "\n".join(listed)),
        }
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Problem) -> Sequence[Problem | Rejected] | Rejected:
        """Return a problem for every number that was hidden well, a Rejected for every other target."""
        words = said(reply)
        pieces = tagged(words.text, "statement", "target", "question")
        statement = next((p.text for p in pieces if p.tag == "statement" and p.whole), None)
        if statement is None or not any(p.tag == "question" for p in pieces):
            return failed(item.id, words, reply)
        answer = as_told(answer_value(item), statement)
        if wrong := changed(statement, item, answer):
            return Rejected(item=item.id, reason=wrong[0], detail=wrong[1], text=reply.text)
        made = [_asked_for(m, statement) for m in _pairs(pieces, words, item, answer)]
        if not any(isinstance(m, Problem) for m in made):  # and the writer is asked once more
            reasons = Counter(m.reason for m in made if isinstance(m, Rejected))
            detail = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
            return Rejected(item=item.id, reason="no_problem", detail=detail, text=reply.text)
        return made


def make(settings: AskSettings) -> AskMeAnything:
    """Build the agent with its prompt."""
    return AskMeAnything(settings, settings.loaded())


def _asked_for(made: Problem | Rejected, statement: str) -> Problem | Rejected:
    """Reject a problem whose question is about another number of the statement than the one that was hidden."""
    if isinstance(made, Rejected):
        return made
    ask, value = ask_of(made.question), quantities(made.answer or "")[0].value
    hidden_here = [gap for gap in gaps(statement) if gap.quantity.value == value]
    if hidden_here and all(about_another(ask, gap, statement) for gap in hidden_here):
        return Rejected(
            item=made.parents[0], reason="asks_something_else", detail=hidden_here[0].marked, text=made.question
        )
    return made


def _pairs(
    pieces: Sequence[Piece], words: Said, seed: Problem, answer: Fraction | None
) -> Iterator[Problem | Rejected]:
    """Go through target and question pairs; a target without question, or a question without target, is rejected."""
    pairs = [p for p in pieces if p.tag != "statement"]
    known = numbers(seed.question)
    total = known + Counter([answer] if answer is not None else [])
    target: str | None = None
    for i, piece in enumerate(pairs):
        if piece.tag == "target":
            if target is not None:
                yield Rejected(item=seed.id, reason="target_without_question", text=target)
            target = piece.text
            continue
        if target is None:
            yield Rejected(item=seed.id, reason="question_without_target", text=piece.text)
            continue
        last = i == len(pairs) - 1 and not words.cut_off
        if not words.cut_off:
            piece = piece._replace(whole=True)  # a tag that was merely not closed
        yield hidden(piece, target, seed, answer, total, last=last)
        target = None
    if target is not None:
        yield Rejected(item=seed.id, reason="cut_off" if words.cut_off else "target_without_question", text=target)
