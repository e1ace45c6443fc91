"""Judging a file of answers: rows in, verdict rows and a summary out. `orcamath judge FILE` is built on it.

In: a file that `sources.rows` reads (JSON Lines, JSON, CSV, TSV, Parquet; plain or gzipped) with a question, a gold answer or
reference solution, and a response; the columns may have any name. With a `label` column (right or wrong, as someone else
judged it) the summary says how well the judge agrees with it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, tee
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.answers import kind_of
from orcamath.errors import DataError, UsageError, nearest
from orcamath.judges.rules import rule
from orcamath.ports import Comparison, Finding, Judge
from orcamath.records import Rejected
from orcamath.sources.mathqa import options_of
from orcamath.sources.rows import rows as rows_of
from orcamath.text.choices import Choices, choices_in, letter_of, places_meant
from orcamath.text.columns import (
    ANSWER_COLUMNS,
    OPTIONS_COLUMNS,
    QUESTION_COLUMNS,
    Theirs,
    choice_columns,
    column_of,
    columns_in,
)
from orcamath.text.truth import truth

__all__ = ["JudgedRow", "Summary", "judge_rows", "read_rows"]

JUDGED_COLUMNS: dict[str, tuple[str, ...]] = {
    "question": QUESTION_COLUMNS,
    "reference": ("gold", "reference", *ANSWER_COLUMNS, "solution"),
    "response": ("response", "generated_solution", "text", "output", "completion", "prediction", "predicted_answer"),
    "label": ("label", "is_correct", "correct"),
    "kind": ("kind", "answer_kind"),
    "options": OPTIONS_COLUMNS,
    "id": ("id",),
}
"""What a judge needs, and the column names under which it is looked for, first match first."""
_NEEDED = ("reference", "response")
_TEXTS = ("question", "reference", "response", "options")
"""What a column of another case is taken for: `Correct` may hold the correct answer, and no label."""
_ALIASES = {candidate: ours for ours, candidates in JUDGED_COLUMNS.items() for candidate in candidates}


class JudgedRow(NamedTuple):
    """One row's verdict."""

    row: int
    """Number of the row in the file, from 1."""
    id: str | None
    finding: Finding
    guess: bool
    """The side taken where the judge is not sure; its verdict where it is."""
    label: bool | None
    comparison: Comparison

    @property
    def wrong(self) -> bool:
        """Whether the judge, forced to take a side, contradicts the label."""
        return self.label is not None and self.guess != self.label

    def plain(self) -> dict[str, Any]:
        """Return the verdict as a JSON row, with what was judged."""
        shown: dict[str, object] = {"row": self.row, "id": self.id, **self.finding._asdict(), "guess": self.guess}
        told = shown if self.label is None else {**shown, "label": self.label}
        return {**told, "reference": self.comparison.reference, "response": self.comparison.response}


@dataclass
class Summary:
    """Counts of outcomes and, over labelled rows, shares of agreement with the label."""

    n: int = 0
    agrees: int = 0
    disagrees: int = 0
    unjudged: int = 0
    model_calls: int = 0
    labelled: int = 0
    forced_right: int = 0
    decided: int = 0
    decided_right: int = 0
    false_agrees: int = 0
    false_disagrees: int = 0
    offending: list[JudgedRow] = field(default_factory=list)
    """Labelled rows that the judge contradicts or leaves open; kept only where asked for."""
    columns: dict[str, Theirs] = field(default_factory=dict)
    """Our name → the column that was taken for it, by the first row; several where each holds one choice."""

    def add(self, judged: JudgedRow, *, keep: bool = False) -> None:
        """Count one verdict."""
        outcome = judged.finding.outcome
        self.n += 1
        setattr(self, outcome, getattr(self, outcome) + 1)
        if judged.label is None:
            return
        self.labelled += 1
        self.forced_right += not judged.wrong
        if outcome != "unjudged":
            self.decided += 1
            self.decided_right += not judged.wrong
            self.false_agrees += judged.wrong and outcome == "agrees"
            self.false_disagrees += judged.wrong and outcome == "disagrees"
        if keep and (judged.wrong or outcome == "unjudged"):
            self.offending.append(judged)

    def plain(self) -> dict[str, Any]:
        """Return the summary as JSON values.

        `forced_accuracy`: right among all labelled rows, taking the judge's best guess where it is unsure.
        `decided_accuracy`: right among the decided, None where there are none. `undecided_share`, `false_agree` (said `agrees`,
        label wrong) and `false_disagree` are shares of all labelled rows.
        """
        counts = {name: getattr(self, name) for name in ("n", "agrees", "disagrees", "unjudged", "model_calls")}
        if not self.labelled:
            return counts
        n = self.labelled
        return counts | {
            "labelled": n,
            "forced_accuracy": self.forced_right / n,
            "decided_accuracy": self.decided_right / self.decided if self.decided else None,
            "undecided_share": (n - self.decided) / n,
            "false_agree": self.false_agrees / n,
            "false_disagree": self.false_disagrees / n,
        }


def judge_rows(
    rows: Iterable[Mapping[str, object]],
    judge: Judge,
    columns: Mapping[str, Theirs] | None = None,
    summary: Summary | None = None,
    *,
    keep: bool = False,
    where: str = "rows",
) -> Iterator[JudgedRow]:
    """Judge rows, in order, adding each verdict to `summary`; `keep` keeps its offending rows.

    `columns` maps a name of `JUDGED_COLUMNS` to the rows' column (`options` to several, one choice each); `where` is the file
    they are of, for messages. Raises UsageError for a column that is not there.
    """
    source = iter(rows)
    first = list(islice(source, 1))
    if not first:
        return
    names = _resolve(columns or {}, list(first[0]), where)
    if summary is not None:
        summary.columns = dict(names)
    numbered = _numbered(first, source, names, where)
    ahead, again = tee(numbered)
    findings = judge(comparison for _, _, comparison in ahead)
    for (number, row, comparison), finding in zip(again, findings, strict=True):
        guess = rule(comparison).guess if finding.outcome == "unjudged" else finding.outcome == "agrees"
        name, label = _value(row, "id", names), _label(_value(row, "label", names), where, number)
        judged = JudgedRow(number, None if name is None else str(name), finding, guess, label, comparison)
        if summary is not None:
            summary.add(judged, keep=keep)
        yield judged


