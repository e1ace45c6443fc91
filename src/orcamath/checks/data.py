"""The user's files: they exist, can be read, and their first rows are what the recipe takes them for.

In: the recipe's sources. Out: troubles. A source's own reader reads the first rows; the whole file is read by the run.
"""

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from orcamath.checks.trouble import Notes
from orcamath.errors import OrcamathError, nearest
from orcamath.held import held
from orcamath.prompts import load_prompt
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem, Rejected, Settings, Split
from orcamath.sources.choosing import SeedsSettings
from orcamath.sources.hub_rows import is_remote
from orcamath.sources.rows import rows
from orcamath.sources.source import Found, SourceSettings, Unsplit, is_generated
from orcamath.stages.seeds import refuse_test_split
from orcamath.stages.start_from import NEEDED, StartSettings

__all__ = ["check_data"]

ROWS = 200
"""Rows of each file that are looked at; of what a grammar writes one tells as much."""


def check_data(recipe: Recipe, notes: Notes, *, measures: bool = True) -> None:
    """Read the first rows of every source and of the file that stands in for earlier stages; parse prompts of the user's own.

    `measures`: whether the run comes to a student that is to be measured.
    """
    if recipe.start_from is not None:
        with notes.at("start_from"):
            _stand_in(recipe.start_from, notes)
    else:
        if not recipe.seeds.sources:
            notes.trouble(
                "seeds.sources", "no source is named, so there is nothing to grow from; name a file or a data set"
            )
        _seeds("seeds", recipe.seeds, notes)
    if recipe.as_they_are is not None:
        _seeds("as_they_are", recipe.as_they_are, notes)
    if not recipe.benchmarks.sources and measures:
        notes.warn("benchmarks.sources", "none is named, so no student will be measured; `orcamath init` proposes one")
    for i, source in enumerate(recipe.benchmarks.sources):
        _source(f"benchmarks.sources.{i}", source, (source.split or recipe.benchmarks.split,), notes, gold=True)
    _prompts(recipe, notes)


def _seeds(key: str, seeds: SeedsSettings, notes: Notes) -> None:
    for i, source in enumerate(seeds.sources):
        with notes.at(f"{key}.sources.{i}.split"):
            refuse_test_split(source, seeds)
        _source(f"{key}.sources.{i}", source, (source.split,) if source.split else seeds.splits, notes)


def _source(where: str, source: SourceSettings, splits: tuple[Split, ...], notes: Notes, *, gold: bool = False) -> None:
    """Note what is wrong with the first rows of one source."""
    if is_remote(source) and not notes.everything:
        notes.left_out(f"{where}: `{source.title}` comes from the hub")
        return
    try:
        reader = held("source", source.name)
    except OrcamathError:
        return  # `check_names` says so
    key = repr(source)
    with notes.at(where):
        if key not in notes.rows:
            notes.rows[key] = list(islice(reader(source), 1 if is_generated(reader) else ROWS))
        for trouble in _of_rows(notes.rows[key], source, splits, gold=gold):
            notes.trouble(where, trouble)


def _stand_in(start: StartSettings, notes: Notes) -> None:
    if start.path is None or not Path(start.path).expanduser().is_file():
        notes.trouble("start_from.path", f"`{start.path}` is no file; name the one that holds your {start.stage}")
        return
    needed = {ours: start.columns.get(ours, ours) for ours in NEEDED[start.stage]}
    for row in islice(rows(Path(start.path).expanduser()), ROWS):
        if isinstance(row, Rejected):
            if start.on_bad_line == "stop":
                notes.trouble("start_from", f"{row.item}: {row.detail}; mend that line, or say `on_bad_line: skip`")
            continue
        for ours, theirs in needed.items():
            if theirs not in row.values:
                fix = f"{nearest(str(theirs), row.values)}; name yours with `columns: {{{ours}: …}}`"
                notes.trouble("start_from.columns", f"{row.place} has no column `{theirs}`; {fix}")


def _of_rows(found: list[Found], source: SourceSettings, splits: Collection[Split], *, gold: bool) -> Iterator[str]:
    bad = [row for row in found if isinstance(row, Rejected)]
    if not found:
        yield f"`{source.path or source.title}` holds no problem"
    elif len(bad) == len(found):
        yield f"none of the first {len(found)} rows is a problem; {bad[0].item}: {bad[0].detail}. Name yours under `columns`"
    elif bad and source.on_bad_line == "stop":
        yield f"{bad[0].item}: {bad[0].detail}; mend that line, or say `on_bad_line: skip`"
    kept = [row for row in found if isinstance(row, Problem) and row.split in splits]
    drawn = [row.problem for row in found if isinstance(row, Unsplit)]
    if len(found) < ROWS and not kept and not drawn and len(bad) < len(found):
        yield f"no row is in the split wanted ({', '.join(splits)}); say `split:` for a file whose name does not tell"
    if gold and (kept or drawn) and not any(p.answer is not None for p in [*kept, *drawn]):
        yield "no row has a known answer, so nothing could be measured on it; name its column under `columns: {answer: …}`"


def _prompts(recipe: Recipe, notes: Notes) -> None:
    for name in type(recipe).model_fields:
        for where, path in _named_prompts(getattr(recipe, name), name):
            with notes.at(where):
                # any prompt of ours will do: a file is parsed alike, whoever uses it
                load_prompt("solver", **{"examples" if where.endswith(".examples") else "override": path})


def _named_prompts(value: object, where: str) -> Iterator[tuple[str, str]]:
    """Yield every file of a prompt, or of a prompt's worked examples, that is named anywhere below a section."""
    if isinstance(value, Settings):
        for name in type(value).model_fields:
            inner = getattr(value, name)
            if name in ("prompt", "examples") and isinstance(inner, str):
                yield f"{where}.{name}", inner
            else:
                yield from _named_prompts(inner, f"{where}.{name}")
