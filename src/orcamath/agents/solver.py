"""Solver: the teacher's worked solution to a problem and the short answer it ends in (paper, section 2.4)."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple, Self

from pydantic import NonNegativeFloat, PositiveInt, model_validator

from orcamath.agents.driver import CallSettings, TopP
from orcamath.agents.replies import failed, said
from orcamath.agents.wellformed import ask_of
from orcamath.answers import final_answer, find_answer, kind_of, quantities
from orcamath.answers.locate import answer_lines
from orcamath.answers.wording import gives_up
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import AnswerKind, Problem, Rejected
from orcamath.text.patterns import pattern

__all__ = ["Assignment", "Solution", "Solver", "SolverSettings", "answered", "make"]


class SolverSettings(CallSettings):
    """Settings of the teacher's calls."""

    PROMPT = "solver"
    temperature: NonNegativeFloat = 0.0
    top_p: TopP = 1.0
    max_new_tokens: PositiveInt = 1024
    tries: PositiveInt = 1
    solutions: PositiveInt = 1
    """How many solutions are asked for a problem; more than one needs a temperature above 0."""

    @model_validator(mode="after")
    def _solutions_differ(self) -> Self:
        if self.solutions > 1 and self.temperature == 0:
            raise ValueError(f"solutions: {self.solutions} with temperature: 0 would be the same text; set temperature")
        return self


class Assignment(NamedTuple):
    """A problem put to the teacher for one of `n` solutions."""

    problem: Problem
    draw: int = 0
    n: int = 1

    @property
    def id(self) -> str:
        """The problem's."""
        return self.problem.id


class Solution(NamedTuple):
    """What the teacher wrote, and the short answer found in it."""

    text: str
    final_answer: str
    draw: int
    kind: AnswerKind = "number"
    """The problem's, or what kind the answer is of where none is known to the problem."""


class Solver:
    """The agent: one call a solution."""

    name = "teacher"

    def __init__(self, settings: SolverSettings, prompt: Prompt) -> None:
        self.settings = settings
        self.prompt = prompt

    def request(self, item: Assignment, draw: int) -> Request:
        """Ask for a solution; repeated tries take draws that no other solution of the problem takes."""
        values = {"problem": block("problem", item.problem.asked)}
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=item.draw + draw * item.n)

    def parse(self, reply: Reply, item: Assignment) -> Sequence[Solution | Rejected] | Rejected:
        """Return the solution; a reply that was cut off or states no answer is no solution."""
        words = said(reply)
        if words.cut_off or not words.text:
            return failed(item.id, words, reply)
        problem = item.problem
        text = _one_solution(words.text, problem)
        kind = _kind(text, problem)
        short = final_answer(text, kind, problem.question, problem.options, stated=True)
        given_up = short is not None and gives_up(short) and not _may_give_up(problem)
        if short is None or given_up or (kind == "number" and not quantities(short)):
            rejected = failed(item.id, words, reply)
            if rejected.reason != "refused":
                given_up = given_up or gives_up(text[-MAX_LAST_LINE:].rpartition("####")[2])
                rejected = rejected.model_copy(update={"reason": "unsolvable" if given_up else "no_final_answer"})
            return rejected
        return [Solution(text, short, item.draw, kind)]


def make(settings: SolverSettings) -> Solver:
    """Build the agent with its prompt."""
    return Solver(settings, settings.loaded())


def answered(problem: Problem, solutions: Sequence[Solution]) -> Problem:
    """Return a problem with the kind of answer that most of its solutions state."""
    kinds = Counter(solution.kind for solution in solutions) or Counter([problem.answer_kind])
    kind = kinds.most_common(1)[0][0]
    return problem if kind == problem.answer_kind else problem.model_copy(update={"answer_kind": kind})


MAX_LAST_LINE = 200
MAX_LINES = 50
"""So many `####` lines are looked at for the first one that states an answer."""
_ONWARD = pattern(
    r"\n\s*(?:<problem>|(?:next |new )?(?:question|problem|example|exercise|task)\b"
    r"(?: ?[#(]?[0-9]{1,3}\)?)?(?: \([^()\n]{0,20}\))?:|Q:)",
    "begins the next problem of a series",
    ("\n<problem>", "\nNext problem:", "\n Question 2:", "\nProblem 2 (harder):"),
    ("The question is:", "\nThe problem is easy.", "\nExercise books: 10", "\nProblem 1 is done, so: 22"),
)
_SERIES = ("<problem>", "q:", "question", "next", "new")
"""What begins another problem behind an answer, whether that comes to an end or not."""
_HOW_MANY = pattern(
    r"\bhow (?:many|much)\b",
    "asks for a number; twice, for several",
    ("How many pens", "and how much is left"),
    ("How long", "how manyfold"),
)


def _kind(text: str, problem: Problem) -> AnswerKind:
    """Tell what kind of answer a solution states; of a problem without a known one what stands behind the marker decides.

    One number is a number, and so is a stretch whose other numbers are beside the point; words have to be all that is left.
    """
    kind, question = problem.answer_kind, problem.question
    found = find_answer(text, "number", question) if problem.answer is None and kind == "number" else None
    if found is None or found.how not in ("marker", "box"):
        return kind
    named, asked_for = kind_of(found.segment, question=question), len(list(_HOW_MANY.finditer(ask_of(question))))
    if found.among:
        return named if named in ("set", "expression") and (asked_for > 1 or not found.sure) else kind
    if asked_for or "\n" in text[found.at :].strip():
        return kind
    return "text" if named == "choice" else named


def _may_give_up(problem: Problem) -> bool:
    """Whether `cannot be determined` can be right: it is the known answer, or one of the choices."""
    return any(map(gives_up, (problem.answer or "", *problem.options)))


def _one_solution(text: str, problem: Problem) -> str:
    """Cut off what a model writes on after its answer: the next problem of a series, with an answer of its own or to be had.

    A `####` line that states none is the heading of a step.
    """

    def answers(piece: str) -> bool:
        return final_answer(piece, problem.answer_kind, problem.question, problem.options, stated=True) is not None

    lines = islice(answer_lines(text), MAX_LINES)
    first = next((end for line, end in lines if answers(line) or _ONWARD.match(text, end)), None)
    onward = None if first is None else _ONWARD.search(text, first)
    if onward is None:
        return text
    surely = onward[0].split(maxsplit=1)[0].casefold().startswith(_SERIES)
    if not (surely or text.endswith("?") or answers(text[onward.start() :])):
        return text
    return text[: onward.start()].rstrip()
