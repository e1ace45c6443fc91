"""Rules first, then math-verify in a process that can be killed, then a model; the stage that writes verdicts."""

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from orcamath import judges
from orcamath.errors import DataError, WireDown
from orcamath.judges.cascade import CascadeJudge
from orcamath.judges.cascade import make as make_cascade
from orcamath.judges.math_verify import MathVerify
from orcamath.judges.model import make as make_model
from orcamath.judges.rules import RulesJudge
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Comparison, Judge, Reply, Request
from orcamath.records import Attempt, Exercise, Verdict
from orcamath.stages.judge import judge
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.under_way import stage_under_way
from scripted import Bench, Scripted, user_text

SURE = Comparison("How many?", "9", "#### 9")
WRONG = Comparison("How many?", "9", "#### 8")
OPEN = Comparison("How long is the worm?", "0.7", "The answer is 70%.")
ALGEBRA = Comparison("Simplify.", "\\cos^2 x", "\\boxed{1-\\sin^2 x}", "expression")


def yes(_: Request) -> str:
    return "Error Analysis: none.\nFinal Verdict: Correct"


@pytest.fixture(scope="module")
def verify() -> MathVerify:
    return MathVerify(timeout_s=20)


def test_only_open_rows_reach_the_model(tmp_path: Path) -> None:
    chat = Scripted(yes)
    cascade = CascadeJudge(None, make_model(JudgeSettings(), Bench(tmp_path).model(chat)))
    with stage_under_way("judge") as calls:
        findings = list(cascade([SURE, OPEN, WRONG, OPEN]))
    assert [f.outcome for f in findings] == ["agrees", "agrees", "disagrees", "agrees"]
    assert [f.by.partition(":")[0] for f in findings] == ["rules", "model", "rules", "model"]
    assert (len(chat.asked), calls.n) == (1, 1)


