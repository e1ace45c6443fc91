"""Commands on models: ask one question, measure on benchmarks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orcamath.assemble import Assembled, find, slug
from orcamath.errors import OrcamathError, UsageError, nearest
from orcamath.evaluate import VERSION as EVALUATE_VERSION
from orcamath.evaluate import EvaluateSettings, evaluate
from orcamath.intervals import wilson
from orcamath.ports import Message, Pose, Request, Sampling
from orcamath.records import Scored
from orcamath.report.progress import Bars
from orcamath.settings import ModelSettings, StudentSettings
from orcamath.sources import reading
from orcamath.sources.reading import BenchmarksSettings, SourceSettings, contents
from orcamath.store.artifacts import Output, Store
from orcamath.store.ledger import Remembered

__all__ = ["answer_of", "evaluate_model", "open_model", "pose_as_chat"]


def open_model(
    name: str, tools: Assembled, runs: Path, store: Store, base_url: str | None = None
) -> tuple[Remembered, Pose]:
    """Open a model by folder, hub name, GGUF file, server, or as a run's student (`classroom/M1`, `classroom/kto-nll/M3`)."""
    if base_url is not None:
        return tools.chat(ModelSettings(model=name, base_url=base_url)), pose_as_chat
    settings = StudentSettings(base=_student_folder(name, runs, store) or name)
    player = tools.player(settings, tools.base(settings))
    return player.chat, player.pose


def pose_as_chat(question: str, sampling: Sampling, draw: int = 0) -> Request:
    """Pose a question to a model behind a server: as the only message of a conversation."""
    return Request((Message("user", question),), sampling=sampling, draw=draw)


def _student_folder(name: str, runs: Path, store: Store) -> str | None:
    run, _, student = name.rpartition("/")
    run, _, arm = run.partition("/")
    folder = runs / run / "arms" / slug(arm) if arm else runs / run
    pointers = folder / "stages.json"
    if Path(name).exists() or not run or not pointers.exists():
        return None
    students = {s["name"]: s["model"] for s in json.loads(pointers.read_text(encoding="utf-8"))["students"]}
    if student not in students:
        raise UsageError(f"run `{run}` has no student `{student}`; {nearest(student, students)}")
    return str(store.artifacts / students[student] / "model")


def answer_of(model: str, question: str, *, base_url: str | None, max_new_tokens: int, store: Path, runs: Path) -> str:
    """Ask a model one question, greedily; the answer as plain text."""
    from orcamath.report.table import printable

    where = Store(store)
    tools = Assembled(where)
    try:
        chat, pose = open_model(model, tools, runs, where, base_url)
        request = pose(question, Sampling(max_tokens=max_new_tokens))
        failures = chat.fill([request])
        reply = chat.reply(request)
    finally:
        tools.ledger.close()
    if reply is None:
        raise OrcamathError(f"`{model}` did not answer: {failures[-1] if failures else 'no reply'}")
    return printable(reply.text)


def evaluate_model(
    model: str, on: Sequence[str], *, data: Path | None, settings: EvaluateSettings, base_url: str | None, runs: Path,
    store: Path, as_json: bool,
) -> str:  # fmt: skip
    """Measure a model on benchmarks; returns a table or JSON. Resumable: answers are remembered, scores sealed."""
    where = Store(store)
    tools, bars = Assembled(where), Bars()
    sources = tuple(_source(name, data) for name in on)
    wanted = BenchmarksSettings(sources=sources)
    readers = {s.name: find("source", s.name).read for s in sources}
    try:
        chat, pose = open_model(model, tools, runs, where, base_url)
        judge = find("judge", "rules").make(None, None)

        def read(out: Output) -> None:
            reading.benchmarks(out, wanted, readers, progress=bars)

        def measure(out: Output) -> None:
            evaluate(out, settings, tests, chat, pose=pose, judge=judge, progress=bars)

        tests = where.stage("benchmarks", reading.VERSION, wanted, contents(sources), read)
        scored = where.stage("evaluate", EVALUATE_VERSION, settings, [tests, chat, judge], measure)
    finally:
        bars.end()
        tools.ledger.close()
    return _scores(model, list(scored.read(Scored)), scored.facts, as_json=as_json)


def _source(name: str, data: Path | None) -> SourceSettings:
    """Read `gsm8k` (from the folder `data`, or the hub) or `NAME=FILE`."""
    called, sign, path = name.strip().partition("=")
    if sign:
        return SourceSettings(name="file", called=called, path=path, split="test")
    return SourceSettings(name=called, path=None if data is None else str(data))


def _scores(model: str, rows: list[Scored], facts: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"model": model, **facts}, indent=1)
    lines = []
    for benchmark in dict.fromkeys(r.benchmark for r in rows):
        greedy = [r for r in rows if r.benchmark == benchmark and r.draw == 0]
        right = sum(r.outcome == "agrees" for r in greedy)
        score, n = wilson(right, len(greedy)), len(greedy)
        cut = sum(r.finish_reason == "length" for r in greedy)
        tokens = sum(r.n_tokens or 0 for r in greedy) / max(n, 1)
        lines.append(
            f"{benchmark}: {100 * score.point:.1f} % [{100 * score.low:.1f}, {100 * score.high:.1f}] greedy pass@1, n = {n}, "
            f"one call an answer, {tokens:.0f} tokens an answer, {cut} cut off"
        )
    return "\n".join(lines)