def _numbered(
    first: list[Mapping[str, object]], rest: Iterator[Mapping[str, object]], names: Mapping[str, Theirs], where: str
) -> Iterator[tuple[int, Mapping[str, object], Comparison]]:
    number = 0
    for rows in (first, rest):
        for row in rows:
            number += 1
            try:
                yield number, row, _comparison_of(row, names)
            except KeyError as e:
                raise DataError(f"{where}, row {number}: no column `{e.args[0]}`, which the first row has") from e


def _comparison_of(row: Mapping[str, object], names: Mapping[str, Theirs]) -> Comparison:
    """Build the comparison of one row; `names` maps ours to the row's columns. Without a kind, the gold answer tells it."""
    reference, choices = _text(_needed(row, "reference", names)), _choices(_value(row, "options", names))
    if isinstance(names.get("options", _found("options", tuple(row), names)), tuple) and not _is_one(
        reference, choices
    ):
        choices = Choices(())  # columns called A, B, C may be anything else
    options = choices.texts
    if choices.labels and (places := places_meant(reference, choices)):
        reference = letter_of(min(places))
    question = _text(_value(row, "question", names))
    kind = _text(_value(row, "kind", names)) or kind_of(reference, options, question)
    return Comparison(question, reference, _text(_needed(row, "response", names)), kind, options)


def _needed(row: Mapping[str, object], ours: str, names: Mapping[str, Theirs]) -> object:
    """Return what every row must have. Raises KeyError, of the column, where one lacks it."""
    return row[str(names[ours])]


def _value(row: Mapping[str, object], ours: str, names: Mapping[str, Theirs]) -> object:
    """Return what may be missing, read on every row that has it, whatever the first row had; of several columns the list."""
    theirs = names[ours] if ours in names else _found(ours, tuple(row), names)
    if isinstance(theirs, tuple):
        return [row.get(name) for name in theirs]
    return None if theirs is None else row.get(theirs)


def _resolve(columns: Mapping[str, Theirs], present: Sequence[str], where: str) -> dict[str, Theirs]:
    columns = {
        _ALIASES.get(ours, ours): theirs if isinstance(theirs, str) else tuple(theirs)
        for ours, theirs in columns.items()
    }
    for ours, theirs in columns.items():
        if not isinstance(theirs, str) and ours != "options":
            raise UsageError(f"`columns` names several for `{ours}`; name one, since only `options` may have several")
        if ours not in JUDGED_COLUMNS:
            raise UsageError(f"there is no column `{ours}` to map; {nearest(ours, JUDGED_COLUMNS)}")
        for name in columns_in(theirs):
            if name not in present:
                raise UsageError(f"{where} has no column `{name}`; {nearest(name, present)}")
    names = dict(columns)
    for ours in (*_NEEDED, *JUDGED_COLUMNS):
        found = _found(ours, tuple(present), names)
        if ours not in names and found is not None:
            names[ours] = found
    for ours in _NEEDED:
        if ours not in names:
            raise UsageError(
                f"{where} has no column for the {ours} (looked for {', '.join(JUDGED_COLUMNS[ours])}; it has "
                f"{', '.join(present)}): name it, as in `--column {ours}=my_column`"
            )
    return names


def _found(ours: str, present: tuple[str, ...], taken: Mapping[str, Theirs]) -> Theirs | None:
    """Return the column for one of ours among those not `taken`: known names as they are, of texts then in any case."""
    free = tuple(c for c in present if c not in taken.values())
    known = JUDGED_COLUMNS[ours]
    if ours not in _TEXTS:
        return next((c for c in known if c in free), None)
    return column_of(known, free, spelled=True) or ((choice_columns(free) or None) if ours == "options" else None)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list) and len(value) == 1:
        return _text(value[0])  # some files hold a list of samples
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value if isinstance(value, str) else str(value)


def _is_one(reference: str, choices: Choices) -> bool:
    """Tell whether a reference is the letter or the text of a choice."""
    said = reference.strip().strip("().:").casefold()
    letters = [letter_of(i).casefold() for i in range(len(choices.texts))]
    return said in letters or said in [text.strip().casefold() for text in choices.texts]


def _choices(value: object) -> Choices:
    """Return the choices of a list, as `choices_in` reads one, or of `a ) 24 , b ) 120`."""
    if (choices := choices_in(value)) is not None or not isinstance(value, str):
        return choices or Choices(())
    return Choices(options_of(value) or ((value,) if value.strip() else ()))


def _label(value: object, where: str, number: int) -> bool | None:
    if value is None or value == "":
        return None
    if (said := truth(value)) is None:
        raise DataError(
            f"{where}, row {number}: the label `{str(value)[:40]}` is neither right nor wrong; use true and false"
        )
    return said


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read a file's rows, one at a time; raises DataError with file and line for what cannot be read."""
    if path.is_dir() or not path.exists():
        raise DataError(f"there is no file `{path}`; check the path (of a folder, name the files)")
    for row in rows_of(path):
        if isinstance(row, Rejected):
            raise DataError(f"{row.item} {row.detail}; mend or remove that line")
        yield dict(row.values)