@pytest.mark.parametrize(("batched", "n_batches"), [(False, 4), (True, 1)])
@pytest.mark.parametrize("alone", [False, True])
def test_a_batch_api_is_handed_many_windows_at_once(
    tmp_path: Path, batched: bool, n_batches: int, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Handed(Scripted):
        n = 0

        def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
            Handed.n += 1
            return super().__call__(requests)

    if batched:
        monkeypatch.setattr(Handed, "handed_in", lambda _: frozenset(), raising=False)
    for module in (judges.model, judges.cascade):
        monkeypatch.setattr(module, "WINDOW", 3)
    asked = make_model(JudgeSettings(), Bench(tmp_path).model(Handed(yes)))
    rows = [OPEN._replace(question=f"How long is worm {i}?") if alone or i % 3 else SURE for i in range(12)]
    findings = list((asked if alone else CascadeJudge(None, asked))(iter(rows)))
    assert Handed.n == n_batches
    assert [f.by.partition(":")[0] for f in findings] == ["model" if row != SURE else "rules" for row in rows]


def test_no_more_is_read_ahead_for_a_batch_than_can_be_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Scripted(yes)
    chat.handed_in = frozenset  # type: ignore[attr-defined]
    for name, n in (("WINDOW", 1), ("BATCH", 5)):
        monkeypatch.setattr(judges.model, name, n)
    monkeypatch.setattr(judges.cascade, "WINDOW", 1)
    pulled = 0

    def rows() -> Iterator[Comparison]:
        nonlocal pulled
        for _ in range(100):
            pulled += 1
            yield SURE

    next(CascadeJudge(None, make_model(JudgeSettings(), Bench(tmp_path).model(chat)))(rows()))
    assert pulled == 20


def test_without_a_model_an_open_row_stays_open() -> None:
    (finding,) = make_cascade(JudgeSettings(math_verify=False), None)([OPEN])
    assert finding.outcome == "unjudged"


def test_math_verify_answers_from_its_own_process(verify: MathVerify) -> None:
    assert verify("\\frac{1}{2}", "0.5") is True
    assert verify("1", "2") is False
    assert verify("", "x") is None
    long = "x + " * 300
    assert verify(f"{long}1", f"{long}2") is None  # alike as far as they would be read


def test_a_worker_that_dies_is_replaced(verify: MathVerify) -> None:
    assert verify("2", "2") is True
    assert verify._worker is not None
    os.kill(verify._worker.pid, signal.SIGKILL)
    verify._worker.wait()
    assert verify("3", "3.0") is True


def test_a_worker_that_hangs_is_killed_and_the_pair_left_open() -> None:
    impatient = MathVerify(timeout_s=20)
    assert impatient("2", "2") is True
    assert impatient._worker is not None
    pid = impatient._worker.pid
    os.kill(pid, signal.SIGSTOP)
    impatient.timeout_s = 0.05
    assert impatient("5", "4") is None
    assert impatient.kills == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    impatient.timeout_s = 20
    assert impatient("5", "6") is False
    impatient.close()


def test_math_verify_settles_what_rules_cannot_read(verify: MathVerify) -> None:
    (alone,) = RulesJudge()([ALGEBRA])
    (settled,) = CascadeJudge(verify)([ALGEBRA])
    assert alone.outcome == "unjudged"
    assert (settled.outcome, settled.by) == ("agrees", "math-verify")


# --- the stage


def practised(bench: Bench, attempts: dict[str, list[tuple[str, str]]], *, shuffled: bool = False) -> Artifact:
    exercises = [Exercise(problem_id=p, question=f"Question {p}?", reference="9", label="teacher") for p in attempts]
    rows = [
        Attempt.make(p, i, text, "s", token_ids=None, finish_reason=finish)
        for p, texts in attempts.items()
        for i, (text, finish) in enumerate(texts)
    ]
    rows = rows[::-1] if shuffled else rows

    def write(out: Output) -> None:
        out.write("exercises", exercises)
        out.write("attempts", rows)

    return bench.run(write)


def judged(bench: Bench, made: Artifact, by: Judge) -> Artifact:
    return bench.run(lambda out: judge(out, JudgeSettings(), made, by))


def test_every_attempt_gets_one_verdict_in_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    made = practised(
        bench,
        {
            "a": [("#### 9", "stop"), ("#### 8", "stop"), ("First, 4 + 5 is", "length"), ("", "stop")],
            "b": [],
            "c": [("#### 9 and so on and on", "length")],
        },
    )
    sealed = judged(bench, made, RulesJudge())
    verdicts = list(sealed.read(Verdict))
    assert [v.attempt_id for v in verdicts] == [a.id for a in made.read(Attempt)]
    assert [(v.outcome, v.reason) for v in verdicts] == [
        ("agrees", "same_answer"),
        ("disagrees", "other_answer"),
        ("disagrees", "cut_off"),
        ("disagrees", "no_answer"),
        ("agrees", "same_answer"),
    ]
    assert sealed.balance["results"] == sealed.balance["kept"] == 5
    assert sealed.facts["outcomes"] == {"agrees": 2, "disagrees": 3}
    assert sealed.facts["by"] == {"rules": 5}
    assert judge.version >= 1


def test_attempts_out_of_order_are_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    made = practised(bench, {"a": [("#### 9", "stop")], "b": [("#### 9", "stop")]}, shuffled=True)
    with pytest.raises(DataError, match="order of their exercises"):
        judged(bench, made, RulesJudge())


def test_a_judge_on_a_broken_wire_leaves_the_stage_open(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    made = practised(bench, {"a": [("#### 9", "stop")]})
    with pytest.raises(WireDown, match="connection reset"):
        judged(bench, made, make_model(JudgeSettings(), bench.model(Scripted(lambda _: None))))
    assert "Question a?" in user_text(
        make_model(JudgeSettings(), bench.model(Scripted(yes))).request(Comparison("Question a?", "9", "9"))
    )
