"""The nouns of the house: what is read, grown, solved, attempted, judged and preferred.

Records are frozen, refuse unknown fields and carry an id that is a hash of their content, so the same thing has the same
id in every run. Derived records keep `parents`. `SCHEMAS` maps a table's name to its record and version; files keep both.
"""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import PurePath
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field

from orcamath.extend import code_of

__all__ = [
    "SCHEMAS",
    "AnswerKind",
    "Attempt",
    "Exercise",
    "Lesson",
    "Outcome",
    "Preference",
    "Problem",
    "Record",
    "Rejected",
    "Response",
    "Scored",
    "Settings",
    "Split",
    "Verdict",
    "Verified",
    "canonical",
    "digest",
    "member",
    "outside_digest",
]

Split = Literal["train", "dev", "test", "confirm"]
AnswerKind = Literal["number", "set", "choice", "expression", "text"]
Verified = Literal["gold", "hidden_number", "agreement", "unverified"]
Outcome = Literal["agrees", "disagrees", "unjudged"]


def canonical(value: object) -> bytes:
    """One spelling of a JSON value: sorted keys, UTF-8, no spaces. Tuples are lists; sets are refused."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def digest(*parts: object) -> str:
    """Name content by blake2b-128 over its canonical JSON, in hex (32 characters)."""
    return blake2b(canonical(parts), digest_size=16).hexdigest()


class Settings(BaseModel):
    """Base of a stage's settings: frozen, unknown keys refused. Defaults live beside the stage they belong to."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def identity(self) -> dict[str, Any]:
        """Return what enters a stage's digest: everything but the fields made with `outside_digest`."""
        fields = [(name, f.json_schema_extra) for name, f in type(self).model_fields.items()]
        said = [(name, extra if isinstance(extra, dict) else {}) for name, extra in fields]
        return {n: _identity(getattr(self, n), x.get("member_of")) for n, x in said if not x.get("outside_digest")}

    def contents(self) -> list[str]:
        """Return the names of what the fields only point to: hashes of prompts' texts and files. They enter a stage's digest."""
        return []


def outside_digest(default: Any, **constraints: Any) -> Any:
    """Return a pydantic field that changes how fast or where from, never what comes out: paths, concurrency, logging."""
    return Field(default, json_schema_extra={"outside_digest": True}, **constraints)


def member(family: str, default: Any = ...) -> Any:
    """Return a pydantic field that names a member of a family: others' code enters the digest by what it says."""
    return Field(default, json_schema_extra={"member_of": family})


