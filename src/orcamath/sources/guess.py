"""Which column is what: the first rows of a table → our column → theirs, what numbers among its answers say, what is left.

For `look`, which shows and writes down what is guessed. A run takes the plain names alone (`text.columns`), so what has one of
these and is not taken is written down as such (`answer: ""`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple, get_args

from orcamath.errors import DataError
from orcamath.records import AnswerKind
from orcamath.sources import file
from orcamath.sources.source import is_missing, number_text, split_named
from orcamath.text.choices import AnswersFrom, Choices, choices_in, places_meant
from orcamath.text.columns import (
    ANSWER_COLUMNS,
    OPTIONS_COLUMNS,
    PERHAPS_ANSWER,
    PLAIN_COLUMNS,
    QUESTION_COLUMNS,
    SOLUTION_COLUMNS,
    Theirs,
    choice_columns,
    column_of,
    columns_in,
)

__all__ = ["Guess", "guessed"]

TEXT_CHARS = 12
MOSTLY_EMPTY = "mostly empty"
"""Said of a column that holds something in some rows: `init` does not take it, and a run takes what is there."""
MOST = 0.8
"""Of the answers, those that must name one of the choices that stand in columns of their own."""
_OURS: dict[str, Callable[[object], bool]] = {
    "split": lambda value: split_named(str(value)) is not None,
    "kind": lambda value: value in get_args(AnswerKind),
}
"""Our own columns that mean something: one of the same name that holds something else is none of them."""
_Cells = Sequence[object]


class Guess(NamedTuple):
    """What the columns of a table seem to be."""

    columns: dict[str, Theirs]
    """Our column → theirs where the names differ; `""` for what has a plain name and is not taken."""
    options: dict[str, object]
    """What the source's `options` must say for its rows to be read so."""
    left: dict[str, str]
    """Columns whose names are known, and why they were not taken."""


def guessed(named: str, rows: Sequence[Mapping[str, object]], told: Mapping[str, Theirs]) -> Guess:
    """Guess columns by the first rows, but for those that are `told`. Raises DataError where none looks like a question."""
    table = _Table(rows)
    found: dict[str, Theirs | None] = {ours: table.taken(theirs) for ours, theirs in told.items()}
    if "question" not in found:
        found["question"] = table.take(QUESTION_COLUMNS, _no_texts) or table.asking()
    if found["question"] is None:
        raise DataError(
            f"no column of `{named}` looks like a question (its columns: {', '.join(table.cells)}); give a file with one text a "
            f"row, or name it: --column question=NAME"
        )
    if "answer" not in found:
        found["answer"] = table.take((*ANSWER_COLUMNS, *PERHAPS_ANSWER), _no_answers)
    if "options" not in found:
        found["options"] = table.take(OPTIONS_COLUMNS, _no_choices) or table.family(found.get("answer"))
    if found["answer"] is None and "answer" not in told:
        found["answer"] = table.answering(found["options"])
    if "solution" not in found:
        wordy = table.take(SOLUTION_COLUMNS, _no_solutions)
        # a plain name is believed: an equation is short, and some rows may have none
        found["solution"] = wordy or table.take(PLAIN_COLUMNS["solution"], lambda _: None)
    columns = {ours: theirs for ours, theirs in found.items() if theirs is not None and theirs != ours}
    return Guess(table.refused(found) | columns, _counting(table, found), table.left)


