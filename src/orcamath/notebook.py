"""The package as a library: `import orcamath as om`, then `om.run`, `om.judge`, `om.check`, `om.evaluate`.

In: a recipe, rows (a list of dicts, a DataFrame, or a file's path) or a model's name. Out: a `Result`: records as plain dicts, a
summary, and a DataFrame where pandas is installed. Each does what the command of its name does, by the same code: what was
paid for is remembered in `store/`, runs lie in `runs/`, and what goes wrong is an `OrcamathError`.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from orcamath.commands.asked import RunAsked
from orcamath.commands.called import called
from orcamath.commands.ending import from_options
from orcamath.commands.files import judged, searched
from orcamath.commands.given import Rows, given_rows
from orcamath.commands.measuring import Wanted, evaluated
from orcamath.commands.measuring import plain_scores as plain_measures
from orcamath.commands.purse import Purse
from orcamath.commands.reporting import plain_report, reported
from orcamath.commands.runs import run_loaded
from orcamath.contamination.search import LOOKS
from orcamath.errors import OrcamathError, UsageError
from orcamath.export.places import write_lines
from orcamath.families import boundary
from orcamath.judges.file import Summary
from orcamath.recipe_file import load
from orcamath.stages.evaluate import EvaluateSettings
from orcamath.store.run_state import Commands
from orcamath.text.columns import Theirs
from orcamath.workshop import UntilReached

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Result", "Rows", "check", "evaluate", "judge", "run"]

Row: TypeAlias = dict[str, Any]
"""A row as plain values."""
Price = tuple[float, float]
"""US dollars per million tokens, in and out."""


@dataclass(frozen=True)
class Result:
    """What a function here found."""

    records: list[Row]
    """One JSON object a row."""
    summary: Row = field(repr=False)
    """What holds for all of them together, as the command's `--json` has it."""

    @property
    def frame(self) -> "DataFrame":
        """The records as a DataFrame. Raises UsageError where pandas is not installed."""
        try:
            from pandas import DataFrame
        except ImportError as e:
            raise UsageError("a DataFrame needs pandas: `pip install pandas`; `.records` has the same rows") from e
        return DataFrame(self.records)

    def _repr_html_(self) -> str | None:
        """Draw the records in a notebook; nothing, and so the plain form, where there is no pandas."""
        try:
            return str(self.frame.to_html(max_rows=20, notebook=True))
        except UsageError:
            return None


@called
def run(
    recipe: str | Path | Mapping[str, object],
    *,
    name: str | None = None,
    settings: Mapping[str, object] | None = None,
    limit: int | None = None,
    until: str | None = None,
    pay_again: bool = False,
    same_model: bool = False,
    reviewed: bool = False,
    runs: str | Path = "runs",
    store: str | Path = "store",
) -> Result:
    """Run a recipe (a shipped name, a file, or a dict) and return its score table; running it again is resuming it.

    Records: a row a student and benchmark, `score` a share of `n` problems with its 95 % limits `low` and `high`.

    `settings` overrides single keys (`{"learn.beta": 0.2}`), `limit` takes few seeds, `until` stops after a stage (then there are
    no records), `reviewed` goes on where `review: pause` stopped. Summary: `name`, `report` (the page), `findings`. Raises what
    the command would end with: `RecipeError`, `Stopped` where running again goes on, and others of `orcamath.errors`.
    """
    set_here = {key: _plain(key, _spelled(value)) for key, value in (settings or {}).items()}
    asked = {key: _spelled(value) for key, value in recipe.items()} if isinstance(recipe, Mapping) else str(recipe)
    loaded = load(asked, set_here, limit=limit)
    places = Path(runs), Path(store)
    wishes = RunAsked(*places, name, until, limit, pay_again=pay_again, same_model=same_model, reviewed=reviewed)
    commands = _commands(recipe, until, set_here, name=name, limit=limit, runs=str(runs), store=str(store))
    with boundary():
        try:
            path = run_loaded(loaded, wishes, commands)
        except UntilReached as reached:
            return Result([], {"name": name or loaded.name, "stopped": str(reached)})
        told = plain_report(*reported(path, Path(store)))
    rows = [{**row, **dict(zip(("score", "low", "high"), row["score"], strict=True))} for row in told.pop("rows")]
    return Result(rows, told)


