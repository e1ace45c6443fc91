"""Your own problems: any JSON Lines, JSON, CSV, TSV or Parquet file, plain or gzipped, with a map of its columns.

Our columns are `question` (the only one that must be there), `answer`, `solution`, `options`, `kind`, `split`, `licence`,
`source`; `columns` maps them to yours where the names differ (`split: ""` where yours of that name is another thing). Two are
read only where `columns` names them: `level` (scores are broken down by it) and `family` (rows of one template share one, and
intervals count them as what they are worth). Those of Numina (`problem`), MetaMathQA (`query`, `response`),
OpenMathInstruct (`expected_answer`, `generated_solution`) and MMLU (`choices`) are known, in any case; of an answer that is a
worked solution (GSM8K's `####`, MetaMathQA's `The answer is:`) the end is taken. Without a split on the row, in the file's
name, or in `split`, a problem is for training; `options: {draw_split: true}` draws the splits by near-duplicate cluster (see
`clusters`), whatever the file says.

Choices are a list, texts with labels (see `text.choices`), or the cells of several columns: `columns: {options: [A, B, C, D]}`.
An answer is the letter, the label or the text of one. A number that may mean two of them is a bad line, unless
`options: {answers_from: 0}` (or 1) says that answers count the choices, or `text` that they are choices.

How the file is written, where it is no UTF-8 with commas: `options: {encoding: cp1252, delimiter: ";"}`. TSV has no
quoting, but for a cell that is in quotes as a whole; `options: {quotes: true}` reads it as CSV, with ends of lines in a cell.
"""

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from orcamath.errors import DataError, nearest
from orcamath.records import AnswerKind, Rejected
from orcamath.sources.rows import FORMS, Writing, files_of, rows
from orcamath.sources.source import (
    Found,
    Row,
    SourceSettings,
    each,
    gold_kind,
    is_missing,
    number_text,
    problem_from,
    split_named,
    text_of,
    unsplit,
)
from orcamath.text.choices import MAX_CHOICES, AnswersFrom, Choices, choices_in, letter_of, places_meant
from orcamath.text.columns import PLAIN_COLUMNS, Theirs, choice_columns, column_of

__all__ = ["COLUMNS", "ROW_OPTIONS", "check_options", "end_of", "mapped", "problem_of", "read", "refuse_several"]

NAMED_ONLY = ("level", "family")
"""Read where `columns` names them: a column that happens to be called so may be another thing."""
ROW_OPTIONS = ("draw_split", "answers_from")
"""What `options` may say of rows, however they are had."""
COLUMNS = ("question", "answer", "solution", "options", "kind", "split", "licence", "source", *NAMED_ONLY)

_NO_CHOICES = (
    'has options that are no list; a cell of a table holds one as JSON: ["Na", "Mg"], and several columns are named by '
    "`columns: {options: [A, B, C, D]}`"
)
_BEFORE_END = ("####", "The answer is:", "the answer is:")


def end_of(solution: str) -> str | None:
    """Return the answer at the end of a worked solution in GSM8K's or MetaMathQA's way; None where there is none."""
    last = solution.rstrip().rpartition("\n")[2]
    ends = (last.rpartition(mark) for mark in _BEFORE_END)
    return next((end.strip() for _, mark, end in ends if mark and end.strip()), None)


def check_options(settings: SourceSettings, known: Iterable[str]) -> None:
    """Raise DataError where `options` has a key that its reader does not know, or `answers_from` says nothing."""
    for name in settings.options:
        if name not in known:
            raise DataError(f"source `{settings.name}`: `options` has no key `{name}`; {nearest(name, known)}")
    counted = settings.options.get("answers_from")
    if isinstance(counted, bool | float) or counted not in (None, *get_args(AnswersFrom)):
        raise DataError(f"source `{settings.name}`: `answers_from` is `{counted}`; say 0, 1 or text")