class _Table:
    """Columns, of which each is taken once."""

    def __init__(self, rows: Sequence[Mapping[str, object]]) -> None:
        names = dict.fromkeys(name for row in rows for name in row)
        self.cells: dict[str, _Cells] = {name: [row.get(name) for row in rows] for name in names}
        self.free = list(self.cells)
        self.left: dict[str, str] = {}

    def taken(self, theirs: Theirs) -> Theirs:
        """Take a column, or several."""
        self.free = [name for name in self.free if name not in columns_in(theirs)]
        for name in columns_in(theirs):
            self.left.pop(name, None)
        return theirs

    def take(self, known: tuple[str, ...], wrong: Callable[[_Cells], str | None]) -> str | None:
        """Take the column with the first of the known names among those with nothing wrong; the others are noted."""
        fit = []
        for name in self.free:
            if column_of(known, (name,)) is not None and (why := wrong(self.cells[name])) is not None:
                self.left.setdefault(name, why)
            else:
                fit.append(name)
        found = column_of(known, tuple(fit))
        return None if found is None else str(self.taken(found))

    def asking(self) -> str | None:
        """Take the column of texts of which most are questions."""
        wordy = (name for name in self.free if _wordy(self.cells[name]))
        found = max(wordy, key=lambda name: _asks(self.cells[name]), default=None)
        return None if found is None else str(self.taken(found))

    def family(self, answer: Theirs | None) -> Theirs | None:
        """Take the columns that hold one choice each, if the answers name them, where there are any."""
        columns = choice_columns(tuple(self.free))
        if not columns or (isinstance(answer, str) and answer and self.naming(answer, columns) <= MOST):
            return None
        return self.taken(columns)

    def answering(self, options: Theirs | None) -> str | None:
        """Take a column that names choices, or numbers that do not just count the rows, or worked solutions that end with one."""
        naming = (name for name in self.free if options and self.naming(name, options) > MOST)
        told = (name for holds in (_numbers, _worked) for name in self.free if holds(self.cells[name]) > 0.5)
        found = next(chain(naming, told), None)
        return None if found is None else str(self.taken(found))

    def naming(self, answer: str, options: Theirs) -> float:
        """Return the share of the answers that name one of the choices."""
        rows = list(self.chosen(answer, options))
        # columns called `a`, `b`, `c` that hold numbers may be the problem's, which a number among the answers does not count
        bare = not isinstance(options, str) and all(len(c) == 1 and _numbers(self.cells[c]) > 0.5 for c in options)
        counted: AnswersFrom | None = "text" if bare else None
        return sum(_names_one(*row, counted) for row in rows) / len(rows) if rows else 0.0

    def chosen(self, answer: str, options: Theirs) -> Iterator[tuple[str, Choices]]:
        """Yield the answers that are there, and the choices that they are of."""
        several = zip(*(self.cells[name] for name in columns_in(options)), strict=True)
        for cell, held in zip(self.cells[answer], several, strict=True):
            choices = choices_in(held[0] if isinstance(options, str) else held)
            if choices is not None and choices.texts and (said := number_text(cell)) is not None:
                yield (
                    said,
                    choices if isinstance(options, str) else choices._replace(labels=options[: len(choices.texts)]),
                )

    def refused(self, found: Mapping[str, Theirs | None]) -> dict[str, Theirs]:
        """Return what a run would take by its plain name and must not."""
        plain = ((ours, column_of(known, tuple(self.cells))) for ours, known in PLAIN_COLUMNS.items())
        refused = [
            ours
            for ours, name in plain
            if name is not None
            and found.get(ours) is None
            and name in self.free
            and self.left.get(name) != MOSTLY_EMPTY
        ]
        strange = [
            ours
            for ours, fits in _OURS.items()
            if ours not in found and any(not fits(v) for v in self.cells.get(ours, ()) if v)
        ]
        return dict.fromkeys([*strange, *refused], "")


def _counting(table: _Table, found: Mapping[str, Theirs | None]) -> dict[str, object]:
    """Say what whole numbers among the answers are, where choices are there and the numbers alone do not tell."""
    answer, options = found.get("answer"), found.get("options")
    if not answer or not options or not isinstance(answer, str):
        return {}
    rows = [row for row in table.chosen(answer, options) if places_meant(*row) is not None]
    if all(len(places_meant(*row) or ()) == 1 for row in rows):
        return {}
    ways: list[AnswersFrom] = [
        way for way in get_args(AnswersFrom) if all(len(places_meant(*r, way) or ()) == 1 for r in rows)
    ]
    way = "text" if "text" in ways else ways[0] if len(ways) == 1 else None
    return {} if way is None else {"answers_from": way}


def _names_one(answer: str, choices: Choices, counted: AnswersFrom | None = None) -> bool:
    """Tell whether an answer is a choice's text, letter, label or number."""
    places = places_meant(answer, choices, counted)
    letters = answer.strip().strip("().:").casefold()
    return (
        bool(places)
        or letters in [text.strip().casefold() for text in choices.texts]
        or (places is None and len(letters) == 1)
    )


# what a column holds


def _empty(cells: _Cells) -> str | None:
    return MOSTLY_EMPTY if 2 * sum(map(is_missing, cells)) >= len(cells) else None


def _no_texts(cells: _Cells) -> str | None:
    texts = 2 * sum(isinstance(v, str) and not _is_number(v) for v in cells) > len(cells)
    return None if texts else _empty(cells) or "holds no texts"


def _no_answers(cells: _Cells) -> str | None:
    filled = 2 * sum(number_text(v) is not None for v in cells) > len(cells)
    return None if filled else _empty(cells) or "holds no text, number or list of these"


def _no_solutions(cells: _Cells) -> str | None:
    return None if _wordy(cells) else _empty(cells) or "too short for solutions"


def _no_choices(cells: _Cells) -> str | None:
    held = [v for v in cells if not is_missing(v)]
    found = 2 * sum(choices_in(v) is not None for v in held) > len(held)
    return None if found else _empty(cells) or "holds no lists"


def _wordy(cells: _Cells) -> bool:
    """Tell whether most values are texts of some length; words are not counted, for not all languages part them."""
    return 2 * sum(isinstance(v, str) and len(v.strip()) >= TEXT_CHARS for v in cells) > len(cells)


def _asks(cells: _Cells) -> tuple[float, float]:
    """Return the share of values that end with a question mark, and their mean length."""
    said = [v.strip() for v in cells if isinstance(v, str)]
    return sum(v.endswith(("?", "？", "؟")) for v in said) / len(cells), sum(map(len, said)) / len(cells)


def _numbers(cells: _Cells) -> float:
    spelled = [number_text(v) for v in cells]
    numbers = [float(s) for s in spelled if s is not None and _is_number(s)]
    counts_rows = len(numbers) > 2 and len({b - a for a, b in pairwise(numbers)}) == 1
    return 0.0 if counts_rows else len(numbers) / len(cells)


def _is_number(text: str) -> bool:
    try:
        return bool(text) and float(text) == float(text)
    except ValueError:
        return False


def _worked(cells: _Cells) -> float:
    return sum(isinstance(v, str) and file.end_of(v) is not None for v in cells) / len(cells)
