"""What a source is: settings in, problems out, one at a time. Every file of this package with a `read` is one.

A reader yields `Problem` where the data set says which split it belongs to, `Unsplit` where it does not (the split is then
drawn by near-duplicate cluster, see `clusters`), and `Rejected` for a line it cannot read: whether that stops the run is
the user's choice (`on_bad_line`), not the reader's. Texts are kept as their authors wrote them, but for outer spaces.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from pydantic import Field, ValidationError

from orcamath.answers import kind_of
from orcamath.answers.writing import meanings
from orcamath.errors import DataError
from orcamath.records import AnswerKind, Problem, Rejected, Settings, Split, digest, member, outside_digest
from orcamath.text.columns import Theirs

__all__ = [
    "Found",
    "Reader",
    "Row",
    "SourceSettings",
    "Unsplit",
    "each",
    "family_of",
    "generated",
    "gold_kind",
    "is_generated",
    "is_missing",
    "number_text",
    "place_of",
    "problem_from",
    "split_named",
    "text_of",
    "unsplit",
]


class SourceSettings(Settings):
    """One data set: which reader, where the copy is, and how much of it."""

    name: str = member("source")
    """`gsm8k`, `svamp`, …, `file`, `hub`, or the path of your own `.py` file with a `read`."""
    path: str | None = outside_digest(None)
    """A file, or a folder that holds the set's files; left out, the set comes from the hub. Content enters the digest."""
    called: str | None = None
    """What its problems' `source` says; the reader's name where left out."""
    split: Split | None = None
    """The split wanted. It also names the split of a file whose own name does not say (`train`, `dev`, `test`)."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many of the wanted split, in file order."""
    revision: str | None = None
    """Commit of a hub set; the newest is looked up, and written down, where left out."""
    columns: dict[str, Theirs] = Field(default_factory=dict)
    """For `file` and `hub`: our column (`question`, `answer`, …) → yours; `options` may be a list of columns, one choice each."""
    licence: str | None = None
    """Overrides what the reader knows of the set's licence."""
    on_bad_line: Literal["stop", "skip"] = "stop"
    """A line that cannot be read stops the run, or is skipped and counted among the rejected."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What only this reader knows."""

    @property
    def title(self) -> str:
        """What its problems' `source` says."""
        return self.called or Path(self.name).stem


class Unsplit(NamedTuple):
    """A problem of a set without official splits."""

    problem: Problem


Found = Problem | Unsplit | Rejected


class Reader(Protocol):
    """Reads one source, lazily and in the same order every time."""

    def __call__(self, settings: SourceSettings) -> Iterator[Found]:
        """Yield everything the copy holds, all splits; raises DataError where there is no copy to read."""
        ...


R = TypeVar("R", bound=Callable[..., object])


class Row(NamedTuple):
    """One record of a file, before it is a problem."""

    place: str
    """`file:line`, without the folder: it ends up in data, which must not depend on where files lie."""
    values: Mapping[str, Any]
    split: Split | None = None

    def cell(self, theirs: Theirs) -> object:
        """Return what stands in a column, None where the row lacks it; of several columns the list."""
        return self.values.get(theirs) if isinstance(theirs, str) else [self.values.get(name) for name in theirs]

    def bad(self, reason: str, detail: str) -> Rejected:
        """Say why this row is no problem."""
        return Rejected(item=self.place, reason=reason, detail=detail, text=str(dict(self.values))[:500])


_SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "val": "dev",
    "test": "test",
    "testing": "test",
}
_LIKE_TEST = frozenset(["eval", "evaluation"])
"""Names of a test split, as `datasets` has them, where no other is beside them: `eval_dev` is for development."""
_WORDS = re.compile(r"[^a-z]+")


def split_named(text: str) -> Split | None:
    """Return the split that a file or split name speaks of (`gsm8k_train`, `validation`), or None."""
    words = _WORDS.split(text.lower())
    found = {_SPLIT_WORDS[w] for w in words if w in _SPLIT_WORDS}
    if not found and not _LIKE_TEST.isdisjoint(words):
        return "test"
    return found.pop() if len(found) == 1 else None


