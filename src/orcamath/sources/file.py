"""Your own problems: any JSON Lines, JSON, CSV, TSV or Parquet file, plain or gzipped, with a map of its columns.

Our columns are `question` (the only one that must be there), `answer`, `solution`, `options`, `kind`, `split`, `licence`,
`source`; `columns` maps them to yours where the names differ. Those of Numina (`problem`), MetaMathQA (`query`, `response`)
and OpenMathInstruct (`expected_answer`, `generated_solution`) are known. Without a split on the row, in the file's name, or in
`split`, a problem is for training.
"""

from collections.abc import Iterator
from typing import Any, get_args

from orcamath.errors import DataError, nearest
from orcamath.records import AnswerKind
from orcamath.sources.rows import FORMS, files_of, rows
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
)

__all__ = ["COLUMNS", "mapped", "problem_of", "read"]

COLUMNS = ("question", "answer", "solution", "options", "kind", "split", "licence", "source")

_KNOWN = {
    "question": ("problem", "query"),
    "answer": ("expected_answer",),
    "solution": ("generated_solution", "response"),
}
"""What others call our columns; looked for where a row has not ours and `columns` does not say."""


def mapped(settings: SourceSettings) -> dict[str, str]:
    """Return our column → theirs for all of COLUMNS. Raises DataError where `columns` names one that we do not know."""
    for ours in settings.columns:
        if ours not in COLUMNS:
            raise DataError(f"source `{settings.name}`: `columns` has no key `{ours}`; {nearest(ours, COLUMNS)}")
    return {ours: settings.columns.get(ours, ours) for ours in COLUMNS}


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield every row as a problem."""
    names = mapped(settings)

    def rows_read() -> Iterator[Any]:
        for path in files_of(settings, None, FORMS):
            yield from rows(path)

    return each(rows_read(), lambda row: problem_of(row, settings, names))


def _named(ours: str, theirs: str, row: Row) -> str:
    """Return the row's name of a column: the one mapped, else the first known one that it has."""
    if theirs != ours or theirs in row.values:
        return theirs
    return next((name for name in _KNOWN.get(ours, ()) if name in row.values), theirs)


def problem_of(row: Row, settings: SourceSettings, names: dict[str, str]) -> Found:
    """Turn one row with mapped columns into a problem, or say what is wrong with it."""
    names = {ours: _named(ours, theirs, row) for ours, theirs in names.items()}
    if names["question"] not in row.values:
        return row.bad(
            "no_question",
            f"has no column `{names['question']}`; {nearest(names['question'], map(str, row.values))}. "
            f"Map it with `columns: {{question: …}}`",
        )
    value = {ours: row.values.get(theirs) for ours, theirs in names.items()}
    split = split_named(str(value["split"])) if value["split"] else None
    if value["split"] and split is None:
        return row.bad("bad_split", f"has the split `{value['split']}`, which is none of train, dev, test")
    options = value["options"] or ()
    if not isinstance(options, list | tuple):
        return row.bad("bad_options", "has options that are no list")
    answer = value["answer"]
    if isinstance(answer, str) and "####" in answer:  # GSM8K's way, which many files share
        value["solution"] = value["solution"] or answer
        answer = answer.rpartition("####")[2]
    kind = value["kind"] or ("choice" if options else gold_kind(number_text(answer)))
    if kind not in get_args(AnswerKind):
        return row.bad("bad_kind", f"has the answer kind `{kind}`; {nearest(str(kind), get_args(AnswerKind))}")
    return problem_from(
        row, settings, value["question"], number_text(answer), licence=str(value["licence"] or "not stated"),
        split=split or row.split or settings.split or "train", needs_answer=False, answer_kind=kind,
        options=tuple(str(o) for o in options), solution=text_of(value["solution"]),
        source=str(value["source"] or settings.title),
    )  # fmt: skip
