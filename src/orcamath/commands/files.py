"""Commands on files: judge answers, check for contamination."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from orcamath.assemble import Assembled
from orcamath.commands.ending import from_options
from orcamath.commands.purse import UNLIMITED, Purse
from orcamath.contamination.check import Checked, check_files
from orcamath.contamination.search import SearchSettings
from orcamath.errors import DataError, UsageError, nearest
from orcamath.families import find
from orcamath.judges.file import Summary, judge_file
from orcamath.judges.settings import JudgeSettings
from orcamath.report.progress import Bars
from orcamath.settings import ModelSettings
from orcamath.store.artifacts import Store
from orcamath.store.under_way import stage_under_way

__all__ = ["check", "judge"]

SHOWN_PAIRS = 10
SHOWN_CHARS = 160
"""Of the end of a response that the judge and its label differ about."""


def judge(
    path: Path, *, name: str, columns: Sequence[str], model: str | None, base_url: str | None, out: Path | None,
    offending: bool, store: Path, as_json: bool, purse: Purse = UNLIMITED,
) -> str:  # fmt: skip
    """Judge a file of answers; verdicts go to `out` as JSON lines, the summary is returned."""
    tools = Assembled(Store(store)) if model is not None else None
    chat = None
    if tools is not None and model is not None:
        with from_options():
            settings = ModelSettings(model=model, base_url=base_url) if base_url else ModelSettings(
                backend="transformers_local", model=model
            )  # fmt: skip
        chat = tools.chat(purse.settings(settings))
    judged_by = find("judge", name).make(JudgeSettings(name=name), chat)
    summary, bars = Summary(), Bars()
    bars.begin("judge", None)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    sink = out.open("wb") if out is not None else None
    try:
        with purse.opened() as budget, stage_under_way("judge", budget) as calls:
            for verdict in judge_file(path, judged_by, _mapping(columns), summary, keep=offending):
                bars.advance()
                if sink is not None:
                    sink.write(orjson.dumps(verdict.plain()) + b"\n")
        summary.model_calls = calls.n
        if not summary.n:
            raise DataError(f"`{path}` holds no row to judge; name a file with answers in it")
    finally:
        bars.end()
        if sink is not None:
            sink.close()
        if tools is not None:
            tools.close()
    plain = summary.plain()
    rows = [
        {**j.plain(), "response": j.comparison.response, "reference": j.comparison.reference} for j in summary.offending
    ]
    if as_json:
        return json.dumps({**plain, **({"offending": rows} if offending else {})}, indent=1)
    lines = [f"{key}: {value:.4f}" if isinstance(value, float) else f"{key}: {value:,}" for key, value in plain.items()]
    for r in rows:
        lines.append(f"row {r['row']}: {r['outcome']} ({r['reason']}), label {r['label']}; reference {r['reference']}")
        lines.append("  …" + " ".join(r["response"][-SHOWN_CHARS:].split()))
    return "\n".join(lines)


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    pairs = [c.partition("=") for c in columns]
    if wrong := [c for c in pairs if not c[1]]:
        raise UsageError(f"--column `{wrong[0][0]}` has no `=`; write --column response=my_column")
    return {ours: theirs for ours, _, theirs in pairs}


def check(
    training: Sequence[Path], tests: Sequence[Path], *, by: str | None, columns: Sequence[str], n: Sequence[int],
    threshold: float, as_json: bool,
) -> str:  # fmt: skip
    """Search training files for test questions; returns the counts and the most alike pairs.

    A column is `NAME`, for all files, or `FILE=NAME`, for one of them.
    """
    named = {file: name for file, _, name in (c.rpartition("=") for c in columns)}
    known = {"", *(str(path) for path in (*training, *tests)), *(path.name for path in (*training, *tests))}
    if strange := [file for file in named if file not in known]:
        raise UsageError(
            f"--column names the file `{strange[0]}`, which is none of those given; {nearest(strange[0], known)}"
        )
    settings = SearchSettings(threshold=threshold, **({"ngrams": tuple(n)} if n else {}))
    bars = Bars()
    bars.begin("check", None)
    try:
        found = check_files(training, tests, settings, by=by, columns=named, tick=bars.advance)
    finally:
        bars.end()
    return json.dumps(found.plain(), indent=1) if as_json else "\n".join(_told(found))


def _told(found: Checked) -> list[str]:
    plain = found.plain()
    lines = [
        f"{plain['n_training']:,} training problems, {plain['n_tests']:,} test questions, stop words {plain['stop_words']}",
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


def _marked(pieces: Sequence[tuple[str, bool]]) -> str:
    """Set shared words in brackets."""
    return "".join(f"[{text}]" if shared else text for text, shared in pieces)


def _counts(what: str, flagged: dict[str, dict[str, Any]], threshold: float) -> list[str]:
    return [f"{what}, {n}-grams: {c['ge']} at ≥ {threshold}, {c['gt']} above it" for n, c in flagged.items()]