def _plain(key: str, value: object) -> object:
    """Return a setting as it is. Raises UsageError for a value that no recipe can hold."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except (TypeError, ValueError) as e:
        raise UsageError(
            f"`settings` gives `{key}` a {type(value).__name__}: a recipe holds texts, numbers, lists and dicts"
        ) from e


def _spelled(value: object) -> object:
    """Return a value with paths as texts and numpy's numbers as Python's, however deep."""
    if isinstance(value, Mapping):
        return {key: _spelled(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(inner) for inner in value]
    if isinstance(value, PathLike):
        return fspath(value)
    return value.item() if isinstance(value, Number) and hasattr(value, "item") else value


def _commands(
    recipe: str | Path | Mapping[str, object], until: str | None, settings: Mapping[str, object], **told: object
) -> Commands:
    """Return by what a run goes on that was begun by this call."""
    usual = {"runs": "runs", "store": "store"}
    given = {what: value for what, value in told.items() if value is not None and value != usual.get(what)}

    def typed(until: str | None, settings: Mapping[str, object], **more: object) -> str:
        words = {**given, "settings": settings or None, "until": until, **more}
        called = "{…}" if isinstance(recipe, Mapping) else repr(str(recipe))
        return f"orcamath.run({', '.join([called, *(f'{k}={v!r}' for k, v in words.items() if v is not None)])})"

    return Commands(
        again=typed(until, settings),
        past_until=typed(None, settings),
        reviewed=typed(until, settings, reviewed=True),
        changed=lambda key: typed(until, {**settings, key: "…"}),
    )


@called
def judge(
    rows: Rows,
    *,
    judge: str = "cascade",
    columns: Mapping[str, Theirs] | None = None,
    model: str | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    same_model: bool = False,
    cap_usd: float | None = None,
    price: Price | None = None,
    store: str | Path = "store",
) -> Result:
    """Judge answers against references. Records: one verdict a row, with reason, guess, reference and response.

    Rows need `response` and `gold` or `reference`; `question`, `label`, `kind`, `options`, `id` are used where there.
    `columns` maps these names to yours. `model` (a name with its `base_url`, NAME@URL, or one of this machine) is asked where
    rules are unsure; `api_key_env` names the variable of its key, and `same_model` says that a server is who answered before.
    Raises DataError for rows that cannot be read, UsageError for columns that are not there.
    """
    summary = Summary()
    with boundary():
        verdicts = judged(
            given_rows(rows),
            summary,
            name=judge,
            columns=columns or {},
            model=model,
            base_url=base_url,
            api_key_env=api_key_env,
            same_model=same_model,
            store=Path(store),
            purse=Purse(cap_usd, price),
        )
        records = [j.plain() for j in verdicts]
    return Result(records, summary.plain())


@called
def check(
    train: Rows, test: Rows, *, column: str | None = None, by: str | None = None, threshold: float = 0.5
) -> Result:
    """Search training problems for test questions, as the paper did. Records: the most alike pairs, both texts side by side.

    `column` names the question's column where it is none of the usual, `by` a column of `train` by whose values counts are
    repeated. Summary: counts by n-gram (`flagged`), further looks. Raises UsageError where a side holds no question.
    """
    with tempfile.TemporaryDirectory(prefix="orcamath-") as folder, boundary():
        sides = [_file(rows, Path(folder) / f"{side}.jsonl") for side, rows in (("train", train), ("test", test))]
        columns = {"": column} if column is not None else {}
        try:
            found = searched([sides[0]], [sides[1]], by=by, columns=columns, n=(), threshold=threshold).plain()
        except OrcamathError as e:
            e.args = (_without_folder(str(e), folder), *e.args[1:])
            raise
        found["columns"] = {_without_folder(file, folder): taken for file, taken in found["columns"].items()}
    return Result([_flat(pair) for pair in found.pop("pairs")], found)


@called
def evaluate(
    model: str,
    on: str | Sequence[str],
    *,
    data: str | Path | None = None,
    columns: Mapping[str, Theirs] | None = None,
    compare: str | None = None,
    limit: int | None = None,
    samples: int = 1,
    sample_limit: int | None = None,
    skip_bad: bool = False,
    few_shot: int = 0,
    max_new_tokens: int = 512,
    judge: str = "cascade",
    judge_model: str | None = None,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    api_key_env: str | None = None,
    same_model: bool = False,
    cap_usd: float | None = None,
    price: Price | None = None,
    runs: str | Path = "runs",
    store: str | Path = "store",
) -> Result:
    """Measure a model (a folder, hub name, GGUF file, a run's student, or NAME@URL) on benchmarks: `gsm8k`, or `NAME=FILE`.

    `columns` maps `question`, `answer`, … to the columns of such a FILE; `skip_bad` leaves out its bad lines. Records: every
    answer with question, gold and verdict. Summary: scores with intervals, and under `compared` those of `compare` with paired
    differences. Raises UsageError, ModelError and DataError as the command does.
    """
    if not isinstance(on, list | tuple | str) or not all(isinstance(name, str) for name in on):
        raise UsageError(
            f"`on` is a {type(on).__name__}, and no list of names: name benchmarks, such as `on='gsm8k'`, or a file, "
            f"`on='own=test.csv'`; rows are written to one first (`frame.to_csv('test.csv')`)"
        )
    with from_options():
        settings = EvaluateSettings(
            max_new_tokens=max_new_tokens,
            samples=samples,
            temperature=0.7 if samples > 1 else 0.0,
            limit=limit,
            sample_limit=sample_limit,
        )
    wanted = Wanted(
        on.split(",") if isinstance(on, str) else list(on),
        settings,
        Path(data) if data is not None else None,
        judge=judge,
        judge_model=judge_model,
        compare=compare,
        dtype=dtype,
        few_shot=few_shot,
        columns=columns or {},
        skip_bad=skip_bad,
        api_key_env=api_key_env,
        same_model=same_model,
        purse=Purse(cap_usd, price),
    )
    with boundary():
        done = evaluated(model, wanted, runs=Path(runs), store=Path(store))
        return Result(list(done.rows()), plain_measures(done, wanted))


def _file(rows: Rows, path: Path) -> Path:
    """Return the file itself, or rows written into `path`: a search reads them more than once."""
    if isinstance(rows, str | Path):
        return Path(rows)
    write_lines(({str(name): _value(value) for name, value in row.items()} for row in given_rows(rows)), path)
    return path


def _without_folder(said: str, folder: str) -> str:
    """Return a text in which rows that were written into `folder` for a search are called by their side."""
    for side in ("train", "test"):
        said = said.replace(str(Path(folder) / f"{side}.jsonl"), side).replace(f"{side}.jsonl", side)
    return said


def _value(value: object) -> object:
    """Return what JSON holds as it is, and anything else, a time or a fraction, as text."""
    plain = _spelled(value)
    return plain if isinstance(plain, str | int | float | list | dict | None) else str(plain)


def _flat(pair: Row) -> Row:
    """Return a pair as one row: where both stand, both texts, and the score of each look that found it."""
    texts = {side: "".join(text for text, _ in pieces) for side, pieces in pair["texts"].items()}
    scores = {look: pair["scores"].get(look) for look in LOOKS}
    return {"train_row": pair["row"], "test_row": pair["test"], **texts, **scores}
