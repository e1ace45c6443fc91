"""The final answer of a solution, as short text, with what the finding rests on."""

import re
from itertools import islice
from typing import NamedTuple

from orcamath.answers.choose import choose
from orcamath.answers.forms import SHOWN, UNREAD
from orcamath.answers.latex import plain
from orcamath.answers.locate import ITEM, How, Stretch, last_sentences, locate
from orcamath.answers.numbers import exact, quantities
from orcamath.answers.quantity import Quantity
from orcamath.answers.readings import calculation
from orcamath.answers.relations import formula, in_symbols
from orcamath.answers.science import measure_of, unit_end
from orcamath.answers.stated import OWN_WORDS, breaks_off, claims, no_result, rules_out
from orcamath.answers.units import measure
from orcamath.answers.wording import gives_up, letter
from orcamath.answers.writing import decimal_comma, in_points, writes_comma
from orcamath.records import AnswerKind

__all__ = ["Answer", "final_answer", "find_answer"]

_MATH = re.compile(r"\$\$?([^$]{1,200})\$|\\\(([^\n]{1,200}?)\\\)|\\\[(.{1,200}?)\\\]", re.DOTALL)
_BARE = re.compile(r"\s{0,8}(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)[\s.]{0,8}")
SHORT = 80
"""A response of so few characters is all answer."""


class Answer(NamedTuple):
    """A final answer and how it was found."""

    text: str
    how: How
    sure: bool
    """False where another number in the same stretch could be meant."""
    segment: str
    """The stretch it was chosen from, without markup."""
    at: int
    """Where that stretch begins in the solution."""
    among: tuple[Quantity, ...] = ()
    """Every number of the stretch that could have been meant."""
    several: bool = False
    """More than one answer is given."""
    raw: str = ""
    """The stretch with its markup, for who can read LaTeX."""
    open: bool = False
    """An operation is announced, or breaks off, without its result."""
    rival: str = ""
    """What else is stated as the answer, later."""
    unclear: bool = False
    """It is the number of an equation or inequality that words stand around."""
    stated: bool = True
    """Whether it is put forward as the answer: by a marker, a box, `the answer is`, or the last sentence's own claim."""


def find_answer(text: str, kind: AnswerKind = "number", question: str = "") -> Answer | None:
    """Find the final answer of a solution; None where nothing in it looks like one."""
    found = locate(text, wants_number=kind in ("number", "set"))
    if found is None:
        return None
    if kind == "expression":
        found = found._replace(text=_math(found))
    answer = _set(text, found, question) if kind == "set" else _one(text, found, kind, question)
    if answer is None or answer.raw:
        return answer
    return answer._replace(raw=found.text, rival=found.rival)


def _one(text: str, found: Stretch, kind: AnswerKind, question: str) -> Answer | None:
    comma = "." in found.text.rstrip(".") and writes_comma(question)
    if (
        kind == "number"
        and not comma
        and (bare := _BARE.fullmatch(found.text))
        and (exactly := exact(bare[1])) is not None
    ):
        # the common case, without looking for anything else
        number = Quantity(exactly, bare[1], 0, len(bare[1]))
        return Answer(bare[1], found.how, True, bare[1], found.at, (number,), False, found.text, False, found.rival)
    segment = plain(found.text).strip(" :").rstrip(". ")
    if not segment:
        return None
    if kind == "expression" and (UNREAD.search(found.text) or any(name in found.text for name in SHOWN)):
        return Answer(found.text, found.how, found.how != "sentence", segment, found.at)
    if kind != "number":
        sure = found.how != "sentence" or len(text) <= SHORT
        about = sure or not _content(segment).isdisjoint(_content(question))
        stated = about and segment[-1] != "?" and not OWN_WORDS.search(segment)
        return Answer(segment, found.how, sure, segment, found.at, stated=stated)
    if "," in segment or "." in segment:
        segment = decimal_comma(segment, everywhere=writes_comma(question))
    if found.how != "sentence" and segment[:2] == "- ":
        segment = f"-{segment[2:]}"
    numbers = tuple(quantities(segment)[:1])
    if numbers and not numbers[0].unit and (measured := measure_of(segment)) is not None and measured.unit is not None:
        return Answer(segment, found.how, True, segment, found.at, numbers)
    if symbols := in_symbols(segment, question):
        return Answer(segment, found.how, True, segment, found.at)
    written = segment if found.how in ("box", "json") else segment.rstrip("!")  # elsewhere `5!` is said aloud
    if (value := calculation(written)) is None and ("√" in segment or "π" in segment):
        value = calculation(formula(segment))
    if value is not None:
        return Answer(value, found.how, True, segment, found.at, tuple(quantities(value)))
    answer = _number(text, found, segment, question)
    return answer if symbols is False else answer._replace(unclear=True)


