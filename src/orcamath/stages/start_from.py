"""Stages `problems`, `lessons`, `verdicts`: starting at a later stage from a file of the user's own.

In → one JSON Lines, JSON, CSV, TSV or Parquet file (plain or .gz) and a map of its columns; out → the tables which that stage
would have written: `problems`; `lessons`; or `exercises`, `attempts` and `verdicts`. The models in it are not known, so the
fingerprints say `own:` and the file's title.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import orjson
from pydantic import Field

from orcamath.answers import final_answer, same
from orcamath.errors import DataError, nearest
from orcamath.records import (
    HELD_OUT,
    Attempt,
    Exercise,
    Lesson,
    Outcome,
    Problem,
    Record,
    Rejected,
    Settings,
    Split,
    Verdict,
    later,
    outside_digest,
)
from orcamath.sources.choosing import contents_of
from orcamath.sources.file import COLUMNS, problem_of, refuse_several
from orcamath.sources.rows import rows
from orcamath.sources.source import Row, SourceSettings, number_text, place_of
from orcamath.store.artifacts import Output
from orcamath.store.facts import Facts
from orcamath.store.stage import stage
from orcamath.text.choices import AnswersFrom
from orcamath.text.columns import Theirs
from orcamath.text.truth import truth

__all__ = ["NEEDED", "StartSettings", "VerdictsFacts", "lessons_from", "outcome_of", "problems_from", "verdicts_from"]

T = TypeVar("T")
P = TypeVar("P", Problem, Lesson)

NEEDED: dict[str, tuple[str, ...]] = {
    "problems": ("question",),
    "lessons": ("question", "answer"),
    "verdicts": ("question", "response", "label"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {
    "problems": tuple(c for c in COLUMNS if c != "question"),
    "lessons": ("final_answer", "gold", "options", "kind", "split", "licence", "source", "teacher"),
    "verdicts": ("answer", "solution", "finished", "options", "kind", "split"),
}
_CUT_OFF = frozenset({"length", "max_tokens", "max_length", "truncated"})
_UNKNOWN = {"", "none", "null", "nan", "unjudged", "unknown", "?"}


class StartSettings(Settings):
    """A file that stands in for the stages before it."""

    stage: Literal["problems", "lessons", "verdicts"]
    """What the file holds: questions; questions with worked answers; or question, response and yes / no."""
    path: str | None = outside_digest(None)
    """The file. Its content enters the digest, its place does not."""
    columns: dict[str, Theirs] = Field(default_factory=dict)
    """Our column → yours, where the names differ; `options` may be a list of columns, one choice each."""
    called: str = "own"
    """What the rows' `source` says."""
    licence: str | None = None
    on_bad_line: Literal["stop", "skip"] = "stop"
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many rows."""
    split: Split = "train"
    answers_from: AnswersFrom | None = later(None)
    """What numbers among the answers are where there are choices: places from 0 or 1, or `text`."""

    def contents(self) -> list[str]:
        """Name the file's content. Raises DataError where there is none."""
        return contents_of([self])

    def source(self) -> SourceSettings:
        """Return the same as settings of a source."""
        return SourceSettings(
            name="file",
            path=self.path,
            called=self.called,
            licence=self.licence,
            on_bad_line=self.on_bad_line,
            split=self.split,
            columns=self.columns,
            options={} if self.answers_from is None else {"answers_from": self.answers_from},
        )


@stage("problems", version=3, settings=StartSettings, facts=Facts)
def problems_from(out: Output, settings: StartSettings) -> Facts:
    """Write `problems` from a file of questions. Raises DataError for a bad line (unless skipped) or no row at all."""
    names, source = _names(settings, "problems"), settings.source()
    full = {c: names.get(c, c) for c in COLUMNS}

    def make(row: Row) -> Problem | Rejected:
        found = problem_of(row, source, full)
        if isinstance(found, Problem) and found.split in HELD_OUT:
            return row.bad("test_split", f"is of the split `{found.split}`; data is not grown from held-out problems")
        return found if isinstance(found, Rejected | Problem) else found.problem

    out.write("problems", _unique(out, _made(out, settings, make)))
    return Facts()


