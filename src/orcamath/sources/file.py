"""Your own problems: any JSON Lines, JSON, CSV, TSV or Parquet file, plain or gzipped, with a map of its columns.

Our columns are `question` (the only one that must be there), `answer`, `solution`, `options`, `kind`, `split`, `licence`,
`source`; `columns` maps them to yours where the names differ (`split: ""` where yours of that name is another thing). Two are
read only where `columns` names them: `level` (scores are broken down by it) and `family` (rows of one template share one, and
intervals count them as what they are worth). Those of Numina (`problem`), MetaMathQA (`query`, `response`) and
OpenMathInstruct (`expected_answer`, `generated_solution`) are known; of an answer that is a worked solution (GSM8K's `####`,
MetaMathQA's `The answer is:`) the end is taken. Without a split on the row, in the file's name, or in `split`, a problem is for
training; `options: {draw_split: true}` draws the splits by near-duplicate cluster (see `clusters`), whatever the file says.

How the file is written, where it is no UTF-8 with commas: `options: {encoding: cp1252, delimiter: ";"}`. TSV has no
quoting, but for a cell that is in quotes as a whole; `options: {quotes: true}` reads it as CSV, with ends of lines in a cell.
"""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from orcamath.errors import DataError, nearest
from orcamath.records import AnswerKind
from orcamath.sources.rows import FORMS, Writing, files_of, rows
from orcamath.sources.source import (
    Found,
    Row,
    SourceSettings,
    each,
    gold_kind,
    number_text,
    problem_from,
    split_named,
    text_of,
    unsplit,
)
from orcamath.text.choices import MAX_CHOICES, choices_in
from orcamath.text.columns import PLAIN_COLUMNS

__all__ = ["COLUMNS", "check_options", "end_of", "mapped", "problem_of", "read"]

NAMED_ONLY = ("level", "family")
"""Read where `columns` names them: a column that happens to be called so may be another thing."""
COLUMNS = ("question", "answer", "solution", "options", "kind", "split", "licence", "source", *NAMED_ONLY)

_BEFORE_END = ("####", "The answer is:", "the answer is:")


def end_of(solution: str) -> str | None:
    """Return the answer at the end of a worked solution in GSM8K's or MetaMathQA's way; None where there is none."""
    last = solution.rstrip().rpartition("\n")[2]
    ends = (last.rpartition(mark) for mark in _BEFORE_END)
    return next((end.strip() for _, mark, end in ends if mark and end.strip()), None)


def check_options(settings: SourceSettings, known: Iterable[str]) -> None:
    """Raise DataError where `options` has a key that its reader does not know."""
    for name in settings.options:
        if name not in known:
            raise DataError(f"source `{settings.name}`: `options` has no key `{name}`; {nearest(name, known)}")


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


def mapped(settings: SourceSettings) -> dict[str, str]:
    """Return our column → theirs for all of COLUMNS. Raises DataError where `columns` names one that we do not know."""
    for ours in settings.columns:
        if ours not in COLUMNS:
            raise DataError(f"source `{settings.name}`: `columns` has no key `{ours}`; {nearest(ours, COLUMNS)}")
    return {ours: settings.columns.get(ours, "" if ours in NAMED_ONLY else ours) for ours in COLUMNS}


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield every row as a problem. Raises DataError where there is no file, or `columns` or `options` are not as above."""
    check_options(settings, ("encoding", "delimiter", "quotes", "draw_split"))
    names, writing = mapped(settings), _writing(settings)

    def rows_read() -> Iterator[Any]:
        for path in files_of(settings, None, FORMS):
            yield from rows(path, writing, Path(str(settings.path)).expanduser())

    return each(rows_read(), lambda row: problem_of(row, settings, names))


def _named(ours: str, theirs: str, row: Row) -> str:
    """Return the row's name of a column: the one mapped, else the first known one that it has."""
    if theirs != ours or theirs in row.values:
        return theirs
    return next((name for name in PLAIN_COLUMNS.get(ours, ()) if name in row.values), theirs)


def _wrong_options(options: object) -> str | None:
    if not isinstance(options, list | tuple):
        return 'has options that are no list; a cell of a table holds one as JSON: ["Na", "Mg"]'
    n = len(options)
    return f"has {n:,} options; there are {MAX_CHOICES} letters for them" if n > MAX_CHOICES else None


def _word(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def problem_of(row: Row, settings: SourceSettings, names: dict[str, str]) -> Found:
    """Turn one row with mapped columns into a problem, or say what is wrong with it."""
    names = {ours: _named(ours, theirs, row) for ours, theirs in names.items()}
    if names["question"] not in row.values:
        return row.bad(
            "no_question",
            f"has no column `{names['question']}`; {nearest(names['question'], map(str, row.values))}. "
            f"Map it with `columns: {{question: …}}`, or `--column question=…` on the command line",
        )
    value = {ours: row.values.get(theirs) for ours, theirs in names.items()}
    split = split_named(str(value["split"])) if value["split"] else None
    if value["split"] and split is None:
        return row.bad("bad_split", f"has the split `{value['split']}`, which is none of train, dev, test")
    options = choices_in(value["options"]) or ()
    if wrong := _wrong_options(options):
        return row.bad("bad_options", wrong)
    answer = value["answer"]
    if isinstance(answer, str) and (end := end_of(answer)) is not None:
        value["solution"] = value["solution"] or answer
        answer = end
    question = text_of(value["question"]) or ""
    kind = value["kind"] or ("choice" if options else gold_kind(number_text(answer, question), question))
    if kind not in get_args(AnswerKind):
        return row.bad("bad_kind", f"has the answer kind `{kind}`; {nearest(str(kind), get_args(AnswerKind))}")
    found = problem_from(
        row,
        settings,
        value["question"],
        number_text(answer, question),
        licence=str(value["licence"] or "not stated"),
        split=split or row.split or settings.split or "train",
        needs_answer=False,
        answer_kind=kind,
        options=tuple(str(o) for o in options) if isinstance(options, list | tuple) else (),
        solution=text_of(value["solution"]),
        source=str(value["source"] or settings.title),
        level=_word(value["level"]),
        family=_word(value["family"]),
    )
    return unsplit(found) if settings.options.get("draw_split") else found
