"""Commands on files: judge answers, check for contamination."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from orcamath.assemble import Assembled
from orcamath.checks.models import require_for
from orcamath.commands.answering import know_server
from orcamath.commands.ending import from_options, say
from orcamath.commands.given import given_rows
from orcamath.commands.models import address_of, with_key
from orcamath.commands.purse import UNLIMITED, Purse
from orcamath.contamination.check import Searched, check_files
from orcamath.contamination.search import SearchSettings
from orcamath.errors import DataError, UsageError, WireDown, nearest
from orcamath.export.places import check_place, export_place, write_lines
from orcamath.held import held
from orcamath.judges.file import JudgedRow, Summary, judge_rows
from orcamath.judges.settings import JudgeSettings
from orcamath.report.progress import Bars
from orcamath.settings import ModelSettings
from orcamath.store.artifacts import Store
from orcamath.store.under_way import Calls, stage_under_way
from orcamath.text.columns import Theirs, columns_in
from orcamath.visible import one_line

__all__ = ["judged", "mapped_columns", "searched", "told_search", "told_verdicts"]

SHOWN_PAIRS = 10
SHOWN_CHARS = 160
"""Of the end of a response that the judge and its label differ about."""


def told_verdicts(
    path: Path,
    *,
    name: str,
    columns: Sequence[str],
    model: str | None,
    base_url: str | None,
    out: Path | None,
    offending: bool,
    store: Path,
    as_json: bool,
    replace: bool = False,
    purse: Purse = UNLIMITED,
    api_key_env: str | None = None,
    same_model: bool = False,
) -> str:
    """Judge a file of answers; verdicts go to `out` as JSON lines, the summary is returned.

    Raises UsageError where `out` is there already, unless `replace`.
    """
    if out is not None:
        check_place(out, folder=False, replace=replace, of=path)
    summary = Summary()
    verdicts = judged(
        given_rows(path),
        summary,
        name=name,
        columns=mapped_columns(columns, "response=my_column"),
        model=model,
        base_url=base_url,
        api_key_env=api_key_env,
        same_model=same_model,
        store=store,
        purse=purse,
        keep=offending,
        where=str(path),
    )
    if out is None:
        deque(verdicts, maxlen=0)
    else:
        with export_place(out, folder=False, replace=replace, what="verdicts", of=path) as new:
            write_lines((verdict.plain() for verdict in verdicts), new)
    plain = summary.plain()
    rows = [j.plain() for j in summary.offending]
    if as_json:
        told = {**plain, "columns": summary.columns, **({"offending": rows} if offending else {})}
        return json.dumps(told, indent=1)
    lines = ["columns: " + ", ".join(f"{ours} ← {_several(theirs)}" for ours, theirs in summary.columns.items())]
    lines += [f"{key}: {_figure(value)}" for key, value in plain.items()]
    for r in rows:
        lines.append(f"row {r['row']}: {r['outcome']} ({r['reason']}), label {r['label']}; reference {r['reference']}")
        lines.append("  …" + " ".join(r["response"][-SHOWN_CHARS:].split()))
    return "\n".join(lines)


def _several(theirs: Theirs) -> str:
    return one_line(" + ".join(columns_in(theirs)), 40)


def _figure(value: object) -> str:
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def judged(
    rows: Iterable[Mapping[str, object]],
    summary: Summary,
    *,
    name: str,
    columns: Mapping[str, Theirs],
    model: str | None,
    base_url: str | None,
    store: Path,
    purse: Purse = UNLIMITED,
    keep: bool = False,
    where: str = "rows",
    api_key_env: str | None = None,
    same_model: bool = False,
) -> Iterator[JudgedRow]:
    """Yield a verdict for every row, adding each to `summary`; its calls of the model are counted, booked and remembered.

    `model` is asked where rules are unsure: behind `base_url` or as NAME@URL (its key in the variable `api_key_env`), or on this
    machine. Raises DataError where there is no row.
    """
    if model is not None:
        model, base_url = address_of(model, base_url)
    if base_url is not None and model is None:
        raise UsageError(
            f"`{base_url}` is where a model is served, and none is named: --model NAME, or leave --base-url out"
        )
    transport = with_key(api_key_env, [base_url] if model is not None else [])
    tools = Assembled(Store(store)) if model is not None else None
    bars = Bars()
    bars.begin("judge", None)
    try:
        chat = None
        if tools is not None and model is not None:
            asked = _asked(model, base_url, transport)
            chat = tools.chat(purse.settings(asked))
            know_server(asked, store, same=same_model)
        judge = held("judge", name)(JudgeSettings(name=name), chat)
        with purse.opened() as budget, stage_under_way("judge", budget) as calls:
            for verdict in judge_rows(rows, judge, columns, summary, keep=keep, where=where):
                bars.advance()
                yield verdict
        summary.model_calls = calls.n
        _tell_failures(calls, summary)
        if not summary.n:
            raise DataError(f"`{where}` holds no row to judge; name a file with answers in it")
    finally:
        bars.end()
        if tools is not None:
            tools.close()


def _tell_failures(calls: Calls, summary: Summary) -> None:
    """Say that rows are open because the model never answered. Raises WireDown where nothing was judged."""
    if not (n := len(calls.failures)):
        return
    why = f"of the judge's model did not come through, the last one with: {calls.failures[-1]}"
    if summary.unjudged == summary.n:
        raise WireDown(f"no row is judged: {n:,} calls {why}. Run again when it answers")
    say(f"warning: {n:,} calls {why}. Their rows are `unjudged`; run again to ask only these")


def _asked(model: str, base_url: str | None, transport: Mapping[str, str]) -> ModelSettings:
    with from_options():
        if base_url:
            return ModelSettings(model=model, base_url=base_url, **transport)
        require_for(f"`{model}`, a model that runs on this machine,", "torch")
        return ModelSettings(backend="transformers_local", model=model)


def mapped_columns(columns: Sequence[str], example: str) -> dict[str, Theirs]:
    """Read `OURS=YOURS` options, `options=A,B,C` too. Raises UsageError, with an example of one, where there is no `=`."""
    pairs = [c.partition("=") for c in columns]
    if wrong := [c for c in pairs if not c[1]]:
        raise UsageError(f"--column `{wrong[0][0]}` has no `=`; write --column {example}")
    return {
        ours: tuple(map(str.strip, theirs.split(","))) if ours == "options" and "," in theirs else theirs
        for ours, _, theirs in pairs
    }


def told_search(
    training: Sequence[Path],
    tests: Sequence[Path],
    *,
    by: str | None,
    columns: Sequence[str],
    n: Sequence[int],
    threshold: float,
    as_json: bool,
) -> str:
    """Search training files for test questions; returns the counts and the most alike pairs.

    A column is `NAME`, for all files, or `FILE=NAME`, for one of them.
    """
    named = {file: name for file, _, name in (c.rpartition("=") for c in columns)}
    known = {"", *(str(path) for path in (*training, *tests)), *(path.name for path in (*training, *tests))}
    if strange := [file for file in named if file not in known]:
        raise UsageError(
            f"--column names the file `{strange[0]}`, which is none of those given; {nearest(strange[0], known)}"
        )
    found = searched(training, tests, by=by, columns=named, n=n, threshold=threshold)
    return json.dumps(found.plain(), indent=1) if as_json else "\n".join(_told(found))


def searched(
    training: Sequence[Path],
    tests: Sequence[Path],
    *,
    by: str | None,
    columns: Mapping[str, str],
    n: Sequence[int],
    threshold: float,
) -> Searched:
    """Search training files for test questions, with a bar; see `check_files`. `n` are sizes of n-grams, or none for ours."""
    settings = SearchSettings(threshold=threshold, **({"ngrams": tuple(n)} if n else {}))
    bars = Bars()
    bars.begin("check", None)
    try:
        return check_files(training, tests, settings, by=by, columns=columns, tick=bars.advance)
    finally:
        bars.end()


def _told(found: Searched) -> list[str]:
    plain = found.plain()
    lines = [
        f"{plain['n_training']:,} training problems, {plain['n_tests']:,} test questions, stop words {plain['stop_words']}",
        *(f"questions of {file}: {_taken(columns)}" for file, columns in plain["columns"].items()),
        *_counts("test questions flagged", plain["flagged"], plain["threshold"]),
    ]
    lines += [
        f"look `{look}`: {n['tests']:,} test questions, {n['rows']:,} training problems"
        for look, n in plain["looks"].items()
    ]
    for value, part in plain["by"].items():
        lines += _counts(f"from `{value}` alone ({part['n_training']:,})", part["flagged"], plain["threshold"])
    for pair in plain["pairs"][:SHOWN_PAIRS]:
        scores = ", ".join(f"{look} {score:.2f}" for look, score in pair["scores"].items())
        lines.append(f"row {pair['row']} of {pair['file']}, row {pair['test']} of {pair['test_file']}: {scores}")
        lines += [f"  {side}: {_marked(pieces)}" for side, pieces in pair["texts"].items()]
    if len(plain["pairs"]) > SHOWN_PAIRS:
        lines.append(f"… {len(plain['pairs']) - SHOWN_PAIRS} more pairs with --json")
    return lines


def _taken(columns: Mapping[str, int]) -> str:
    """Say which columns were taken, and of how many rows each where rows differ."""
    told = {f"`{name.replace(' + ', '` + `')}`": n for name, n in columns.items()}
    return ", ".join(told) if len(told) == 1 else ", ".join(f"{name} ({n:,} rows)" for name, n in told.items())


def _marked(pieces: Sequence[tuple[str, bool]]) -> str:
    """Set shared words in brackets."""
    return "".join(f"[{text}]" if shared else text for text, shared in pieces)


def _counts(what: str, flagged: dict[str, dict[str, object]], threshold: float) -> list[str]:
    return [f"{what}, {n}-grams: {c['ge']} at ≥ {threshold}, {c['gt']} above it" for n, c in flagged.items()]
