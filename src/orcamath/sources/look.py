"""What a data set of the user's seems to be, before a recipe describes it: how it is written, its columns, what it holds.

In: a file, a folder or a hub set. Out: settings of a source that read it, and what was seen with them: the first rows, kinds of
answers, languages, rows that are none, splits. Every guess is shown, and written into the recipe (`orcamath init`); a run
guesses nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple, get_args

from orcamath.errors import DataError
from orcamath.records import AnswerKind, Problem, Rejected
from orcamath.sources import file, hub
from orcamath.sources.clusters import Sketches
from orcamath.sources.hub_rows import HubSet, commit_of, rows_of
from orcamath.sources.rows import FORMS, Writing, files_of, rows
from orcamath.sources.source import (
    Found,
    Reader,
    Row,
    SourceSettings,
    Unsplit,
    number_text,
    split_named,
)
from orcamath.sources.written import how_written
from orcamath.text.choices import choices_in
from orcamath.text.columns import (
    ANSWER_COLUMNS,
    OPTIONS_COLUMNS,
    PERHAPS_ANSWER,
    QUESTION_COLUMNS,
    SOLUTION_COLUMNS,
    column_of,
)
from orcamath.text.languages import language_of

__all__ = ["Drawn", "FirstLook", "drawn", "look", "look_up"]

SHOWN = 200
"""Rows by which columns are guessed."""
COUNTED = 20_000
"""Rows that are read with the guess, for the counts."""
TEXT_CHARS = 12
_OURS: dict[str, Callable[[object], bool]] = {
    "split": lambda value: split_named(str(value)) is not None,
    "kind": lambda value: value in get_args(AnswerKind),
    "options": lambda value: isinstance(choices_in(value), list),
}
"""Our own columns that mean something: one of the same name that holds something else is none of them."""


class FirstLook(NamedTuple):
    """What was seen of one data set."""

    settings: SourceSettings
    """How to read it."""
    columns: tuple[str, ...]
    """All there are, in their order."""
    rows: tuple[Problem, ...]
    """The first, as they are read."""
    n: int
    """Problems among the rows that were counted."""
    whole: bool
    """Whether these were all rows."""
    kinds: dict[str, int]
    """Kind of answer → problems; `none` for those without."""
    languages: dict[str, int]
    """ISO code → problems; `unknown` where nothing tells."""
    splits: dict[str, int]
    """The set's own splits → problems."""
    bad: tuple[Rejected, ...]
    """Rows that are no problem."""


def look(named: str) -> FirstLook:
    """Look at a file, a folder of files, or a hub set `owner/name`.

    Raises DataError where there is none, it cannot be read, or nothing in it looks like a question.
    """
    if Path(named).expanduser().exists():
        return _in_files(named)
    if named.count("/") == 1 and not named.startswith((".", "/", "~")):
        return look_up(named)
    raise DataError(f"there is no file `{named}`; name a file, a folder, or a data set on the hub as owner/name")


def look_up(dataset: str) -> FirstLook:
    """Look at a set on the hub, by its commit, or at a local folder that `datasets` opens. Raises DataError as `look` does."""
    commit = commit_of(dataset, None)
    found = list(islice(rows_of(HubSet(dataset), commit), SHOWN))
    revision = None if commit == "local" else commit
    split = None if any(isinstance(row, Row) and row.split for row in found) else "train"  # its splits have other names
    settings = SourceSettings(name="hub", revision=revision, split=split, options={"dataset": dataset})
    return _seen(dataset, settings, found, hub.read)


def _in_files(named: str) -> FirstLook:
    settings = SourceSettings(name="file", path=named)
    files = files_of(settings, None, FORMS)
    writing = how_written(files[0])
    found = [row for f in files for row in islice(rows(f, writing, Path(named).expanduser()), SHOWN)]
    return _seen(named, settings.model_copy(update={"options": _said(writing)}), found, file.read)


def _seen(named: str, settings: SourceSettings, found: Sequence[Row | Rejected], read: Reader) -> FirstLook:
    """Guess the columns by the first rows, and read the set with them."""
    first = [row.values for row in found if isinstance(row, Row)]
    if not first:
        why = f": {found[0].item} {found[0].detail}" if found and isinstance(found[0], Rejected) else ""
        raise DataError(f"`{named}` holds no row that can be read{why}; is it the file you meant?")
    called = Path(named).name.split(".")[0]
    settings = settings.model_copy(update={"called": called, "columns": _columns(named, first)})
    return _counted(settings, tuple(dict.fromkeys(c for values in first for c in values)), read(settings))


def _said(writing: Writing) -> dict[str, Any]:
    """Return the options that say how a file is written, where it is not the usual way."""
    encoding = {"encoding": writing.encoding} if writing.encoding != "utf-8" else {}
    return encoding | ({"delimiter": writing.delimiter} if writing.delimiter is not None else {})


def _counted(settings: SourceSettings, columns: tuple[str, ...], found: Iterable[Found]) -> FirstLook:
    taken = list(islice(found, COUNTED + 1))
    whole, taken = len(taken) <= COUNTED, taken[:COUNTED]
    problems = [f.problem if isinstance(f, Unsplit) else f for f in taken if not isinstance(f, Rejected)]
    bad = tuple(f for f in taken if isinstance(f, Rejected))
    if not problems:
        raise DataError(
            f"none of {len(bad):,} rows is a problem; {bad[0].item} {bad[0].detail}. Is it the file you meant?"
        )
    kinds = Counter(p.answer_kind if p.answer is not None else "none" for p in problems)
    languages = Counter(language_of(p.question) or "unknown" for p in problems)
    splits = Counter[str](p.split for p in problems)
    return FirstLook(
        settings=settings.model_copy(update={"on_bad_line": "skip"}) if bad else settings,
        columns=columns,
        rows=tuple(problems[:3]),
        n=len(problems),
        whole=whole,
        kinds=dict(kinds.most_common()),
        languages=dict(languages.most_common()),
        splits=dict(splits),
        bad=bad,
    )