def number_text(value: object, question: str = "") -> str | None:
    """Spell an answer as text: 51.0 is `51`, 2.5 is `2.5`, True is `true`, text stays; several are joined by a comma and a space.

    The text `1.250` stays too where the language of `question` may mean 1250 by it.
    """
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        parts = [number_text(v, question) for v in value]
        return ", ".join(p for p in parts if p) if parts and all(parts) else None
    if isinstance(value, float):
        if not isfinite(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value).strip()
    # "39.0" and 39.0 are one answer
    if re.fullmatch(r"-?\d{1,15}\.\d{1,15}", text) and len(meanings(text, question)) == 1:
        exact = Decimal(text).normalize()
        return f"{exact:f}" if exact != 0 else "0"
    return text or None


def is_missing(value: object) -> bool:
    """Tell whether a cell holds nothing: empty, NaN (as tables have it), or a list of such; what cannot be read is something.

    >>> [is_missing(value) for value in (" ", float("nan"), [None], 0, [5, None], {})]
    [True, True, True, False, False, False]
    """
    if isinstance(value, list | tuple):
        return all(map(is_missing, value))
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def text_of(value: object) -> str | None:
    """Return a text without outer spaces; None for what is no text, or an empty one."""
    return (value.strip() or None) if isinstance(value, str) else None


def gold_kind(answer: str | None, question: str = "") -> AnswerKind:
    """Say what kind of answer a word problem's gold is: without a digit it is text (`Mrs. Hilt`, `Purple`, `Yes`).

    The language of `question` tells whether `2,5` is one number.
    """
    if answer is None:
        return "number"
    if not any(c.isdigit() for c in answer):
        return "text"
    kind = kind_of(answer, question=question)
    return kind if kind in ("number", "set") else "text"


def problem_from(
    row: Row,
    settings: SourceSettings,
    question: object,
    answer: object,
    *,
    licence: str,
    split: Split | None = None,
    needs_answer: bool = True,
    unofficial: bool = False,
    **fields: Any,
) -> Problem | Rejected:
    """Build a seed out of a row's values, or say what is wrong with the row.

    `unofficial` sets have no split of their own. Raises DataError where one is needed and cannot be told, for that is no
    fault of the row.
    """
    text = question.strip() if isinstance(question, str) else ""
    if not text:
        return row.bad("no_question", "the question is missing or is not text")
    gold = (
        text_of(answer) if fields.get("answer_kind") == "choice" else number_text(answer, text)
    )  # an option as it is written
    if gold is None and needs_answer:
        return row.bad("no_answer", "the answer is missing or is no text, number or list of these")
    named = split or row.split or settings.split
    if named is None and unofficial:
        named = "train"  # a placeholder: see `Unsplit`
    if named is None:
        raise DataError(
            f"source `{settings.name}`: cannot tell which split `{row.place.rsplit(':', 1)[0]}` is; add `split: train`, "
            f"`dev` or `test` to the source, or name the file so"
        )
    try:
        return Problem.make(
            text,
            "seed",
            fields.pop("source", settings.title),
            split=named,
            licence=settings.licence or licence,
            answer=gold,
            answer_from="gold" if gold is not None else None,
            **fields,
        )
    except ValidationError as e:
        return row.bad("bad_row", "; ".join(f"{x['loc']}: {x['msg']}" for x in e.errors()))


def family_of(row: Row, *columns: str) -> str | None:
    """Name what problems of one make share, by the first of these columns that the row has; None where it has none."""
    found = (row.values.get(name) for name in columns)
    value = next((v for v in found if v not in (None, "")), None)
    return None if value is None else digest("family", str(value))


def generated(read: R) -> R:
    """Mark a reader whose problems a grammar writes: every one is near some other, and it has a held-out rule of its own."""
    vars(read)["generated"] = True
    return read


def is_generated(read: Reader) -> bool:
    """Tell whether a reader is marked so: its problems are compared word for word only, and written for the split asked for."""
    return bool(getattr(read, "generated", False))


def unsplit(found: Problem | Rejected) -> Unsplit | Rejected:
    """Mark a problem as one whose set has no official split."""
    return Unsplit(found) if isinstance(found, Problem) else found


def place_of(path: str | None, item: str) -> str:
    """Return where a rejected line stands, with the folder that `Row.place` leaves out: `folder/file:line`."""
    if path is None:
        return item
    where = Path(path).expanduser()
    return str((where if where.is_dir() else where.parent) / item)


def each(rows: Iterable[Row | Rejected], make: Callable[[Row], Found]) -> Iterator[Found]:
    """Turn rows into what a reader yields; rows that were bad already pass through."""
    return (row if isinstance(row, Rejected) else make(row) for row in rows)
