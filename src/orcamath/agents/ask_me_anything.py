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

from orcamath.agents.driver import CallSettings, write
from orcamath.agents.replies import Piece, Said, failed, said, tagged
from orcamath.agents.wellformed import ask_of, content_words, counts, flaw, normal, numbers
from orcamath.answers import final_answer
from orcamath.answers.numbers import quantities
from orcamath.ports import Progress, Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import Problem, Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered

__all__ = ["VERSION", "AskMeAnything", "AskSettings", "ask", "make"]

VERSION = 1
LETTERS = "ABCDEFGHIJ"


class AskSettings(CallSettings):
    """Settings of Ask-Me-Anything."""

    PROMPT = "ask_me_anything"
    max_new_tokens: int = 2048


class AskMeAnything:
    """The agent: one call a seed, one problem a number."""

    name = "ask_me_anything"

    def __init__(self, settings: AskSettings, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    def request(self, item: Problem, draw: int) -> Request:
        """Ask for statement, targets and questions."""
        answer = (item.solution if item.answer is None else _short(item)) or ""
        listed = [q.text for q in quantities(item.question) if counts(q)] + [_short(item) or ""]
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
        answer = _as_told(_answer(item), statement)
        if wrong := _changed(statement, item, answer):
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

    write(make(settings), fit, writer, out, progress, tries=settings.tries)


def _unfit(seed: Problem) -> str | None:
    if seed.answer_kind not in ("number", "choice"):
        return "answer_is_no_number"
    if not numbers(seed.question):
        return "no_number_in_problem"
    if _short(seed) is None:
        return "no_answer_known"
    return "answer_is_no_number" if _answer(seed) is None else None


def _short(seed: Problem) -> str | None:
    """Return the seed's short answer: what stands behind the letter of a choice, the end of a solution where no answer came."""
    if seed.answer is not None and len(seed.answer) == 1 and seed.answer.upper() in LETTERS[: len(seed.options)]:
        return seed.options[LETTERS.index(seed.answer.upper())]
    return seed.answer or final_answer(seed.solution or "", kind="number", question=seed.question)


def _answer(seed: Problem) -> Fraction | None:
    """Return the value of the seed's answer, None where it is not exactly one number."""
    found = quantities(_short(seed) or "")
    return found[0].value if len(found) == 1 else None


def _as_told(answer: Fraction | None, statement: str) -> Fraction | None:
    """Return the answer as the statement tells it: an answer of 25 to "what percentage" stands there as 25%."""
    if answer is not None and answer not in numbers(statement):
        percentages = {q.value for q in quantities(statement) if q.form == "percent"}
        return answer / 100 if answer / 100 in percentages else answer
    return answer


def _changed(statement: str, seed: Problem, answer: Fraction | None) -> tuple[str, str] | None:
    """Compare the statement's numbers with those of seed and answer; (slug, what) where one is missing or new."""
    have, given = numbers(statement), numbers(seed.question)
    lost = [str(v) for v in given if v not in have]
    added = [str(v) for v in have if v not in given and v != answer]
    if lost:
        return ("statement_changed_number" if added else "statement_lost_number"), f"lost {lost}, added {added}"
    if answer is not None and answer not in have:
        return "statement_lacks_answer", str(answer)
    return ("statement_added_number", f"added {added}") if added else None


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
        yield _result(piece, target, seed, answer, total, last)
        target = None
    if target is not None:
        yield Rejected(item=seed.id, reason="cut_off" if words.cut_off else "target_without_question", text=target)


def _result(
    piece: Piece, target: str, seed: Problem, answer: Fraction | None, total: Counter[Fraction], last: bool
) -> Problem | Rejected:
    """Make a problem of one pair, or say what is wrong with it."""

    def no(reason: str, detail: str = "") -> Rejected:
        return Rejected(item=seed.id, reason=reason, detail=detail, text=f"{target} | {piece.text}")

    value = _value(target, total)
    if value is None:
        return no("target_is_no_number")
    if _restates(piece.text, value, seed, answer, total, last):
        return no("restates_seed")
    if not piece.whole:
        return no("cut_off")
    if value not in total:
        return no("target_not_in_statement")
    if wrong := flaw(piece.text):
        return no(wrong)
    rest = total - Counter([value])
    have = numbers(piece.text)
    if have[value] > rest[value]:
        return no("target_not_hidden")
    more = any(have[v] > total[v] for v in have)
    # a target that stands there twice may name one quantity, and go altogether; not where another number came in for it
    if lost := [str(v) for v in rest if v not in have and (v != value or more)]:
        return no("question_lost_number", f"lost {lost}")
    if added := [str(v) for v in have if v not in total]:
        return no("question_added_number", f"added {added}")
    return Problem.make(
        piece.text, "ask_me_anything", seed.source, split=seed.split, licence=seed.licence, cluster=seed.cluster,
        answer=_plain(value, target, seed.question), answer_from="hidden_number", parents=(seed.id,), round=1, target=target,
    )  # fmt: skip


def _value(target: str, total: Counter[Fraction]) -> Fraction | None:
    """Read a target: exactly one number, whatever words stand around it; `25` is meant for the `25%` of the statement."""
    found = quantities(target)
    if len(found) != 1:
        return None
    value = found[0].value
    return value / 100 if value not in total and value / 100 in total else value


def _restates(
    text: str, value: Fraction, seed: Problem, answer: Fraction | None, total: Counter[Fraction], last: bool
) -> bool:
    """Tell whether a pair asks for the seed's own answer.

    Its target is the answer. Where the answer's value also stands among the given numbers, the question decides: the seed's
    own text, the place at the end, or a question about the seed's thing.
    """
    if normal(text) == normal(seed.question):
        return True
    if value != answer:
        return False
    if total[value] == 1 or last:
        return True
    ours, theirs = content_words(ask_of(text)), content_words(ask_of(seed.question))
    return len(ours & theirs) >= 0.75 * max(len(ours | theirs), 1)


def _plain(value: Fraction, target: str, question: str) -> str:
    """Spell a hidden number as an answer: `60%` stays a percentage, words and digits become one number."""
    forms = {q.form for q in quantities(f"{target} | {question}") if q.value == value}
    if "percent" in forms:
        return f"{_decimal(value * 100)}%"
    return _decimal(value)


def _decimal(value: Fraction) -> str:
    """Write a fraction as an integer or a finite decimal where it is one, else as p/q."""
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if value.denominator == 1:
        return str(value.numerator)
    if denominator != 1 or value.denominator > 10**6:
        return f"{value.numerator}/{value.denominator}"
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    whole = str(abs(int(value * 10**digits))).rjust(digits + 1, "0")
    return f"{'-' if value < 0 else ''}{whole[:-digits]}.{whole[-digits:]}"