@stage("lessons", version=3, settings=StartSettings, facts=Facts)
def lessons_from(out: Output, settings: StartSettings) -> Facts:
    """Write `lessons` from questions with worked answers. Raises DataError for a bad line (unless skipped) or no row.

    One whose short answer is the one in `gold` is verified by it; nothing is dropped for another answer.
    """
    names, source = _names(settings, "lessons"), settings.source()
    problem_names = {c: names.get(c, c) for c in COLUMNS} | {"answer": names["gold"], "solution": ""}

    def make(row: Row) -> Lesson | Rejected:
        found = problem_of(row, source, problem_names)
        if isinstance(found, Rejected):
            return found
        problem = found if isinstance(found, Problem) else found.problem
        if problem.split in HELD_OUT:
            return row.bad("test_split", f"is of the split `{problem.split}`; held-out problems are not taught")
        answer = row.cell(names["answer"])
        if not isinstance(answer, str) or not answer.strip():
            return row.bad("no_answer", f"has no text in `{names['answer']}`")
        short = number_text(row.cell(names["final_answer"]))
        short = short or final_answer(answer, problem.answer_kind, problem.question, problem.options)
        teacher = str(row.cell(names["teacher"]) or f"own:{settings.called}")
        verified = "gold" if _reaches(problem, short) else "unverified"
        return Lesson.make(problem, answer.strip(), short, teacher, verified=verified)

    out.write("lessons", _unique(out, _made(out, settings, make)))
    return Facts()


def _reaches(problem: Problem, answer: str | None) -> bool:
    if answer is None or problem.answer is None:
        return False
    return same(problem.answer_kind, answer, problem.answer, problem.question, problem.options) is True


def outcome_of(value: object) -> Outcome | None:
    """Read a yes or no, in any of the usual spellings; None where it is neither, nor empty (which is `unjudged`)."""
    if (said := truth(value)) is not None:
        return "agrees" if said else "disagrees"
    return "unjudged" if value is None or str(value).strip().lower() in _UNKNOWN else None


class VerdictsFacts(Facts):
    """What the user's own verdicts come to."""

    agrees: int = 0
    disagrees: int = 0
    unjudged: int = 0


@stage("verdicts", version=5, settings=StartSettings, facts=VerdictsFacts)
def verdicts_from(out: Output, settings: StartSettings) -> VerdictsFacts:
    """Write `exercises`, `attempts` and `verdicts` from question, response, yes / no; rows of a question may lie apart.

    Raises DataError for a bad line (unless skipped) or no row at all. Where the file has a `solution`, it joins q+ as the
    teacher's would; without one q+ is made of the right responses only.
    """
    names = _names(settings, "verdicts")
    student = f"own:{settings.called}"
    with closing(sqlite3.connect(out.scratch / "verdicts.sqlite", isolation_level=None)) as db:
        db.executescript(
            "DROP TABLE IF EXISTS t; CREATE TABLE t (problem TEXT, n INTEGER PRIMARY KEY, row BLOB); BEGIN;"
        )
        order: dict[str, None] = {}  # as a set that keeps its order
        for made in _made(out, settings, lambda row: _judged(row, names, settings)):
            out.keep(owed=True)
            order.setdefault(made.exercise.problem_id, None)
            db.execute("INSERT INTO t(problem, row) VALUES (?,?)", (made.exercise.problem_id, orjson.dumps(made.row())))
        db.execute("CREATE INDEX by_problem ON t(problem, n)")
        db.execute("COMMIT")
        solved = (next((m.exercise for m in g if m.exercise.solution), g[0].exercise) for g in _groups(db, order))
        out.write("exercises", solved)  # not every row of a problem need say how it is solved
        out.write("attempts", (a for g in _groups(db, order) for a in _attempts(g, student)))
        n: Counter[str] = Counter()

        def counted() -> Iterator[Verdict]:
            for group in _groups(db, order):
                for made, attempt in zip(group, _attempts(group, student), strict=True):
                    n[made.outcome] += 1
                    yield Verdict(
                        attempt_id=attempt.id, problem_id=attempt.problem_id, outcome=made.outcome, by=student
                    )

        out.write("verdicts", counted())
    return VerdictsFacts(agrees=n["agrees"], disagrees=n["disagrees"], unjudged=n["unjudged"])


class _Judged(Record):
    exercise: Exercise
    response: str
    finished: bool
    outcome: Outcome

    @property
    def id(self) -> str:
        return self.exercise.problem_id


