"""Two sets of files against each other: what `orcamath check TRAIN… --against TEST…` calls.

In: files of training problems and of test questions (JSON Lines, JSON, CSV, TSV, Parquet, ASDiv's XML; plain or gzipped).
Out: the paper's counts, by origin where asked, the further looks, and the most alike pairs side by side. Training files are
streamed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from orcamath.contamination.pairs import looks_found, most_alike, side_by_side
from orcamath.contamination.search import SearchResult, SearchSettings, search
from orcamath.contamination.words import stop_words
from orcamath.errors import DataError, UsageError, nearest
from orcamath.records import Problem, Rejected
from orcamath.sources import asdiv
from orcamath.sources.rows import form_of, rows
from orcamath.sources.source import SourceSettings, Unsplit
from orcamath.sources.svamp import joined_text
from orcamath.text.columns import QUESTION_COLUMNS, column_of

__all__ = ["Searched", "check_files", "questions"]

MAX_PAIRS = 200
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

    `columns` names the question's column where it is none of QUESTION_COLUMNS: of one file (its path or name → column), or of all
    others (`""` → column). SVAMP's `Body` and `Question` are joined. `by` is a column of the training files (such
    as `origin`) by whose values the counts are repeated. Raises DataError for an unreadable line, UsageError for a column
    that is not there or has more than MAX_VALUES values, or a file that holds nothing.
    """
    settings = settings or SearchSettings()
    asked = list(_placed(tests, columns))
    if not asked:
        raise UsageError(f"{', '.join(map(str, tests))}: no test questions in there; name a file that holds some")
    texts = [question.text for question in asked]
    found = search((text for _, text, _ in questions(training, columns)), texts, settings, tick=tick)
    if not found.n_rows:
        raise UsageError(f"{', '.join(map(str, training))}: no training problems in there; name a file that holds some")
    parts = _by_value(training, columns, by, texts, settings) if by else {}
    return Searched(found, parts, settings, _pairs(found, training, columns, asked, max_pairs))


class _Placed(NamedTuple):
    """A question, its file and its row."""

    file: str
    row: int
    """In its file, from 1."""
    text: str


def _placed(paths: Iterable[Path], columns: Mapping[str, str]) -> Iterator[_Placed]:
    for path in paths:
        for row, (_, text, _) in enumerate(questions([path], columns), 1):
            yield _Placed(path.name, row, text)


def questions(
    paths: Iterable[Path], columns: Mapping[str, str] = NO_COLUMNS
) -> Iterator[tuple[Path, str, Mapping[str, object]]]:
    """Stream (file, question, row) of every row. Raises DataError with the place, UsageError for a missing column."""
    for path in paths:
        if path.is_dir() or not path.exists():
            raise DataError(f"there is no file `{path}`; check the path (of a folder, name the files)")
        for row in _asdiv(path) if form_of(path) == ".xml" else rows(path):
            if isinstance(row, Rejected):
                raise DataError(f"{row.item} {row.detail}; mend or remove that line")
            values = row.row() if isinstance(row, Problem) else row.values
            yield path, _question(path, values, _column(path, columns)), values


def _asdiv(path: Path) -> Iterator[Problem | Rejected]:
    """ASDiv is the one set among the paper's that its authors publish as XML."""
    for found in asdiv.read(SourceSettings(name="asdiv", path=str(path))):
        yield found.problem if isinstance(found, Unsplit) else found


def _column(path: Path, columns: Mapping[str, str]) -> str | None:
    """Return the question's column that is named for a file (by its path or name), or for all."""
    return columns.get(str(path)) or columns.get(path.name) or columns.get("")


def _question(path: Path, values: Mapping[str, object], column: str | None) -> str:
    if column is None and "Body" in values and "Question" in values:
        return joined_text(values["Body"], values["Question"]) or ""
    name = column or column_of(QUESTION_COLUMNS, tuple(values), spelled=True)
    if name is None or name not in values:
        wanted = f"no column `{name}`" if name else f"none of the columns {', '.join(QUESTION_COLUMNS)}"
        raise UsageError(
            f"`{path}` has {wanted}; {nearest(name or 'question', map(str, values))}. Name it with --column"
        )
    return str(values[name] if values[name] is not None else "")


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
