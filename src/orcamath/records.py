"""The nouns of the house: what is read, grown, solved, attempted, judged and preferred.

Records are frozen, refuse unknown fields and carry an id that is a hash of their content, so the same thing has the same
id in every run. Derived records keep `parents`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from orcamath.identity import Settings, canonical, digest, later, member, outside_digest
from orcamath.text.choices import with_choices

__all__ = [
    "HELD_OUT",
    "AnswerKind",
    "Attempt",
    "Chosen",
    "Exercise",
    "Lesson",
    "Outcome",
    "Preference",
    "Problem",
    "Record",
    "Rejected",
    "Response",
    "Rollout",
    "Scored",
    "Settings",
    "Split",
    "Verdict",
    "Verified",
    "canonical",
    "digest",
    "later",
    "member",
    "outside_digest",
]

Split = Literal["train", "dev", "test", "confirm"]
HELD_OUT: tuple[Split, ...] = ("test", "confirm")
"""Splits that nothing is trained on."""
AnswerKind = Literal["number", "set", "choice", "expression", "text"]
Verified = Literal["gold", "hidden_number", "agreement", "unverified"]
Outcome = Literal["agrees", "disagrees", "unjudged"]


class Record(BaseModel):
    """Base of every record: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def row(self) -> dict[str, Any]:
        """Return the fields as plain values, for Parquet and JSON."""
        return self.model_dump()

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Self:
        """Build a record from a row; raises pydantic's ValidationError on a wrong or unknown field."""
        return cls.model_validate(row)


class _Question(Record):
    """What has a question and choices; each record says where among its fields they stand, since files keep that order."""

    if TYPE_CHECKING:
        question: str
        options: tuple[str, ...]

    @property
    def asked(self) -> str:
        """The question as it is put to a model: with its choices, where it has any."""
        return with_choices(self.question, self.options)


class Problem(_Question):
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
    """The near-duplicate cluster across all sources; a cluster never straddles two splits that are drawn."""
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
            with_choices(question, fields.get("options", ())),
            origin,
            source,
            fields.get("answer"),
            fields.get("target"),
            list(fields.get("parents", ())),
        )
        return cls(id=name, question=question, origin=origin, source=source, **fields)


_OF_PROBLEM = set("question answer_kind options origin source split licence parents round target cluster".split())
"""What a lesson takes over from its problem."""


class Lesson(_Question):
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
    def make(cls, problem: Problem, answer: str, final_answer: str | None, teacher: str, **fields: object) -> Self:
        """Join a problem and a solution; the id is a hash of both."""
        shared = problem.model_dump(include=_OF_PROBLEM)
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

    def problem(self, answer: str | None) -> Problem:
        """Return the problem that it solves, with that as its answer."""
        return Problem(id=self.problem_id, answer=answer, **self.model_dump(include=_OF_PROBLEM))


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
    def make(cls, problem_id: str, draw: int, text: str, student: str, **fields: object) -> Self:
        """Build an attempt; the id is a hash of problem, student, draw and text."""
        return cls(
            id=digest("attempt", problem_id, student, draw, text),
            problem_id=problem_id,
            draw=draw,
            text=text,
            student=student,
            **fields,
        )


class Exercise(_Question):
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


class Chosen(Record):
    """Why a problem is practised or grown from, where earlier samples decide on it."""

    problem_id: str
    why: str
    right: int
    n: int
    """Right ones among the judged samples that speak for it: its own, or its family's; 0 of 0 where there are too few."""


class Verdict(Record):
    """Whether an attempt agrees with the yardstick (the teacher's final answer, or a known one), and who said so."""

    attempt_id: str
    problem_id: str
    outcome: Outcome
    by: str
    """`rules`, `math-verify`, `model:` and the fingerprint of the judge, or what a judge or a file of your own says."""
    reason: str = ""


class Rollout(Record):
    """One answer sampled in an online round, with its verdict."""

    id: str
    round: int
    problem_id: str
    draw: int
    text: str
    token_ids: tuple[int, ...]
    logp: tuple[float, ...] | None
    """log π of every id when it was sampled; None where the sampler does not tell."""
    finish_reason: Literal["stop", "length"]
    outcome: Outcome
    by: str
    reason: str = ""

    @classmethod
    def make(cls, number: int, problem_id: str, draw: int, text: str, **fields: Any) -> Self:
        """Build a rollout of round `number`; the id is a hash of round, problem, draw and text."""
        name = digest("rollout", number, problem_id, draw, text)
        return cls(id=name, round=number, problem_id=problem_id, draw=draw, text=text, **fields)


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
    inclusion: float = 1.0
    """Below 1 where its problem was sampled more often than others: the share of its samples that the others had."""


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
    family: str | None = None
    """Its problem's."""


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