def _writing(settings: SourceSettings) -> Writing:
    """Return how the source's files are written. Raises DataError for what is no encoding or no delimiter."""
    encoding, delimiter = settings.options.get("encoding", "utf-8"), settings.options.get("delimiter")
    try:
        known = codecs.lookup(str(encoding))
        "".encode(known.name)  # some that Python knows are no encodings of texts
    except LookupError:
        raise DataError(
            f"source `{settings.name}`: `{encoding}` is no encoding; name one such as utf-8, utf-16, cp1252, gb18030"
        ) from None
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n'):
        raise DataError(f"source `{settings.name}`: the delimiter `{delimiter}` is not one character such as `;`")
    quotes = settings.options.get("quotes", False)
    if not isinstance(quotes, bool):
        raise DataError(f"source `{settings.name}`: `quotes` is `{quotes}`; say true or false")
    return Writing(known.name, delimiter, quotes)


def refuse_several(where: str, columns: Mapping[str, Theirs]) -> None:
    """Raise DataError where several columns are to be one of ours that has no use for them."""
    for ours, theirs in columns.items():
        if ours != "options" and not isinstance(theirs, str):
            raise DataError(
                f"{where}: `columns` names several for `{ours}`; name one, since only `options` may have several"
            )


def mapped(settings: SourceSettings) -> dict[str, Theirs]:
    """Return our column → theirs for all of COLUMNS. Raises DataError where `columns` names one that we do not know."""
    for ours in settings.columns:
        if ours not in COLUMNS:
            raise DataError(f"source `{settings.name}`: `columns` has no key `{ours}`; {nearest(ours, COLUMNS)}")
    refuse_several(f"source `{settings.name}`", settings.columns)
    return {ours: settings.columns.get(ours, "" if ours in NAMED_ONLY else ours) for ours in COLUMNS}


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield every row as a problem. Raises DataError where there is no file, or `columns` or `options` are not as above."""
    check_options(settings, (*ROW_OPTIONS, "encoding", "delimiter", "quotes"))
    names, writing = mapped(settings), _writing(settings)

    def rows_read() -> Iterator[Any]:
        for path in files_of(settings, None, FORMS):
            yield from rows(path, writing, Path(str(settings.path)).expanduser())

    return each(rows_read(), lambda row: problem_of(row, settings, names))


def _named(ours: str, theirs: Theirs, row: Row) -> Theirs:
    """Return the row's name of a column: the one mapped, else the first known one that it has, in any case."""
    known = PLAIN_COLUMNS.get(ours)
    return theirs if theirs != ours or known is None else column_of(known, tuple(row.values), spelled=True) or theirs


def _wrong_choices(choices: Choices, several: bool) -> str | None:
    n = len(choices.texts)
    if n > MAX_CHOICES:
        return f"has {n:,} options; there are {MAX_CHOICES} letters for them"
    empty = next((i for i, text in enumerate(choices.texts) if several and not text.strip()), None)
    return None if empty is None else f"has no text for choice {letter_of(empty)}, but one for a choice behind it"


def _unnamed(row: Row, options: Theirs, answer: object) -> str | None:
    """Say that a row's choices stand in columns that nobody named, where its answer is the letter of one."""
    columns = choice_columns(tuple(row.values)) if options == "options" else ()
    if not isinstance(answer, str) or answer.strip().upper() not in map(letter_of, range(len(columns))):
        return None
    return (
        f"has the answer `{answer}`, and choices in columns of their own: name these, "
        f'`columns: {{options: [{", ".join(columns)}]}}`, or say `options: ""` where they are none'
    )


class _Gold(NamedTuple):
    answer: str | None
    kind: str
    solution: str | None


def _gold(row: Row, settings: SourceSettings, value: Mapping[str, object], choices: Choices) -> _Gold | Rejected:
    """Return a row's answer, its kind, and the worked solution that it may be the end of, or say what is wrong with it."""
    answer, solution, question = value["answer"], value["solution"], text_of(value["question"]) or ""
    if isinstance(answer, str) and (end := end_of(answer)) is not None:
        answer, solution = end, solution or answer
    gold = number_text(answer, question)
    if gold is None and not is_missing(answer):
        return row.bad(
            "bad_answer",
            f"has the answer `{str(answer)[:80]}`, which is no text, number or list of these; name another column with "
            f'`columns: {{answer: …}}`, or none with `answer: ""`',
        )
    kind = str(value["kind"] or ("choice" if choices.texts else gold_kind(gold, question)))
    if kind not in get_args(AnswerKind):
        return row.bad("bad_kind", f"has the answer kind `{kind}`; {nearest(kind, get_args(AnswerKind))}")
    if kind == "choice" and choices.texts and gold is not None:
        places = places_meant(gold, choices, settings.options.get("answers_from"))
        if places is not None and len(places) != 1:
            return row.bad("bad_answer", _which(gold, choices, sorted(places)))
        gold = gold if places is None else _text_at(choices.texts, *places)
    return _Gold(gold, kind, text_of(solution))


