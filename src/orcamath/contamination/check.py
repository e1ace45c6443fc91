"""Two sets of files against each other: what `orcamath check TRAIN… --against TEST…` calls.

In: files of training problems and of test questions (JSON Lines, JSON, CSV, TSV, Parquet, ASDiv's XML; plain or gzipped).
Out: the paper's counts, by origin where asked, the further looks, and the most alike pairs side by side. Training files are
streamed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from orcamath.contamination.pairs import looks_found, most_alike, side_by_side
from orcamath.contamination.search import MAX_PAIRS, SearchResult, SearchSettings, search
from orcamath.contamination.taken import KNOWN_COLUMNS, taken_question
from orcamath.contamination.words import stop_words
from orcamath.errors import DataError, UsageError, nearest
from orcamath.records import Problem, Rejected
from orcamath.sources import asdiv
from orcamath.sources.rows import form_of, rows
from orcamath.sources.source import SourceSettings, Unsplit
from orcamath.text.columns import column_of

__all__ = ["Searched", "check_files", "questions"]

MAX_VALUES = 50
"""Of a column by which counts are repeated: each value is one search through all training files."""
NO_COLUMNS: Mapping[str, str] = MappingProxyType({})


class Searched(NamedTuple):
    """What a check found."""

    found: SearchResult
    by: dict[str, SearchResult]
    """Value of the column asked for → the same search over these rows alone, `seed` first."""
    settings: SearchSettings
    pairs: list[dict[str, Any]]
    columns: dict[str, dict[str, int]]
    """File → the column or columns (`instruction + input`) that were taken for the question → how many rows."""

    @property
    def flagged(self) -> dict[str, dict[str, int]]:
        """n → test questions flagged at (`ge`) and above (`gt`) the threshold, over all rows."""
        return self.found.flagged(self.settings.threshold)

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        threshold = self.settings.threshold
        return {
            "n_training": self.found.n_rows,
            "n_tests": self.found.n_tests,
            "threshold": threshold,
            "stop_words": f"NLTK's {len(stop_words())}",
            "columns": self.columns,
            "flagged": self.flagged,
            "by": {v: {"n_training": f.n_rows, "flagged": f.flagged(threshold)} for v, f in self.by.items()},
            "looks": looks_found(self.found),
            "pairs": self.pairs,
        }


def check_files(
    training: Sequence[Path],
    tests: Sequence[Path],
    settings: SearchSettings | None = None,
    *,
    by: str | None = None,
    columns: Mapping[str, str] = NO_COLUMNS,
    max_pairs: int = MAX_PAIRS,
    tick: Callable[[int], None] = lambda _: None,
) -> Searched:
    """Search the training files for the test questions.

    `columns` names the question's column where it is none of KNOWN_COLUMNS: of one file (its path or name → column), or of all
    others (`""` → column). What belongs together is joined (see `taken_question`). `by` is a column of the training files (such
    as `origin`) by whose values the counts are repeated. Raises DataError for an unreadable line or a row without a question,
    UsageError for a column that is not there or has more than MAX_VALUES values, or a file that holds nothing.
    """
    settings = settings or SearchSettings()
    of_tests: dict[str, Counter[str]] = {}
    of_training: dict[str, Counter[str]] = {}
    asked = list(_placed(tests, columns, of_tests))
    if not asked:
        raise UsageError(f"{', '.join(map(str, tests))}: no test questions in there; name a file that holds some")
    texts = [question.text for question in asked]
    rows_asked = (row.text for row in questions(training, columns, of_training))
    found = search(rows_asked, texts, settings, tick=tick, max_pairs=max_pairs)
    if not found.n_rows:
        raise UsageError(f"{', '.join(map(str, training))}: no training problems in there; name a file that holds some")
    parts = _by_value(training, columns, by, texts, settings) if by else {}
    pairs = _pairs(found, training, columns, asked, max_pairs)
    taken = {file: dict(sorted(counts.items())) for file, counts in (of_training | of_tests).items()}
    return Searched(found, parts, settings, pairs, taken)


class _Placed(NamedTuple):
    """A question, its file and its row."""

    file: str
    row: int
    """In its file, from 1."""
    text: str


def _placed(
    paths: Iterable[Path], columns: Mapping[str, str], taken: dict[str, Counter[str]] | None = None
) -> Iterator[_Placed]:
    for path in paths:
        for row, question in enumerate(questions([path], columns, taken), 1):
            yield _Placed(path.name, row, question.text)


class _Question(NamedTuple):
    """The question of a row of a file."""

    path: Path
    text: str
    row: Mapping[str, object]


def questions(
    paths: Iterable[Path], columns: Mapping[str, str] = NO_COLUMNS, taken: dict[str, Counter[str]] | None = None
) -> Iterator[_Question]:
    """Stream every row's question; the columns that it was in are counted by file in `taken`.

    Raises DataError with the place, also for a row whose columns of a question hold no text; UsageError for a missing column.
    """
    for path in paths:
        if path.is_dir() or not path.exists():
            raise DataError(f"there is no file `{path}`; check the path (of a folder, name the files)")
        counts = Counter[str]() if taken is None else taken.setdefault(str(path), Counter())
        for i, row in enumerate(_asdiv(path) if form_of(path) == ".xml" else rows(path), 1):
            if isinstance(row, Rejected):
                raise DataError(f"{row.item} {row.detail}; mend or remove that line")
            values, place = (
                (row.row(), f"{path.name}:problem {i}") if isinstance(row, Problem) else (row.values, row.place)
            )
            column = _column(path, columns)
            found = taken_question(values, column)
            if found is None:
                raise _no_question(path, place, values, column)
            counts[" + ".join(found.columns)] += 1
            yield _Question(path, found.text, values)


def _asdiv(path: Path) -> Iterator[Problem | Rejected]:
    """ASDiv is the one set among the paper's that its authors publish as XML."""
    for found in asdiv.read(SourceSettings(name="asdiv", path=str(path))):
        yield found.problem if isinstance(found, Unsplit) else found