def _identity(value: Any, family: Any = None) -> Any:
    if family is not None:
        return code_of(family, value) or value
    if isinstance(value, Settings):
        return value.identity()
    if isinstance(value, Mapping):
        return {k: _identity(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_identity(v) for v in value]
    return str(value) if isinstance(value, PurePath) else value


class Record(BaseModel):
    """Base of every record: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def row(self) -> dict[str, Any]:
        """Return the fields as plain values, for Parquet and JSON."""
        return self.model_dump()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Build a record from a row; raises pydantic's ValidationError on a wrong or unknown field."""
        return cls.model_validate(row)


class Problem(Record):
    """A word problem: a seed, or what an agent made of one."""

    id: str
    question: str
    origin: str
    """`seed`, or the name of the agent that wrote it."""
    source: str
    """The data set it came from, inherited by what agents make of it."""
    split: Split = "train"
    licence: str = ""
    answer: str | None = None
    """The answer known without a teacher (gold, or the number an agent hid), as text."""
    answer_kind: AnswerKind = "number"
    answer_from: Literal["gold", "hidden_number"] | None = None
    options: tuple[str, ...] = ()
    """The choices of a multiple-choice problem, in order."""
    solution: str | None = None
    """A worked solution that came with the seed."""
    parents: tuple[str, ...] = ()
    round: int = 0
    """0 for seeds, 1 and up for rounds of an agent."""
    target: str | None = None
    """The number this problem asks for, where an agent hid one."""
    cluster: str | None = None
    """The near-duplicate cluster across all sources; a cluster never straddles two splits."""
    confirmed: bool = False
    """Whether solutions that did not know the answer above reached it (the stage `confirm`)."""
    level: str | None = None
    """How hard it is, as its source has it (`inverse, 2 steps`): scores are broken down by it."""
    family: str | None = None
    """What problems of one make share: where a benchmark has families, intervals resample these."""

    @classmethod
    def make(cls, question: str, origin: str, source: str, **fields: Any) -> Self:
        """Build a problem with the id that its content gives it."""
        name = digest(
            "problem",
            question,
            origin,
            source,
            fields.get("answer"),
            fields.get("target"),
            list(fields.get("parents", ())),
        )
        return cls(id=name, question=question, origin=origin, source=source, **fields)


class Lesson(Record):
    """A problem with its teacher's solution: one row of the synthetic data set (paper, section 2)."""

    id: str
    problem_id: str
    question: str
    answer: str
    """The teacher's whole solution (the column's name in microsoft/orca-math-word-problems-200k)."""
    final_answer: str | None
    """The short answer found in it; None where none could be read."""
    answer_kind: AnswerKind = "number"
    gold: str | None = None
    options: tuple[str, ...] = ()
    origin: str
    source: str
    split: Split = "train"
    licence: str = ""
    parents: tuple[str, ...] = ()
    round: int = 0
    target: str | None = None
    cluster: str | None = None
    verified: Verified = "unverified"
    teacher: str
    """Fingerprint of the model that wrote the solution."""
    draw: int = 0

    @classmethod
    def make(cls, problem: Problem, answer: str, final_answer: str | None, teacher: str, **fields: Any) -> Self:
        """Join a problem and a solution; the id is a hash of both."""
        shared = problem.model_dump(
            include={
                "question", "answer_kind", "options", "origin", "source", "split", "licence", "parents", "round", "target",
                "cluster",
            }
        )  # fmt: skip
        return cls(
            id=digest("lesson", problem.id, answer, teacher),
            problem_id=problem.id,
            answer=answer,
            final_answer=final_answer,
            gold=problem.answer,
            teacher=teacher,
            **shared,
            **fields,
        )


class Attempt(Record):
    """One sampled answer of a student to a problem (paper, section 3: four a problem)."""

    id: str
    problem_id: str
    draw: int
    text: str
    token_ids: tuple[int, ...] | None
    """Generated ids as sampled, EOS included where it was emitted; None from a server that does not tell."""
    finish_reason: Literal["stop", "length"]
    student: str
    """Fingerprint of the weights that answered."""

    @classmethod
    def make(cls, problem_id: str, draw: int, text: str, student: str, **fields: Any) -> Self:
        """Build an attempt; the id is a hash of problem, student, draw and text."""
        return cls(
            id=digest("attempt", problem_id, student, draw, text),
            problem_id=problem_id, draw=draw, text=text, student=student, **fields,
        )  # fmt: skip


class Exercise(Record):
    """A problem as it is practised: what is asked, and the yardstick the answers are held against."""

    problem_id: str
    question: str
    reference: str
    """The short answer an attempt must reach."""
    solution: str | None = None
    """The teacher's whole solution, which joins q+; None where the teacher never solved the problem."""
    answer_kind: AnswerKind = "number"
    options: tuple[str, ...] = ()
    label: Literal["teacher", "known_answer"]
    """Whose answer the yardstick is: the teacher's (paper), or one known without it (our extension)."""


class Verdict(Record):
    """Whether an attempt agrees with the yardstick (the teacher's final answer, or a known one), and who said so."""

    attempt_id: str
    problem_id: str
    outcome: Outcome
    by: str
    """`rules`, or `model:` and the fingerprint of the judge."""
    reason: str = ""


class Response(Record):
    """One distinct answer inside a preference: what the student is to like or dislike."""

    text: str
    token_ids: tuple[int, ...] | None = None
    """As sampled; None for a teacher's text, which is tokenised when encoded."""
    finished: bool = True
    """False where the sample was cut off: no EOS is trained then."""
    origin: Literal["teacher", "sample", "off_topic"]
    multiplicity: int = 1
    """How many of the samples said exactly this."""


class Preference(Record):
    """A problem's right and wrong answers: pairs are positives × negatives (paper, section 3.1)."""

    problem_id: str
    question: str
    positives: tuple[Response, ...]
    negatives: tuple[Response, ...]
    pairs: tuple[tuple[int, int], ...] | None = None
    """(index into positives, index into negatives) where capped; None for the whole product."""


class Scored(Record):
    """One benchmark answer of one model, judged against gold."""

    problem_id: str
    benchmark: str
    draw: int
    text: str
    final_answer: str | None
    gold: str
    outcome: Outcome
    by: str
    finish_reason: Literal["stop", "length"]
    n_tokens: int | None


class Rejected(Record):
    """Why one item, or one result of it, went no further. Nothing disappears without one of these."""

    item: str
    """Id of the record that was being worked on."""
    reason: str
    """A short slug that tables count, such as `no_question`."""
    detail: str = ""
    text: str = ""
    """What was rejected, as the model wrote it."""
    repeats: str | None = None
    """For duplicates: the id of the record that stays."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True)
    record: type[Record]
    version: int


SCHEMAS: dict[str, _Table] = {
    "problems": _Table(record=Problem, version=2),
    "lessons": _Table(record=Lesson, version=1),
    "exercises": _Table(record=Exercise, version=1),
    "attempts": _Table(record=Attempt, version=1),
    "verdicts": _Table(record=Verdict, version=1),
    "preferences": _Table(record=Preference, version=1),
    "scored": _Table(record=Scored, version=1),
    "rejected": _Table(record=Rejected, version=1),
}