# which column is what


def _columns(named: str, values: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Guess our column → theirs where the names differ. Raises DataError where no column looks like a question."""
    names = list(dict.fromkeys(name for row in values for name in row))
    texts = {name: [row.get(name) for row in values] for name in names}
    question = _named(names, QUESTION_COLUMNS, lambda name: _texts(texts[name])) or max(
        (name for name in names if _wordy(texts[name])), key=lambda name: _asks(texts[name]), default=None
    )
    if question is None:
        raise DataError(
            f"no column of `{named}` looks like a question (its columns: {', '.join(names)}); give a file with one text a row"
        )
    left = [name for name in names if name != question]
    answer = _named(left, (*ANSWER_COLUMNS, *PERHAPS_ANSWER), lambda name: _fill(texts[name]) > 0.5)
    answer = answer or _answering(left, texts)
    solution = _named([n for n in left if n != answer], SOLUTION_COLUMNS, lambda name: _wordy(texts[name]))
    options = _named(left, OPTIONS_COLUMNS, lambda name: any(isinstance(choices_in(v), list) for v in texts[name]))
    found = {"question": question, "answer": answer, "solution": solution, "options": options}
    other = {ours: "" for ours, fits in _OURS.items() if any(not fits(v) for v in texts.get(ours, ()) if v)}
    return other | {ours: theirs for ours, theirs in found.items() if theirs is not None and theirs != ours}


def _named(names: Iterable[str], known: tuple[str, ...], fits: Callable[[str], bool]) -> str | None:
    """Return the column with the first of the known names among those whose values fit."""
    return column_of(known, tuple(name for name in names if fits(name)))


def _answering(names: Iterable[str], texts: Mapping[str, Sequence[object]]) -> str | None:
    """Return a column of numbers that do not just count the rows, else one of worked solutions that end with an answer."""
    for fits in (_numbers, _worked):
        for name in names:
            if fits(texts[name]) > 0.5:
                return name
    return None


def _texts(values: Sequence[object]) -> bool:
    """Tell whether most values are texts, and no numbers."""
    return 2 * sum(isinstance(v, str) and not _is_number(v) for v in values) > len(values)


def _wordy(values: Sequence[object]) -> bool:
    """Tell whether most values are texts of some length; words are not counted, for not all languages part them."""
    return 2 * sum(isinstance(v, str) and len(v.strip()) >= TEXT_CHARS for v in values) > len(values)


def _asks(values: Sequence[object]) -> tuple[float, float]:
    """Return the share of values that end with a question mark, and their mean length."""
    said = [v.strip() for v in values if isinstance(v, str)]
    return sum(v.endswith(("?", "？", "؟")) for v in said) / len(values), sum(map(len, said)) / len(values)


def _fill(values: Sequence[object]) -> float:
    return sum(number_text(v) is not None for v in values) / len(values)


def _numbers(values: Sequence[object]) -> float:
    spelled = [number_text(v) for v in values]
    numbers = [float(s) for s in spelled if s is not None and _is_number(s)]
    counts_rows = len(numbers) > 2 and len({b - a for a, b in pairwise(numbers)}) == 1
    return 0.0 if counts_rows else len(numbers) / len(values)


def _is_number(text: str) -> bool:
    try:
        return bool(text) and float(text) == float(text)
    except ValueError:
        return False


def _worked(values: Sequence[object]) -> float:
    return sum(isinstance(v, str) and file.end_of(v) is not None for v in values) / len(values)


# what to measure on


SHARES = (20, 30, 40, 50)
"""Per cent of the clusters that may be for testing: the first is a recipe's default; few clusters may leave none at that."""
LEAST = 10
"""Test problems from which a share is enough, where there are so many at all."""


class Drawn(NamedTuple):
    """How the problems of all sets together part if their splits are drawn by near-duplicate cluster."""

    share: int
    """Per cent of the clusters that are for testing."""
    n_test: int
    """Of these problems, those with a known answer."""
    n_rest: int


def drawn(seen: Iterable[FirstLook]) -> Drawn | None:
    """Return the least share of test problems that can be measured on; None where no share leaves both sides something."""
    sketches, golds = Sketches(), list[bool]()
    for problem in _problems(seen):
        sketches.add(problem, None)
        golds.append(problem.answer is not None)
    best = None
    for share in SHARES if golds else ():
        tests = [split == "test" for split in sketches.cluster(test=share).splits]
        parts = Drawn(share, sum(t and gold for t, gold in zip(tests, golds, strict=True)), tests.count(False))
        if parts.n_test and parts.n_rest:
            best = best if best is not None and parts.n_rest < parts.n_test else parts
            if best.n_test >= LEAST:
                break
    return best


def _problems(seen: Iterable[FirstLook]) -> Iterator[Problem]:
    for one in seen:
        read = file.read if one.settings.name == "file" else hub.read
        for found in islice(read(one.settings), COUNTED):
            if not isinstance(found, Rejected):
                yield found.problem if isinstance(found, Unsplit) else found
