"""Numbers that were hidden in a statement: did statement and question keep all the others, and what is the answer then?

Shared by all ways of Ask-Me-Anything: one call a seed, two, or one call a number.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain

from orcamath.agents.gaps import about_another, gaps
from orcamath.agents.replies import Piece, Said
from orcamath.agents.wellformed import ask_of, flaw, numbers
from orcamath.answers import final_answer
from orcamath.answers.numbers import quantities
from orcamath.answers.steps import spelled
from orcamath.answers.wording import choice_of
from orcamath.records import Problem, Rejected
from orcamath.text.words import content_words, normal_with_signs

__all__ = ["answer_value", "as_told", "change_of", "hidden", "short_answer", "wording_asked"]


def short_answer(seed: Problem) -> str | None:
    """Return the seed's short answer: what stands behind the letter of a choice, the end of a solution where no answer came."""
    if seed.answer is not None and len(seed.answer) == 1 and 0 <= choice_of(seed.answer) < len(seed.options):
        return seed.options[choice_of(seed.answer)]
    return seed.answer or final_answer(seed.solution or "", kind="number", question=seed.question)


def answer_value(seed: Problem) -> Fraction | None:
    """Return the value of the seed's answer, None where it is not exactly one number."""
    return _only_number(short_answer(seed) or "")


def _only_number(text: str) -> Fraction | None:
    """Return the value of the one number in a text, None where there is none or several."""
    found = quantities(text)
    return found[0].value if len(found) == 1 else None


def as_told(answer: Fraction | None, statement: str) -> Fraction | None:
    """Return the answer as the statement tells it: an answer of 25 to "what percentage" stands there as 25%."""
    if answer is not None and answer not in numbers(statement):
        percentages = {q.value for q in quantities(statement) if q.form == "percent"}
        return answer / 100 if answer / 100 in percentages else answer
    return answer


def change_of(statement: str, seed: Problem, answer: Fraction | None) -> tuple[str, str] | None:
    """Compare the statement's numbers with those of seed and answer; (slug, what) where one is missing or new."""
    have, given = numbers(statement), numbers(seed.question)
    lost = [str(v) for v in given if v not in have]
    added = [str(v) for v in have if v not in given and v != answer]
    if lost:
        return ("statement_changed_number" if added else "statement_lost_number"), f"lost {lost}, added {added}"
    if answer is not None and answer not in have:
        return "statement_lacks_answer", str(answer)
    return ("statement_added_number", f"added {added}") if added else None


def wording_asked(
    pieces: Sequence[Piece], words: Said, seed: Problem, statement: str
) -> Iterable[Problem | Rejected] | Rejected:
    """Make problems of a reply's targets and questions about a statement; a Rejected for each other one.

    A reply of which no problem comes is one Rejected, so that the writer is asked once more; behind the first problem the
    others are made as they are taken.
    """
    pairs = _pairs(pieces, words, seed, as_told(answer_value(seed), statement))
    made, rejected = (_about_its_gap(m, statement) for m in pairs), list[Rejected]()
    for one in made:
        if isinstance(one, Problem):
            return chain(rejected, [one], made)
        rejected.append(one)
    reasons = Counter(r.reason for r in rejected)
    detail = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    return Rejected(item=seed.id, reason="no_problem", detail=detail, text=" ".join(p.text for p in pieces))


def _about_its_gap(made: Problem | Rejected, statement: str) -> Problem | Rejected:
    """Reject a problem whose question is about another number of the statement than the one that was hidden."""
    if isinstance(made, Rejected):
        return made
    ask, value = ask_of(made.question), _only_number(made.answer or "")
    hidden_here = [gap for gap in gaps(statement) if gap.quantity.value == value]
    if hidden_here and all(about_another(ask, gap, statement) for gap in hidden_here):
        detail = f"about_another: {hidden_here[0].marked}"
        return Rejected(item=made.parents[0], reason="asks_something_else", detail=detail, text=made.question)
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


def hidden(
    piece: Piece,
    target: str,
    seed: Problem,
    answer: Fraction | None,
    total: Counter[Fraction],
    *,
    last: bool,
    value: Fraction | None = None,
) -> Problem | Rejected:
    """Make a problem of one pair, or say what is wrong with it. `value` is the target's, where that is known already."""

    def no(reason: str, detail: str = "") -> Rejected:
        return Rejected(item=seed.id, reason=reason, detail=detail, text=f"{target} | {piece.text}")

    value = _value(target, total) if value is None else value
    if value is None or _only_number(plain := _plain(value, target, seed.question)) != value:
        return no("target_is_no_number")  # or one too long to be read as an answer
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
        piece.text,
        "ask_me_anything",
        seed.source,
        split=seed.split,
        licence=seed.licence,
        cluster=seed.cluster,
        answer=plain,
        answer_from="hidden_number",
        parents=(seed.id,),
        round=1,
        target=target,
    )


def _value(target: str, total: Counter[Fraction]) -> Fraction | None:
    """Read a target: exactly one number, whatever words stand around it; `25` is meant for the `25%` of the statement."""
    value = _only_number(target)
    return value / 100 if value is not None and value not in total and value / 100 in total else value


def _restates(
    text: str, value: Fraction, seed: Problem, answer: Fraction | None, total: Counter[Fraction], last: bool
) -> bool:
    """Tell whether a pair asks for the seed's own answer.

    Its target is the answer. Where the answer's value also stands among the given numbers, the question decides: the seed's
    own text, the place at the end, or a question about the seed's thing.
    """
    if normal_with_signs(text) == normal_with_signs(seed.question):
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
    fraction = f"{value.numerator}/{value.denominator}"
    return fraction if value.denominator > 10**6 else spelled(value, max_places=19) or fraction  # 2^19 is below 10^6
