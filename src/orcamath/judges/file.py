"""Judging a file of answers: rows in, verdict rows and a summary out. What `orcamath judge FILE` stands on.

In: JSONL or Parquet (JSONL also gzipped) with a question, a gold answer or reference solution, and a response; the columns may
have any name. With a `label` column (right or wrong, as someone else judged it) the summary says how well the judge agrees
with it.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, tee
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from orcamath.answers import kind_of
from orcamath.errors import DataError, UsageError, nearest
from orcamath.judges.rules import rule
from orcamath.ports import Comparison, Finding, Judge

__all__ = ["COLUMNS", "Judged", "Summary", "comparison_of", "judge_file", "judge_rows", "read_rows"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": ("question", "problem", "prompt"),
    "reference": ("gold", "reference", "answer", "solution"),
    "response": ("response", "text", "output", "completion", "prediction"),
    "label": ("label", "is_correct", "correct"),
    "kind": ("kind", "answer_kind"),
    "options": ("options",),
    "id": ("id",),
}
"""What a judge needs, and the column names under which it is looked for, first match first."""
_ALIASES = {candidate: ours for ours, candidates in COLUMNS.items() for candidate in candidates}
_TRUE = {"true", "yes", "1", "correct", "right", "1.0", "agrees"}
_FALSE = {"false", "no", "0", "incorrect", "wrong", "0.0", "disagrees"}


class Judged(NamedTuple):
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
        """Return the verdict as a JSON row."""
        shown: dict[str, Any] = {"row": self.row, "id": self.id, **self.finding._asdict(), "guess": self.guess}
        return shown if self.label is None else {**shown, "label": self.label}


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
    offending: list[Judged] = field(default_factory=list)
    """Labelled rows that the judge contradicts or leaves open; kept only where asked for."""

    def add(self, judged: Judged, *, keep: bool = False) -> None:
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
        `decided_accuracy`: right among the decided. `undecided_share`, `false_agree` (said `agrees`, label wrong) and
        `false_disagree` are shares of all labelled rows.
        """
        counts = {name: getattr(self, name) for name in ("n", "agrees", "disagrees", "unjudged", "model_calls")}
        if not self.labelled:
            return counts
        n = self.labelled
        return counts | {
            "labelled": n,
            "forced_accuracy": self.forced_right / n,
            "decided_accuracy": self.decided_right / self.decided if self.decided else 1.0,
            "undecided_share": (n - self.decided) / n,
            "false_agree": self.false_agrees / n,
            "false_disagree": self.false_disagrees / n,
        }


def judge_file(
    path: Path,
    judge: Judge,
    columns: Mapping[str, str] | None = None,
    summary: Summary | None = None,
    *,
    keep: bool = False,
) -> Iterator[Judged]:
    """Judge every row of a file, in order, adding each verdict to `summary`; `keep` keeps its offending rows.

    `columns` maps a name of `COLUMNS` to the file's column. Raises DataError (file and line) for what cannot be read,
    UsageError for a column that is not there.
    """
    return judge_rows(read_rows(path), judge, columns, summary, keep=keep, where=str(path))


def judge_rows(
    rows: Iterable[Mapping[str, Any]],
    judge: Judge,
    columns: Mapping[str, str] | None = None,
    summary: Summary | None = None,
    *,
    keep: bool = False,
    where: str = "rows",
) -> Iterator[Judged]:
    """Judge rows that are already read; see `judge_file`."""
    source = iter(rows)
    first = list(islice(source, 1))
    if not first:
        return
    names = _resolve(columns or {}, list(first[0]), where)
    numbered = _numbered(first, source, names, where)
    ahead, again = tee(numbered)
    findings = judge(comparison for _, _, comparison in ahead)
    for (number, row, comparison), finding in zip(again, findings, strict=True):
        guess = rule(comparison).guess if finding.outcome == "unjudged" else finding.outcome == "agrees"
        name = str(row[names["id"]]) if names.get("id") and row.get(names["id"]) is not None else None
        label = _label(row.get(names["label"]), where, number) if "label" in names else None
        judged = Judged(number, name, finding, guess, label, comparison)
        if summary is not None:
            summary.add(judged, keep=keep)
        yield judged


def _numbered(
    first: list[Mapping[str, Any]], rest: Iterator[Mapping[str, Any]], names: Mapping[str, str], where: str
) -> Iterator[tuple[int, Mapping[str, Any], Comparison]]:
    number = 0
    for rows in (first, rest):
        for row in rows:
            number += 1
            try:
                yield number, row, comparison_of(row, names)
            except KeyError as e:
                raise DataError(f"{where}, row {number}: no column `{e.args[0]}`, which the first row has") from e


def comparison_of(row: Mapping[str, Any], names: Mapping[str, str]) -> Comparison:
    """Build the comparison of one row; `names` maps ours to the row's columns. Without a kind, the gold answer tells it."""
    reference = _text(row[names["reference"]])
    options = _options(row.get(names["options"])) if "options" in names else ()
    kind = _text(row.get(names["kind"])) if "kind" in names else ""
    question = _text(row[names["question"]]) if "question" in names else ""
    return Comparison(question, reference, _text(row[names["response"]]), kind or kind_of(reference, options), options)


def _resolve(columns: Mapping[str, str], present: Sequence[str], where: str) -> dict[str, str]:
    columns = {_ALIASES.get(ours, ours): theirs for ours, theirs in columns.items()}
    for ours, theirs in columns.items():
        if ours not in COLUMNS:
            raise UsageError(f"there is no column `{ours}` to map; {nearest(ours, COLUMNS)}")
        if theirs not in present:
            raise UsageError(f"{where} has no column `{theirs}`; {nearest(theirs, present)}")
    names = dict(columns)
    for ours, candidates in COLUMNS.items():
        taken = {*names.values()}
        found = next((c for c in candidates if c in present and c not in taken), None)
        if ours not in names and found is not None:
            names[ours] = found
    for ours in ("reference", "response"):
        if ours not in names:
            raise UsageError(
                f"{where} has no column for the {ours} (looked for {', '.join(COLUMNS[ours])}; it has "
                f"{', '.join(present)}): name it, as in `--column {ours}=my_column`"
            )
    return names


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


def _options(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(option) for option in value) if isinstance(value, list | tuple) else ()


def _label(value: object, where: str, number: int) -> bool | None:
    if value is None or value == "":
        return None
    said = str(value).strip().lower()
    if said in _TRUE or said in _FALSE:
        return said in _TRUE
    raise DataError(f"{where}, row {number}: the label `{said[:40]}` is neither right nor wrong; use true and false")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read JSONL (plain or .gz) or Parquet, one row at a time; raises DataError with file and line."""
    if not path.is_file():
        raise DataError(f"there is no file `{path}`")
    with path.open("rb") as handle:
        magic = handle.read(4)
    if magic == b"PAR1":
        yield from _parquet(path)
        return
    with gzip.open(path, "rt", encoding="utf-8") if magic[:2] == b"\x1f\x8b" else path.open(encoding="utf-8") as lines:
        number = 0
        try:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"{path}:{number}: expected an object, got `{line[:40].strip()}`")
                yield row
        except (ValueError, OSError, EOFError) as e:
            raise DataError(f"{path}:{max(number, 1)}: not JSON, one object a line ({e})") from e


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for batch in pq.ParquetFile(path).iter_batches(2_000):
            yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as e:
        raise DataError(f"cannot read the Parquet file `{path}`: {e}") from e