def _which(answer: str, choices: Choices, places: Sequence[int]) -> str:
    """Say that an answer names none of the choices, or any of several."""
    if not places:
        return f"has the answer `{answer}`, which is none of its {len(choices.texts)} choices; write the letter of the right one"
    meant = " or ".join(f"`{letter_of(i)}) {choices.texts[i][:40]}`" for i in places)
    return (
        f"has the answer `{answer}`, which may be {meant}; write its letter, or say what such numbers are, on the source by "
        f"`options: {{answers_from: 0}}`, under `start_from` by `answers_from: 0` (or 1) where they count the choices, `text` "
        f"where they are a choice's own text"
    )


def _text_at(texts: Sequence[str], place: int) -> str:
    """Return a choice's text, or its letter where two read the same."""
    return texts[place] if texts.count(texts[place]) == 1 else letter_of(place)


def _word(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def _no_question(row: Row, settings: SourceSettings, names: Mapping[str, Theirs]) -> str | None:
    if names["question"] not in row.values:
        return (
            f"has no column `{names['question']}`; {nearest(str(names['question']), map(str, row.values))}. "
            f"Map it with `columns: {{question: …}}`, or `--column question=…` on the command line"
        )
    body = column_of(("body",), tuple(row.values)) if settings.columns.get("question") is None else None
    return body and (
        f"has a story in `{body}` beside its question, as SVAMP and ASDiv have: name the source `svamp`, put both into one "
        f"column, or map the question alone with `columns: {{question: …}}`"
    )


def _choices_of(row: Row, settings: SourceSettings, theirs: Theirs, value: Mapping[str, object]) -> Choices | Rejected:
    """Return a row's choices, none where it has none, or say what is wrong with them."""
    choices = choices_in(value["options"] or ())
    if choices is None and theirs == "choices" and "options" not in settings.columns:
        choices = Choices(())  # nobody named that column, which may be any other thing
    if choices is None:
        return row.bad("bad_options", _NO_CHOICES)
    several = isinstance(theirs, tuple)
    wrong = _wrong_choices(choices, several) if choices.texts else _unnamed(row, theirs, value["answer"])
    if wrong:
        return row.bad("bad_options", wrong)
    return choices._replace(labels=theirs[: len(choices.texts)]) if isinstance(theirs, tuple) else choices


def problem_of(row: Row, settings: SourceSettings, names: Mapping[str, Theirs]) -> Found:
    """Turn one row with mapped columns into a problem, or say what is wrong with it."""
    names = {ours: _named(ours, theirs, row) for ours, theirs in names.items()}
    if wrong := _no_question(row, settings, names):
        return row.bad("no_question", wrong)
    value = {ours: row.cell(theirs) for ours, theirs in names.items()}
    split = split_named(str(value["split"])) if value["split"] else None
    if value["split"] and split is None:
        return row.bad("bad_split", f"has the split `{value['split']}`, which is none of train, dev, test")
    choices = _choices_of(row, settings, names["options"], value)
    if isinstance(choices, Rejected):
        return choices
    gold = _gold(row, settings, value, choices)
    if isinstance(gold, Rejected):
        return gold
    found = problem_from(
        row,
        settings,
        value["question"],
        gold.answer,
        licence=str(value["licence"] or "not stated"),
        split=split or row.split or settings.split or "train",
        needs_answer=False,
        answer_kind=gold.kind,
        options=choices.texts,
        solution=gold.solution,
        source=str(value["source"] or settings.title),
        level=_word(value["level"]),
        family=_word(value["family"]),
    )
    return unsplit(found) if settings.options.get("draw_split") else found