def _judged(row: Row, names: Mapping[str, Theirs], settings: StartSettings) -> _Judged | Rejected:
    value = {ours: row.cell(theirs) for ours, theirs in names.items()}
    full = {c: names.get(c, "") for c in COLUMNS}
    problem = problem_of(row, settings.source(), full)
    if isinstance(problem, Rejected):
        return problem
    assert isinstance(problem, Problem)
    if problem.split in HELD_OUT:
        return row.bad("test_split", f"is of the split `{problem.split}`; held-out problems are not practised on")
    if not isinstance(value["response"], str) or not value["response"].strip():
        return row.bad("no_response", f"has no text in `{names['response']}`")
    outcome = outcome_of(value["label"])
    if outcome is None:
        return row.bad("bad_label", f"has `{value['label']}` in `{names['label']}`, which is neither yes nor no")
    solution = value["solution"] if isinstance(value["solution"], str) and value["solution"].strip() else None
    # one question, with its choices, is one exercise, whatever answer a row gives it
    exercise = Exercise(
        problem_id=Problem.make(problem.asked, "seed", settings.called).id,
        question=problem.question,
        reference=problem.answer or "",
        solution=solution,
        answer_kind=problem.answer_kind,
        options=problem.options,
        label="teacher" if solution else "known_answer",
    )
    told = value["finished"]  # yes or no, or why a server's answer ended
    finished = outcome_of(told) != "disagrees" and str(told).strip().lower() not in _CUT_OFF
    return _Judged(exercise=exercise, response=value["response"], finished=finished, outcome=outcome)


def _groups(db: sqlite3.Connection, order: Iterable[str]) -> Iterator[list[_Judged]]:
    for problem in order:
        found = db.execute("SELECT row FROM t WHERE problem=? ORDER BY n", (problem,))
        yield [_Judged.of(orjson.loads(row)) for (row,) in found]


def _attempts(group: list[_Judged], student: str) -> list[Attempt]:
    return [
        Attempt.make(
            g.exercise.problem_id,
            i,
            g.response,
            student,
            token_ids=None,
            finish_reason="stop" if g.finished else "length",
        )
        for i, g in enumerate(group)
    ]


def _names(settings: StartSettings, stage: str) -> dict[str, Theirs]:
    if settings.stage != stage:
        raise DataError(f"start_from: the file is of the stage `{settings.stage}`, not `{stage}`")
    ours = (*NEEDED[stage], *OPTIONAL[stage])
    for name in settings.columns:
        if name not in ours:
            raise DataError(f"start_from: `columns` has no key `{name}` for `{stage}`; {nearest(name, ours)}")
    refuse_several("start_from", settings.columns)
    return {name: settings.columns.get(name, name) for name in ours}


def _made(out: Output, settings: StartSettings, make: Callable[[Row], T | Rejected]) -> Iterator[T]:
    """Yield what the rows make, book them, and stop at a bad one unless told to skip. Equal ids are kept once."""
    if settings.path is None:
        raise DataError(f"start_from needs `path`: the file with your {settings.stage}")
    file = Path(settings.path).expanduser()
    if not file.exists():
        raise DataError(f"start_from: the file `{file}` does not exist; mend `path`")
    out.progress.begin("reading", None)
    n = 0
    found = (r if isinstance(r, Rejected) else make(r) for r in islice(rows(file), settings.limit))
    for made in found:
        out.progress.advance()
        if not isinstance(made, Rejected):
            n += 1
            out.owe()
            yield made
        elif settings.on_bad_line == "stop" and made.reason != "test_split":
            like = sum(isinstance(m, Rejected) and m.reason == made.reason for m in found)
            rows_are = "row is" if like == 1 else "rows are"
            more = f"; {like:,} more {rows_are} like it. Mend these" if like else ". Mend that line"
            raise DataError(
                f"start_from: `{place_of(settings.path, made.item)}` {made.detail}: {made.text[:200]!r}{more}, or set "
                f"`on_bad_line: skip` to leave such lines out, counted"
            )
        else:
            out.reject(made)
    out.progress.end()
    if not n:
        raise DataError(f"start_from: `{file}` holds no row that can be used; rejected: {dict(out.balance.rejected)}")


def _unique(out: Output, made: Iterator[P]) -> Iterator[P]:
    """Let every id through once, and book each row as kept or as a repetition."""
    seen: set[str] = set()
    for record in made:
        if record.id in seen:
            out.reject(Rejected(item=record.id, reason="same_row", text=record.question, repeats=record.id), owed=True)
            continue
        seen.add(record.id)
        out.keep(owed=True)
        yield record
