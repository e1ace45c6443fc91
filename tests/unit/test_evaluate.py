"""Evaluation: scores by hand, and the stage with a model that answers from a list."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orcamath.commands.models import pose_as_chat
from orcamath.errors import UsageError, WireDown
from orcamath.intervals import wilson
from orcamath.judges.rules import RulesJudge
from orcamath.ports import Reply, Request, Usage
from orcamath.records import Problem, Scored
from orcamath.report.measures import measures
from orcamath.scoring.facts import BenchmarkFacts
from orcamath.scoring.scores import Sample, flexible, majority, pass_at_k, sizes, strict
from orcamath.stages.evaluate import EvaluateSettings, evaluate
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.ledger import Ledger, Remembered
from scripted import Scripted, writing


class Script:
    """A model that says what a table says: (question, draw) → (text, finish reason); `error` never comes through."""

    fingerprint = "script"
    chunk = None

    def __init__(self, lines: dict[tuple[str, int], tuple[str, str]]) -> None:
        self.lines = lines
        self.asked = 0

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        for request in requests:
            self.asked += 1
            text, finish = self.lines[request.messages[0].content, request.draw]
            usage, key = Usage(10, len(text.split())), request.key(self.fingerprint)
            yield Reply(key, error="no route") if finish == "error" else Reply(key, text, finish, usage)  # type: ignore[arg-type]


def problems(*answers: str, source: str = "bench") -> list[Problem]:
    return [
        Problem.make(f"{source} question {i}: how many?", "seed", source, split="test", answer=a)
        for i, a in enumerate(answers)
    ]


def run(tmp_path: Path, tests: list[Problem], script: Script | Scripted, **chosen: object) -> Artifact:
    store, ways = Store(tmp_path), EvaluateSettings(**chosen)  # type: ignore[arg-type]
    read = store.stage("benchmarks", 1, None, [], writing({"problems": tests}))
    model = Remembered(script, Ledger(tmp_path / "ledger"))

    def make(out: Output) -> object:
        return evaluate(out, ways, read, model, pose_as_chat, RulesJudge())

    return store.stage("evaluate", 1, ways, [], make)


def test_greedy_pass_at_1_with_its_interval_cost_and_string_matches(tmp_path: Path) -> None:
    tests = problems("4", "5", "1319", "7")
    q = [t.question for t in tests]
    script = Script(
        {
            (q[0], 0): ("so 2 + 2\n#### 4", "stop"),
            (q[1], 0): ("The answer is 5.", "stop"),  # right, but without the mark
            (q[2], 0): ("#### 1,319", "stop"),
            (q[3], 0): ("first we take 3 and then", "length"),
        }
    )
    made = run(tmp_path, tests, script)
    found = made.facts["benchmarks"]["bench"]
    assert (found["n"], found["correct"]) == (4, 3)
    assert found["score"] == 0.75
    assert (found["low"], found["high"]) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert found["strict"]["score"] == 0.5
    assert found["flexible"]["score"] == 0.75
    assert found["truncated"] == 0.25
    assert found["tokens_per_answer"] == (6 + 4 + 2 + 6) / 4
    assert found["calls_per_answer"] == 1
    rows = list(made.read(Scored))
    assert [r.problem_id for r in rows] == [t.id for t in tests]
    assert [r.final_answer for r in rows[:3]] == ["4", "5", "1,319"]
    assert [r.finish_reason for r in rows] == ["stop", "stop", "stop", "length"]
    assert {r.by for r in rows} == {"rules"}


def test_tokens_that_nobody_tells_are_not_none_at_all(tmp_path: Path) -> None:
    """A backend of one's own may say nothing of them."""
    tests = problems("4", "5")

    class Silent(Script):
        def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
            yield from (replace(reply, usage=Usage()) for reply in super().__call__(requests))

    lines = {(t.question, d): ("so 2 + 2 #### 4", "stop") for t in tests for d in range(3)}
    found = run(tmp_path, tests, Silent(lines), samples=2, temperature=1.0).facts["benchmarks"]["bench"]
    assert "tokens_per_answer" not in found or found["tokens_per_answer"] is None
    assert "tokens_per_sample" not in found or found["tokens_per_sample"] is None