def _column(path: Path, columns: Mapping[str, str]) -> str | None:
    """Return the question's column that is named for a file (by its path or name), or for all."""
    return columns.get(str(path)) or columns.get(path.name) or columns.get("")


def _no_question(path: Path, place: str, values: Mapping[str, object], column: str | None) -> DataError | UsageError:
    """Say that a row has no column for the question, or that it holds no text."""
    if column is not None:
        held = [name for name in values if name == column]
    else:
        held = [name for name in values if column_of(KNOWN_COLUMNS, (name,)) is not None]
    if held:
        names = ", ".join(f"`{name}`" for name in held)
        return DataError(
            f"{place} has no text in {names}; mend or remove that line, or name another column with --column"
        )
    wanted = f"no column `{column}`" if column else f"none of the columns {', '.join(KNOWN_COLUMNS)}"
    return UsageError(
        f"`{path}` has {wanted}; {nearest(column or 'question', map(str, values))}. Name it with --column"
    )


def _by_value(
    training: Sequence[Path], columns: Mapping[str, str], by: str, tests: Sequence[str], settings: SearchSettings
) -> dict[str, SearchResult]:
    """Repeat the paper's procedure for the rows of each value, each with its own document frequencies."""
    values: set[str] = set()
    for path, _, row in questions(training, columns):
        if by not in row:
            raise UsageError(f"`{path}` has no column `{by}`; {nearest(by, map(str, row))}")
        values.add(str(row[by]))
        if len(values) > MAX_VALUES:
            raise UsageError(
                f"the column `{by}` has more than {MAX_VALUES} values, and counts are repeated for each; name one with few, such "
                f"as origin or source"
            )
    return {
        value: search(
            (text for _, text, row in questions(training, columns) if str(row[by]) == value),
            tests,
            settings,
            looks=("paper",),
        )
        for value in sorted(values, key=lambda v: (v != "seed", v))
    }


def _pairs(
    found: SearchResult, training: Sequence[Path], columns: Mapping[str, str], asked: Sequence[_Placed], limit: int
) -> list[dict[str, object]]:
    alike = most_alike(found, limit)
    wanted = {row for row, _, _ in alike}
    placed = {i: question for i, question in enumerate(_placed(training, columns)) if i in wanted}
    return [
        {
            "row": placed[row].row,
            "file": placed[row].file,
            "test": asked[test].row,
            "test_file": asked[test].file,
            "scores": scores,
            "texts": side_by_side(placed[row].text, asked[test].text),
        }
        for row, test, scores in alike
    ]
