"""Ask-Me-Anything in small steps: one call tells the answer, then one call for every number asks for it (`calls: each`).

For writers too small for the whole at once. The problem's own words stay: a model turns the question and its answer into one
sentence, and a sentence with one number marked into the question that this number answers. The story around them, with the
number hidden, is put together here, so that no number gets lost. What the model's question asks for is checked by rule.

Deviation: the paper asks for everything in one reply (section 2.2). A 0.5B model that keeps 0 problems of 20 seeds that way
writes well-posed ones this way (docs/log.md).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import PositiveInt

from orcamath.agents.driver import CallSettings, fill, fold_replies, write
from orcamath.agents.gaps import Gap, gaps
from orcamath.agents.hidden_numbers import answer_value, as_told, change_of, hidden, short_answer
from orcamath.agents.replies import Piece, failed, said, tagged
from orcamath.agents.small_writer.hiding import question_of, without
from orcamath.agents.small_writer.mismatch import mismatch, number_kind
from orcamath.agents.small_writer.money import HOW_MUCH
from orcamath.agents.wellformed import ask_of, numbers, units
from orcamath.answers.numbers import Quantity
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Output
from orcamath.store.ledger import Remembered
from orcamath.text.money import CURRENCY_NAMES, CURRENCY_SIGNS
from orcamath.text.patterns import pattern
from orcamath.text.words import content_words

__all__ = [
    "Asker",
    "QuestionSettings",
    "StatementSettings",
    "Target",
    "Teller",
    "Told",
    "ask_each",
    "opening_for",
    "targets",
    "tell",
]


class StatementSettings(CallSettings):
    """Settings of the call that tells the answer."""

    PROMPT = "ask_statement"
    max_new_tokens: PositiveInt = 200
    tries: PositiveInt = 3


class QuestionSettings(CallSettings):
    """Settings of the calls that ask for one number each."""

    PROMPT = "ask_question"
    max_new_tokens: PositiveInt = 100
    tries: PositiveInt = 3


class Told(NamedTuple):
    """A seed and the statement made of it: its story and a last sentence that tells its answer."""

    seed: Problem
    statement: str
    n_story: int
    """Characters of the story; what follows is the sentence that tells the answer."""

    @property
    def id(self) -> str:
        """The seed's."""
        return self.seed.id


class Target(NamedTuple):
    """One number of a statement, to be hidden and asked for."""

    told: Told
    gap: Gap

    @property
    def story(self) -> str | None:
        """The statement without the number; None where it cannot be taken out."""
        return without(self.told.statement, self.gap.quantity)

    @property
    def id(self) -> str:
        """The seed's."""
        return self.told.seed.id


class Teller:
    """The first agent: a question and its answer become one sentence."""

    name = "ask_statement"

    def __init__(self, settings: StatementSettings, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    def request(self, item: Problem, draw: int) -> Request:
        """Ask for the sentence."""
        _, ask = question_of(item.question, ask_of(item.question))
        values = {
            "question": block("question", ask),
            "answer": block("answer", short_answer(item) or ""),
        }
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Problem) -> Sequence[Told | Rejected] | Rejected:
        """Return the statement, where it holds the numbers of problem and answer and tells what was asked."""
        words = said(reply)
        pieces = tagged(words.text, "statement")
        if not pieces or (words.cut_off and not pieces[0].whole):
            return failed(item.id, words, reply)
        story, ask = question_of(item.question, ask_of(item.question))
        told = pieces[0].text
        told += "" if told.endswith((".", "!", '"', "”")) else "."
        if story and len(told) > len(story) and not numbers(story) - numbers(told):
            story = ""  # the whole statement, though one sentence was asked for
        statement = f"{story} {told}".strip()
        answer = as_told(answer_value(item), told)
        if "?" in told:
            wrong: tuple[str, str] | None = ("statement_asks", "")
        elif answer is not None and answer not in numbers(told):
            wrong = ("statement_lacks_answer", str(answer))
        else:
            wrong = change_of(statement, item, answer) or _departs(told, ask, item)
        if wrong:
            return Rejected(item=item.id, reason=wrong[0], detail=wrong[1], text=reply.text)
        return [Told(item, statement, len(story))]


_MONEY = pattern(
    rf"[{CURRENCY_SIGNS}]|\b(?:{CURRENCY_NAMES})\b",
    "names a currency; pounds may be a weight",
    ("$3", "5 euros"),
    ("5 pounds", "much money"),
)
_ASKS_MONEY = pattern(
    rf"{HOW_MUCH}[^?]*\b(?:pay|cost|spend|spent|earn|make|charge|owe)|how much (?:more |less )?(?:money|change|cash|profit)\b",
    "asks for a sum of money, where the problem has a currency at all",
    ("How much does he pay?", "How much money is left?", "How much did she make?", "How much change does she get?"),
    ("How many pens?", "How much water is left?", "How much time does he spend?", "How much juice does she make?"),
)