def test_working_and_levels_are_told_beside_the_score(tmp_path: Path) -> None:
    tests = [p.model_copy(update={"level": level}) for p, level in zip(problems("4", "5", "6"), "aab", strict=True)]
    worked, bare = ("2 + 2 = 4\n#### 4", "stop"), ("#### 4", "stop")
    lines = {(tests[0].question, d): worked if d in (0, 1) else bare for d in range(3)}
    lines |= {(tests[1].question, d): bare for d in range(3)} | {(tests[2].question, d): worked for d in range(3)}
    found = run(tmp_path, tests, Script(lines), samples=2, temperature=1.0).facts["benchmarks"]["bench"]
    assert found["working"] == {"share": 2 / 3, "right_when_worked": 1 / 2, "right_when_bare": 0.0}
    assert found["sampled_working"] == {"share": 1 / 2, "right_when_worked": 1 / 3, "right_when_bare": 1 / 3}
    assert {k: (v["n"], v["score"], v["sampled"]) for k, v in found["levels"].items()} == {
        "a": (2, 0.5, 0.5),
        "b": (1, 0.0, 0.0),
    }
    assert {k: (v["working"], v["sampled_working"]) for k, v in found["levels"].items()} == {
        "a": (
            {"share": 1 / 2, "right_when_worked": 1.0, "right_when_bare": 0.0},
            {"share": 1 / 4, "right_when_worked": 1.0, "right_when_bare": 1 / 3},
        ),
        "b": (
            {"share": 1.0, "right_when_worked": 0.0, "right_when_bare": None},
            {"share": 1.0, "right_when_worked": 0.0, "right_when_bare": None},
        ),
    }
    assert (
        "levels"
        not in run(tmp_path / "plain", problems("4"), Script({(problems("4")[0].question, 0): bare})).facts[
            "benchmarks"
        ]["bench"]
    )


def test_several_benchmarks_a_choice_of_them_and_a_limit(tmp_path: Path) -> None:
    tests = problems("1", "2", "3", source="one") + problems("1", "2", source="two")
    script = Script({(t.question, 0): ("#### 1", "stop") for t in tests})
    assert {n: b["n"] for n, b in run(tmp_path / "a", tests, script).facts["benchmarks"].items()} == {
        "one": 3,
        "two": 2,
    }
    limited = run(tmp_path / "b", tests, script, limit=1, benchmarks=("one",)).facts["benchmarks"]
    assert {n: (b["n"], b["correct"]) for n, b in limited.items()} == {"one": (1, 1)}
    with pytest.raises(UsageError, match="did you mean `one`"):
        run(tmp_path / "c", tests, script, benchmarks=("onee",))


def test_a_refused_answer_is_wrong_and_still_counted(tmp_path: Path) -> None:
    tests = problems("4", "5")
    script = Script({(tests[0].question, 0): ("#### 4", "refused"), (tests[1].question, 0): ("#### 5", "stop")})
    made = run(tmp_path, tests, script)
    assert (made.facts["benchmarks"]["bench"]["n"], made.facts["benchmarks"]["bench"]["correct"]) == (2, 1)
    assert [r.by for r in made.read(Scored)] == ["refused", "rules"]


def test_sampled_answers_give_maj_at_k_and_pass_at_k_and_leave_the_greedy_one_alone(tmp_path: Path) -> None:
    tests = problems("4", "5")
    said = {
        0: ["#### 9", "#### 4", "#### 4.0", "#### 8", "#### 4"],
        1: ["#### 5", "#### 1", "#### 1", "#### 5", "none"],
    }
    script = Script(
        {(tests[i].question, d): (text, "stop") for i, texts in said.items() for d, text in enumerate(texts)}
    )
    found = run(tmp_path, tests, script, samples=4, temperature=0.7).facts["benchmarks"]["bench"]
    assert found["correct"] == 1  # the greedy answers: 9 is wrong, 5 is right
    assert found["maj"]["4"]["score"] == 0.5
    assert found["maj"]["1"]["score"] == 0.5
    assert found["pass"]["1"]["score"] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert found["pass"]["2"]["score"] == pytest.approx((1 + 0.5) / 2)
    assert found["pass"]["4"]["score"] == 1.0
    assert found["pass"]["4"]["calls_per_answer"] == 4
    # two problems, both solved within four tries, are no certainty: as wide as two right answers of two
    assert (found["pass"]["4"]["low"], found["pass"]["4"]["high"]) == (pytest.approx(wilson(2, 2).low), 1.0)
    assert script.asked == 10


