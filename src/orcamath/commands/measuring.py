"""The command `evaluate`: one model on benchmarks, or two of them on the same problems."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from orcamath.assemble import Assembled
from orcamath.commands.ending import say
from orcamath.commands.models import address_of, open_model, with_key
from orcamath.commands.own_tests import as_options, left_out, looks_like_file
from orcamath.commands.purse import UNLIMITED, Purse
from orcamath.commands.shots import worked_examples
from orcamath.errors import DataError, UsageError
from orcamath.export.answers import answer_rows, write_answers
from orcamath.export.places import export_place
from orcamath.held import held
from orcamath.intervals import Paired, paired
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Judge, Message, Pose
from orcamath.records import Problem, Scored
from orcamath.report.measured import Measurement, measured_text
from orcamath.report.progress import Bars
from orcamath.sources.choosing import BenchmarksSettings
from orcamath.sources.source import SourceSettings, split_named
from orcamath.stages.benchmarks import benchmarks
from orcamath.stages.evaluate import EvaluateFacts, EvaluateSettings, evaluate
from orcamath.stages.verifier import VerifierFacts, VerifierScore, VerifierSettings, verified_at_k
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.budget import Budget
from orcamath.store.ledger import Remembered
from orcamath.student.settings import Dtype
from orcamath.text.columns import Theirs
from orcamath.workshop import Workshop

__all__ = ["Evaluated", "Wanted", "evaluate_models", "evaluated", "plain_scores"]


class Wanted(NamedTuple):
    """What is to be measured, and with whose help."""

    on: Sequence[str]
    """Benchmarks: `gsm8k`, or `NAME=FILE`."""
    settings: EvaluateSettings
    data: Path | None = None
    """Folder with the benchmarks' own files; the hub where there is none."""
    base_url: str | None = None
    """Where the model to be measured is served, if it is not named as `NAME@URL`."""
    judge: str = "cascade"
    judge_model: str | None = None
    verifier: str | None = None
    """Model that scores the samples, for verifier@k."""
    compare: str | None = None
    """A second model, held against the first on the same problems."""
    dtype: Dtype = "auto"
    """What local models compute in; samples in another dtype are another model's."""
    held_out: bool = False
    """Take only the drawn test part of a set without official splits, not all of it."""
    purse: Purse = UNLIMITED
    """What may be spent on models that cost money, all of them together."""
    answers: Literal["any", "number"] = "any"
    """Only problems whose answer is a single number."""
    few_shot: int = 0
    """Worked examples shown before each question."""
    shots: str | None = None
    """Whose problems these are: a source's name or a file; where None, the first benchmark's own for training."""
    transport: Mapping[str, object] = MappingProxyType({})
    """How models behind a server are reached: `concurrency`, `timeout_s`."""
    same_model: bool = False
    """Whether servers that say other things than before are who answered then."""
    api_key_env: str | None = None
    """Variable that holds the key of models behind a server, which are all at one host then."""
    columns: Mapping[str, Theirs] = MappingProxyType({})
    """Our column → theirs in files named as `NAME=FILE` (see `sources.file`), and in `shots`."""
    skip_bad: bool = False
    """Leave out lines of such files that cannot be read, and say how many."""
    out: Path | None = None
    """Where every answer is written: Parquet where that ends in `.parquet`, else JSON Lines."""
    replace: bool = False


