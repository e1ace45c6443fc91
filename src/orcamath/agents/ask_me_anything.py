"""Ask-Me-Anything: many problems out of one, by hiding each of its numbers in turn (paper, section 2.2).

In: a seed with its answer. The model writes a statement that contains the answer, then for every number of it a target
and a question. The hidden number is a known answer for free, provided that nothing else was lost: both are checked here.
The last target restates the seed and is dropped every time.

Deviation: the paper takes over what the agent writes; here a statement that lost or changed a number rejects the reply,
and a question that lost a number or still shows the hidden one is rejected by itself. Seeds without a numeric answer are
left out, with a message.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Literal

from orcamath.agents.ask_each import QuestionSettings, StatementSettings, ask_each
from orcamath.agents.driver import CallSettings, write
from orcamath.agents.hidden_numbers import answer_value, as_told, changed, hidden, short_answer
from orcamath.agents.replies import Piece, Said, failed, said, tagged
from orcamath.agents.wellformed import counts, numbers
from orcamath.answers.numbers import quantities
from orcamath.ports import Progress, Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered

__all__ = ["VERSION", "AskMeAnything", "AskSettings", "ask", "make"]

VERSION = 2


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

    def prompt_fingerprints(self) -> list[str]:
        """Return the hashes of the prompts that are used, which enter the digest of the stage."""
        if self.calls == "one":
            return super().prompt_fingerprints()
        return [*self.statement.prompt_fingerprints(), *self.question.prompt_fingerprints()]


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
        return list(_pairs(pieces, words, item, answer))


def make(settings: AskSettings) -> AskMeAnything:
    """Build the agent with its prompt."""
    return AskMeAnything(settings, settings.loaded())


def ask(out: Output, settings: AskSettings, seeds: Artifact, writer: Remembered, progress: Progress) -> None:
    """Write the problems that Ask-Me-Anything makes of the seeds."""
    unfit = Counter[str]()
    for seed in seeds.read(Problem):
        if reason := _unfit(seed):
            unfit[reason] += 1
            out.balance.results += 1
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
        ask_each(out, settings.statement, settings.question, fit, n_fit, writer, progress)
    else:
        write(make(settings), fit, writer, out, progress, tries=settings.tries, total=n_fit)


def _unfit(seed: Problem) -> str | None:
    if seed.answer_kind not in ("number", "choice"):
        return "answer_is_no_number"
    if not numbers(seed.question):
        return "no_number_in_problem"
    if short_answer(seed) is None:
        return "no_answer_known"
    return "answer_is_no_number" if answer_value(seed) is None else None


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