def test_a_part_of_the_problems_can_be_sampled_the_greedy_answer_is_of_all(tmp_path: Path) -> None:
    tests = problems("4", "4", "4")
    said = [["#### 4", "#### 4", "#### 1"], ["#### 1", "#### 4", "#### 4"], ["#### 4"]]
    script = Script(
        {(tests[i].question, d): (text, "stop") for i, texts in enumerate(said) for d, text in enumerate(texts)}
    )
    found = run(tmp_path, tests, script, samples=2, temperature=0.7, sample_limit=2).facts["benchmarks"]["bench"]
    assert script.asked == 7
    assert (found["n"], found["correct"], found["n_sampled"]) == (3, 2, 2)
    assert found["pass"]["1"]["score"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["pass"]["2"]["low"] == pytest.approx(wilson(2, 2).low)  # of two problems, not of three
    assert "problems sampled" in measures([BenchmarkFacts.of(found)])


def test_what_was_measured_before_there_was_a_limit_of_samples_stays_sealed() -> None:
    assert "sample_limit" not in EvaluateSettings(samples=2, temperature=1).identity()


def test_asking_again_asks_nothing(tmp_path: Path) -> None:
    tests = problems("4", "5")
    script = Script({(t.question, 0): ("#### 4", "stop") for t in tests})
    ledger = Ledger(tmp_path / "ledger")
    store = Store(tmp_path)
    read = store.stage("benchmarks", 1, None, [], writing({"problems": tests}))
    for name in ("first", "second"):
        model = Remembered(script, ledger)
        store.stage(
            name,
            1,
            None,
            [],
            lambda out, m=model: evaluate(out, EvaluateSettings(), read, m, pose_as_chat, RulesJudge()),
        )  # type: ignore[misc]
    assert script.asked == 2


@pytest.mark.parametrize("lost", [{0}, {0, 3}, {1, 2, 4, 5}, {1, 2}, {0, 1, 2, 3, 4, 5}])
def test_a_benchmark_of_which_some_draws_never_came_through_is_left_open(tmp_path: Path, lost: set[int]) -> None:
    tests = problems("4", "4")
    calls = enumerate((t.question, draw) for t in tests for draw in range(3))
    script = Script({call: ("#### 4", "error" if i in lost else "stop") for i, call in calls})
    with pytest.raises(WireDown, match="call"):
        run(tmp_path, tests, script, samples=2, temperature=0.7)


def test_samples_need_a_temperature() -> None:
    with pytest.raises(ValidationError, match="temperature above 0"):
        EvaluateSettings(samples=4)


@pytest.mark.parametrize(
    ("response", "gold", "is_strict", "is_flexible"),
    [
        ("#### 18", "18", True, True),
        ("#### 18\nmore: 20", "18", True, False),
        ("#### 1,319.", "1319", True, True),
        ("#### $18", "18", False, True),  # the mark wants a digit after it
        ("#### 18.00", "18", False, False),  # character by character: this is what the judge is for
        ("It is 18", "18", False, True),
        ("It is eighteen", "18", False, False),
        ("#### -5", "-5", True, True),
        ("#### 1\n#### 2", "1", True, False),  # the first mark counts
        ("", "18", False, False),
    ],
)
def test_string_matches(response: str, gold: str, is_strict: bool, is_flexible: bool) -> None:
    assert strict(response, gold) is is_strict
    assert flexible(response, gold) is is_flexible


def votes(*said: tuple[str | None, bool]) -> list[Sample]:
    return [Sample(*s) for s in said]


@pytest.mark.parametrize(
    ("cast", "right"),
    [
        (votes(("4", True), ("4.0", True), ("9", False)), True),
        (votes(("9", False), ("9", False), ("4", True)), False),
        (votes(("4", True), ("9", False)), True),  # a tie goes to the first
        (votes(("9", False), ("4", True)), False),
        (votes((None, False), (None, False), ("4", True)), True),  # silence has no vote
        (votes((None, False)), False),
    ],
)
def test_majority(cast: list[Sample], right: bool) -> None:
    assert majority(cast) is right


@settings(deadline=None)
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer(case: tuple[int, int, int]) -> None:
    n, right, k = case
    chosen = list(combinations([True] * right + [False] * (n - right), k))
    assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))


def test_pass_at_k_of_too_few_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="pass@5 needs 5 samples"):
        pass_at_k(4, 2, 5)


def test_reported_sizes() -> None:
    assert sizes(1) == [1]
    assert sizes(6) == [1, 2, 4, 6]
    assert sizes(8) == [1, 2, 4, 8]


@pytest.mark.parametrize("lost", [{0}, {1, 2, 3, 4}, {2}], ids=["greedy", "sampled", "one draw"])
def test_an_endpoint_that_refuses_some_of_the_answers_is_what_the_error_names(tmp_path: Path, lost: set[int]) -> None:
    script = Scripted(lambda request: None if request.draw in lost else "#### 4")
    with pytest.raises(WireDown, match="connection reset"):
        run(tmp_path, problems("4", "5"), script, samples=4, temperature=0.7)