class Evaluated(NamedTuple):
    """What came of measuring a model, and a second one where there was one to compare."""

    made: tuple["_Made", ...]
    differences: dict[str, Paired]
    """Benchmark → second − first; empty where there is one model."""
    tests: Artifact

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every answer of every model, as `export.answers` has it."""
        for m in self.made:
            yield from answer_rows(m.shown.model, m.scored, self.tests)


def evaluate_models(model: str, wanted: Wanted, *, runs: Path, store: Path, as_json: bool) -> str:
    """Measure, and return tables or JSON; see `evaluated`."""
    done = evaluated(model, wanted, runs=runs, store=store)
    if as_json:
        return json.dumps(plain_scores(done, wanted), indent=1)
    return measured_text([m.shown for m in done.made], done.differences)


def evaluated(model: str, wanted: Wanted, *, runs: Path, store: Path) -> Evaluated:
    """Measure, and write every answer where `wanted.out` says. Resumable: answers are remembered, stages sealed.

    Raises UsageError for a verifier without samples, examples that are not there or a place that may not be written, and what
    models and readers raise.
    """
    if wanted.verifier is not None and wanted.settings.samples < 2:
        raise UsageError("verifier@k chooses among sampled answers: give --samples 4, say, beside --verifier")
    named = [name for name in (wanted.compare, wanted.judge_model, wanted.verifier) if name is not None]
    urls = [address_of(model, wanted.base_url)[1], *(address_of(name)[1] for name in named)]
    if wanted.transport and not any(urls):
        raise UsageError(
            f"--concurrency and --timeout are for models behind a server, and `{model}` runs here; leave them out, or name "
            f"the server: `{model}@http://…`"
        )
    wanted = wanted._replace(transport={**wanted.transport, **with_key(wanted.api_key_env, urls)})
    wanted.purse.of_one_host(urls)
    where = Store(store)
    with _place(wanted) as place, wanted.purse.opened() as budget:
        bench = _Bench(wanted, where, Assembled(where), runs, budget)
        try:
            tests = bench.tests()
            examples = bench.examples(tests)
            made = [bench.measure(model, tests, examples, wanted.base_url)]
            if wanted.compare is not None:
                made.append(bench.measure(wanted.compare, tests, examples))
        finally:
            bench.bars.end()
            bench.tools.close()
        differences = _differences(*(m.scored for m in made)) if len(made) == 2 else {}
        done = Evaluated(tuple(made), differences, tests)
        if place is not None and wanted.out is not None:
            write_answers(done.rows(), place, parquet=wanted.out.suffix == ".parquet")
    return done


def _place(wanted: Wanted) -> AbstractContextManager[Path | None]:
    """Return where the answers go, looked at before anything is asked."""
    if wanted.out is None:
        return nullcontext()
    return export_place(wanted.out, folder=False, replace=wanted.replace, what="answers")


class _Made(NamedTuple):
    shown: Measurement
    scored: Artifact


class _Bench:
    """Where models are measured: everything that two of them share."""

    def __init__(self, wanted: Wanted, store: Store, tools: Assembled, runs: Path, budget: Budget | None) -> None:
        self.wanted, self.store, self.tools, self.runs, self.bars = wanted, store, tools, runs, Bars()
        self.shop = Workshop(store, None, tools, self.bars, budget=budget)
        self.judge = self._judge()

    def _open(
        self, name: str, base_url: str | None = None, examples: tuple[Message, ...] = ()
    ) -> tuple[Remembered, Pose]:
        return open_model(
            name,
            self.tools,
            self.runs,
            self.store,
            base_url,
            dtype=self.wanted.dtype,
            purse=self.wanted.purse,
            transport=self.wanted.transport,
            examples=examples,
            same_model=self.wanted.same_model,
        )

    def _judge(self) -> Judge:
        model = None
        if self.wanted.judge_model is not None:
            model, _ = self._open(self.wanted.judge_model)
        # paper, section 4: on benchmarks a model only extracts the short answer
        return held("judge", self.wanted.judge)(JudgeSettings(name=self.wanted.judge, form="extract"), model)

    def tests(self) -> Artifact:
        """Read the benchmarks."""
        sources = tuple(_source(name, self.wanted) for name in self.wanted.on)
        settings = BenchmarksSettings(sources=sources, whole=not self.wanted.held_out, answers=self.wanted.answers)
        try:
            made = self.shop.stage(benchmarks, settings, self.tools.readers(sources))
        except DataError as e:
            raise DataError(as_options(str(e), sources)) from e
        for line in left_out(made, sources):
            say(line)
        return made

    def examples(self, tests: Artifact) -> tuple[Message, ...]:
        """Return worked examples as turns, none of them one of the tests."""
        if not self.wanted.few_shot:
            return ()
        tested = {p.question for p in tests.read(Problem)}
        return worked_examples(self.wanted.few_shot, self._shots(), tested)

    def _shots(self) -> SourceSettings:
        if self.wanted.shots is None:
            return _source(self.wanted.on[0], self.wanted)
        if looks_like_file(self.wanted.shots):
            return SourceSettings(name="file", path=self.wanted.shots, split="train", columns=dict(self.wanted.columns))
        return _source(self.wanted.shots, self.wanted)

    def measure(
        self, name: str, tests: Artifact, examples: tuple[Message, ...] = (), base_url: str | None = None
    ) -> _Made:
        """Let one model answer, and the verifier score its samples."""
        chat, pose = self._open(name, base_url, examples)
        scored = self.shop.stage(evaluate, self.wanted.settings, tests, chat, pose, self.judge)
        verified = self._verified(scored, tests)
        order = dict.fromkeys(row.benchmark for row in scored.read(Scored))
        said = scored.said(EvaluateFacts)
        benchmarks = {
            b: said.benchmarks[b].model_copy(update={"verifier": verified[b].verifier} if b in verified else {})
            for b in order
        }
        shown = Measurement(name, said.model_copy(update={"benchmarks": benchmarks}), self.wanted.few_shot)
        return _Made(shown, scored)

    def _verified(self, scored: Artifact, tests: Artifact) -> dict[str, VerifierScore]:
        if self.wanted.verifier is None:
            return {}
        chat, pose = self._open(self.wanted.verifier)
        made = self.shop.stage(verified_at_k, VerifierSettings(), scored, tests, chat, pose)
        return made.said(VerifierFacts).benchmarks


def _source(name: str, wanted: Wanted) -> SourceSettings:
    """Read `gsm8k` (from the folder `wanted.data`, or the hub) or `NAME=FILE`, by `wanted.columns`. Raises UsageError for a
    file without a name, or a name without one."""
    called, sign, path = name.strip().partition("=")
    if sign and not (called and path):
        raise UsageError(
            f"`--on {name}` names no {'file' if called else 'benchmark'}: write NAME=FILE, as in `--on own=test.csv`"
        )
    if not sign and looks_like_file(called):
        raise UsageError(
            f"`{called}` is a file, and its scores need a name: write NAME=FILE, as in `--on own={called}`"
        )
    if sign:
        # a file that is named here is measured on, whatever it is called
        split = split_named(Path(path).stem) or "test"
        lines: Literal["stop", "skip"] = "skip" if wanted.skip_bad else "stop"
        columns = dict(wanted.columns)
        return SourceSettings(name="file", called=called, path=path, split=split, columns=columns, on_bad_line=lines)
    return SourceSettings(name=called, path=None if wanted.data is None else str(wanted.data))


def _differences(first: Artifact, second: Artifact) -> dict[str, Paired]:
    """Second − first on every benchmark: greedy answers to the same problems."""
    was, now = (
        {(r.benchmark, r.problem_id): r for r in scored.read(Scored) if r.draw == 0} for scored in (first, second)
    )
    found: dict[str, list[tuple[Scored, Scored]]] = {}
    for key, row in was.items():
        found.setdefault(key[0], []).append((row, now[key]))
    return {name: _difference(pairs) for name, pairs in found.items()}


def _difference(pairs: Sequence[tuple[Scored, Scored]]) -> Paired:
    one, two = ([row.outcome == "agrees" for row in side] for side in zip(*pairs, strict=True))
    return paired(one, two, families=[row.family for row, _ in pairs])


def plain_scores(done: Evaluated, wanted: Wanted) -> dict[str, object]:
    """Return the measures as JSON values: of the first model, and under `compared` of the second."""
    helped = {"judge": wanted.judge, "verifier": wanted.verifier, "few_shot": wanted.few_shot}
    first, *rest = ({"model": m.shown.model, **m.shown.facts.plain(), **helped} for m in done.made)
    if not rest:
        return first
    against = {name: {**p._asdict(), "difference": p.difference._asdict()} for name, p in done.differences.items()}
    return {**first, "compared": {**rest[0], "differences": against}}