def _departs(told: str, ask: str, seed: Problem) -> tuple[str, str] | None:
    """Say where a sentence tells something else than was asked, or in another unit: (slug, what); None where it does not."""
    wanted, have = content_words(ask), content_words(told)
    if len(wanted & have) < min(2, max(1, len(wanted) // 2)):
        return "statement_tells_something_else", ask
    money, spoken = _MONEY.search(told), _MONEY.search(seed.question)
    cents = "cent" in ask.casefold() and "cent" not in told.casefold()
    if (money and (cents or not spoken)) or (spoken and not money and _ASKS_MONEY.search(ask)):
        return "statement_changed_unit", told
    return ("statement_changed_unit", told) if units(told) - units(seed.question) else None


class Asker:
    """The second agent: a sentence with one number marked becomes the question that this number answers."""

    name = "ask_question"

    def __init__(self, settings: QuestionSettings, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    def request(self, item: Target, draw: int) -> Request:
        """Ask for the question."""
        sentence = block("sentence", item.gap.marked)
        if (opening := opening_for(item.gap)) is not None:
            sentence += "\n" + block("opening", f"The question begins: {opening}")
        values = {"sentence": sentence}
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Target) -> Sequence[Problem | Rejected] | Rejected:
        """Return the problem: the statement without the number, and the question behind it."""
        words = said(reply)
        pieces = tagged(words.text, "question")
        if not pieces:
            return failed(item.id, words, reply)
        question = pieces[0].text
        made = self.posed(question, item, whole=pieces[0].whole or not words.cut_off)
        if isinstance(made, Problem):
            reason, rule = "asks_something_else", mismatch(question, item.gap, item.told.statement)
            if numbers(question) - numbers(item.gap.sentence):
                reason = rule = "question_added_number"
            if rule is not None:
                return Rejected(item=item.id, reason=reason, detail=f"{rule}: {item.gap.marked}", text=question)
            return [made]
        return made  # a reply that makes no problem is asked for again

    def posed(self, question: str, item: Target, *, whole: bool = True) -> Problem | Rejected:
        """Put the problem together, whatever its question asks for; `whole`: the question does not break off."""
        seed, q = item.told.seed, item.gap.quantity
        answer = as_told(answer_value(seed), item.told.statement)
        total = numbers(seed.question) + Counter([answer] if answer is not None else [])
        text = f"{item.story} {question}"
        return hidden(Piece("question", text, whole), q.text, seed, answer, total, last=False, value=q.value)


def opening_for(gap: Gap) -> str | None:
    """Return the words with which a question for a share or a multiple begins, which small writers miss; None for others."""
    kind = number_kind(gap)
    if kind == "multiple":
        return "How many times"
    if kind == "share":
        return "What percentage" if gap.quantity.form == "percent" else "What fraction"
    return None


def targets(told: Told) -> Iterator[Target]:
    """Yield the numbers to ask for: all of the statement but the answer, which would restate the seed."""
    every = gaps(told.statement)
    answer = as_told(answer_value(told.seed), told.statement[told.n_story :])
    ours = [g for g in every if g.quantity.start >= told.n_story and g.quantity.value == answer]
    left_out: Quantity | None = ours[-1].quantity if ours else None
    return (Target(told, g) for g in every if g.quantity != left_out)


def tell(
    out: Output, settings: StatementSettings, seeds: Callable[[], Iterable[Problem]], n_seeds: int, writer: Remembered
) -> Callable[[Output | None], Iterator[Told]]:
    """Have all statements written. Returns a function that yields them; given the Output, that pass keeps the stage's books."""
    teller = Teller(settings, settings.loaded())
    fill(teller, seeds, writer, out.progress, tries=settings.tries, total=n_seeds)
    return lambda book: (
        told for _, told in fold_replies(teller, seeds, writer, book, tries=settings.tries, final=False)
    )


def ask_each(
    out: Output,
    statement: StatementSettings,
    question: QuestionSettings,
    seeds: Callable[[], Iterable[Problem]],
    n_seeds: int,
    writer: Remembered,
) -> int:
    """Write the problems that come of the seeds in two passes: all statements, then all questions; returns how many numbers
    were asked for."""
    told = tell(out, statement, seeds, n_seeds, writer)

    def asked_for(book: Output | None = None) -> Iterator[Target]:
        return (target for one in told(book) for target in targets(one) if target.story is not None)

    n_targets = sum(1 for _ in asked_for(out))  # the books of the statements are kept in this pass only
    write(Asker(question, question.loaded()), asked_for, writer, out, tries=question.tries, total=n_targets)
    return n_targets
