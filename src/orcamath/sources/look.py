"""What a data set of the user's seems to be, before a recipe describes it: how it is written, its columns, what it holds.

In: a file, a folder or a hub set. Out: settings of a source that read it, and what was seen with them: the first rows, kinds of
answers, languages, rows that are none, splits. Every guess is shown, and written into the recipe (`orcamath init`); a run
guesses nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from orcamath.errors import DataError, UsageError, nearest
from orcamath.records import Problem, Rejected
from orcamath.sources import file, hub
from orcamath.sources.clusters import Sketches
from orcamath.sources.guess import guessed
from orcamath.sources.hub_rows import HubSet, commit_of, rows_of
from orcamath.sources.rows import FORMS, Writing, files_of, rows
from orcamath.sources.source import Found, Reader, Row, SourceSettings, Unsplit
from orcamath.sources.written import how_written
from orcamath.text.columns import Theirs, columns_in
from orcamath.text.languages import language_of

__all__ = ["Drawn", "FirstLook", "drawn", "look", "look_all", "look_up"]

NOTHING_TOLD: Mapping[str, Theirs] = MappingProxyType({})
SHOWN = 200
"""Rows by which columns are guessed."""
COUNTED = 20_000
"""Rows that are read with the guess, for the counts."""


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
    left: Mapping[str, str]
    """Columns whose names are known, and why they were not taken."""


def look_all(named: Sequence[str], told: Mapping[str, Theirs]) -> list[FirstLook]:
    """Look at several sets, each once and under a name of its own; a column that is `told` is of the sets that have it.

    Raises UsageError for a column that none has, DataError as `look` does.
    """
    seen = [look(name, told) for name in dict.fromkeys(named)]
    present = [name for one in seen for name in one.columns]
    for ours, theirs in told.items():
        if not any(set(filter(None, columns_in(theirs))) <= set(one.columns) for one in seen):
            missing = next((name for name in columns_in(theirs) if name not in present), columns_in(theirs)[0])
            raise UsageError(f"--column {ours}: no set has the column `{missing}`; {nearest(missing, present)}")
    return _called_apart(seen)


def _called_apart(seen: Sequence[FirstLook]) -> list[FirstLook]:
    """Call sets of one name by their folders too (`a-train`, `b-train`), and count those that are still alike."""
    names = Counter(one.settings.title for one in seen)
    apart: dict[str, FirstLook] = {}
    for one in seen:
        name = one.settings.title
        if names[name] > 1:
            folder = Path(one.settings.path or str(one.settings.options["dataset"])).parent.name
            name = f"{folder}-{name}" if folder else name
        name = next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(seen) + 1))) if n not in apart)
        apart[name] = one._replace(settings=one.settings.model_copy(update={"called": name}))
    return list(apart.values())


def look(named: str, told: Mapping[str, Theirs] = NOTHING_TOLD) -> FirstLook:
    """Look at a file, a folder of files, or a hub set `owner/name`; of its columns those `told` (ours → theirs) are not guessed.

    Raises DataError where there is none, it cannot be read, or nothing in it looks like a question.
    """
    if Path(named).expanduser().exists():
        return _in_files(named, told)
    if named.count("/") == 1 and not named.startswith((".", "/", "~")):
        return look_up(named, told)
    raise DataError(f"there is no file `{named}`; name a file, a folder, or a data set on the hub as owner/name")


def look_up(dataset: str, told: Mapping[str, Theirs] = NOTHING_TOLD) -> FirstLook:
    """Look at a set on the hub, by its commit, or at a local folder that `datasets` opens. Raises DataError as `look` does."""
    commit = commit_of(dataset, None)
    found = list(islice(rows_of(HubSet(dataset), commit), SHOWN))
    revision = None if commit == "local" else commit
    split = None if any(isinstance(row, Row) and row.split for row in found) else "train"  # its splits have other names
    settings = SourceSettings(name="hub", revision=revision, split=split, options={"dataset": dataset})
    return _seen(dataset, settings, found, hub.read, told)


def _in_files(named: str, told: Mapping[str, Theirs]) -> FirstLook:
    settings = SourceSettings(name="file", path=named)
    files = files_of(settings, None, FORMS)
    writing = how_written(files[0])
    found = [row for f in files for row in islice(rows(f, writing, Path(named).expanduser()), SHOWN)]
    return _seen(named, settings.model_copy(update={"options": _said(writing)}), found, file.read, told)


def _seen(
    named: str, settings: SourceSettings, found: Sequence[Row | Rejected], read: Reader, told: Mapping[str, Theirs]
) -> FirstLook:
    """Guess the columns by the first rows, and read the set with them."""
    first = [row.values for row in found if isinstance(row, Row)]
    if not first:
        why = f": {found[0].item} {found[0].detail}" if found and isinstance(found[0], Rejected) else ""
        raise DataError(f"`{named}` holds no row that can be read{why}; is it the file you meant?")
    called = Path(named).name.split(".")[0]
    columns = tuple(dict.fromkeys(c for values in first for c in values))
    here = {ours: theirs for ours, theirs in told.items() if all(c in columns for c in columns_in(theirs) if c)}
    guess = guessed(named, first, here)
    settings = settings.model_copy(
        update={"called": called, "columns": guess.columns, "options": {**settings.options, **guess.options}}
    )
    return _counted(settings, columns, read(settings), guess.left)


def _said(writing: Writing) -> dict[str, Any]:
    """Return the options that say how a file is written, where it is not the usual way."""
    encoding = {"encoding": writing.encoding} if writing.encoding != "utf-8" else {}
    return encoding | ({"delimiter": writing.delimiter} if writing.delimiter is not None else {})


def _counted(
    settings: SourceSettings, columns: tuple[str, ...], found: Iterable[Found], left: Mapping[str, str]
) -> FirstLook:
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
        left=left,
    )


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