def _number(text: str, found: Stretch, segment: str, question: str) -> Answer:
    """Choose among the numbers of a stretch."""
    sentence = found.how == "sentence"
    if sentence and no_result(segment, question):
        numbers = tuple(quantities(segment))
        return Answer(segment, found.how, False, segment, found.at, numbers, open=True, stated=False)
    choice = choose(segment, question)
    if choice is None:
        plan = sentence and bool(ITEM.match(text[text.rstrip().rfind("\n") + 1 :]))
        return Answer(segment, found.how, gives_up(segment), segment, found.at, open=plan, stated=False)
    end = measure(segment, choice.quantity)[2]
    end = end if choice.quantity.unit else max(end, unit_end(segment, choice.quantity.end))
    said = _unspaced(segment[choice.quantity.start : end].strip())
    stated = not sentence or (claims(segment, choice, question) and not breaks_off(text))
    return Answer(
        said,
        found.how,
        choice.sure,
        segment,
        found.at,
        choice.among,
        choice.several,
        stated=stated and not rules_out(segment, said),
    )


def _content(text: str) -> set[str]:
    """Return the longer words of a text."""
    return {word for word in text.casefold().replace("?", " ").replace(".", " ").split() if len(word) > 3}


def _unspaced(text: str) -> str:
    """Return `-16` for `- 16`, which would be an item of a list if it stood alone."""
    return f"-{text[2:]}" if text[:2] == "- " else text


def _math(found: Stretch) -> str:
    """Return the formula inside a sentence, where it holds one: what is set in `$…$` or `\\(…\\)`, last first."""
    if found.how in ("box", "json"):
        return found.text
    last = max(_MATH.finditer(found.text), key=lambda m: m.start(), default=None)
    return next(g for g in last.groups() if g) if last is not None else found.text


def _set(text: str, found: Stretch, question: str) -> Answer | None:
    """Several answers may stand in several sentences: without a marker the last three with numbers are taken together."""
    segment = plain(found.text).strip(" :").rstrip(". ")
    if found.how in ("sentence", "phrase") and len(quantities(segment)) < 2:
        numbered = (s for s in last_sentences(text) if any(c.isdigit() for c in s))
        segment = plain(" ; ".join(reversed(list(islice(numbered, 3)))))
    segment = in_points(segment, question)
    numbers = tuple(quantities(segment))
    sure = found.how != "sentence" or sum(w.isalpha() for w in segment.split()) <= 6
    return Answer(segment, found.how, sure, segment, found.at, numbers) if segment else None


def final_answer(
    text: str, kind: AnswerKind = "number", question: str = "", options: tuple[str, ...] = (), *, stated: bool = False
) -> str | None:
    """Return the short answer that a solution ends in, None where there is none.

    For a number: the number as written with its currency, percent sign or unit (`$18`, `60%`, `3 hours 20 minutes`), chosen
    in the context of its sentence; None where there is no number. For a choice with `options`, its letter. For the other
    kinds the stretch behind the marker, without markup. With `stated` only what is put forward as the answer counts.
    """
    answer = find_answer(text, kind, question)
    if answer is None or (stated and not answer.stated) or (kind == "number" and not answer.among):
        return None
    if kind == "choice" and options and (named := letter(answer.text)):
        return named
    return answer.text
