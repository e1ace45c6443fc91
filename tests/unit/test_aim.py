"""Aimed practice: chosen on earlier rounds only, for a reason that is kept; without an aim no digest changes."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from orcamath.commands.models import pose_as_chat
from orcamath.difficulty import Aim, Rate, SampleRecord, common_contradiction, place, pooled, standings
from orcamath.preferences import Judged
from orcamath.records import Attempt, Chosen, Exercise, Outcome, Problem, Rejected, Settings, Verdict, digest, later
from orcamath.report.fold import fold
from orcamath.report.page import render_page
from orcamath.stages.aiming import Round, families, placed
from orcamath.stages.practice import PracticeFacts, PracticeSettings, practise
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.view.ancestry import ancestry
from orcamath.view.text import rendered
from report_run import make_run
from scripted import Scripted, sealed

AGREES: dict[str, Outcome] = {"+": "agrees", "-": "disagrees", "?": "unjudged"}


SEED = Problem.make("seed 9", "seed", "t", answer="9")


def grown(text: str) -> Problem:
    made = Problem.make(text, "ask_me_anything", "t", answer="7", answer_from="hidden_number", parents=(SEED.id,))
    return made.model_copy(update={"confirmed": True})


EASY, MIDDLE, HARD, KIN, DOUBTED = (grown(x) for x in ("easy", "middle", "hard", "kin", "doubted"))
ALONE = Problem.make("alone", "seed", "t", answer="7").model_copy(update={"confirmed": True})
ALL = [EASY, MIDDLE, HARD, KIN, DOUBTED, ALONE]


def exercise(problem: Problem) -> Exercise:
    return Exercise(problem_id=problem.id, question=problem.question, reference="7", label="known_answer")


def judged(problem: Problem, said: str, wrong: Sequence[str] = ()) -> list[Judged]:
    """`+`, `-` or `?` a sample; wrong ones say the given answers in turn, or one of their own each."""
    found = []
    for draw, sign in enumerate(said):
        answer = "7" if sign == "+" else wrong[draw % len(wrong)] if wrong else str(100 + draw)
        attempt = Attempt.make(problem.id, draw, f"#### {answer}", "s", token_ids=None, finish_reason="stop")
        found.append(Judged(attempt, AGREES[sign]))
    return found


ROUND = {
    EASY.id: judged(EASY, "++++"),
    MIDDLE.id: judged(MIDDLE, "+--+"),
    HARD.id: judged(HARD, "----"),
    DOUBTED.id: judged(DOUBTED, "----", ["12"]),
}


def earlier(root: Path) -> Round:
    by_id = {p.id: p for p in ALL}
    attempts = [j.attempt for found in ROUND.values() for j in found]
    verdicts = [
        Verdict(attempt_id=j.attempt.id, problem_id=j.attempt.problem_id, outcome=j.outcome, by="rules")
        for found in ROUND.values()
        for j in found
    ]
    practised = sealed(root, "practice", exercises=[exercise(by_id[i]) for i in ROUND], attempts=attempts)
    return Round(practised, sealed(root, "judge", verdicts=verdicts))


def made(root: Path, *, rounds: bool = True, **settings: object) -> Artifact:
    told = PracticeSettings.model_validate({"problems": "fresh", "label": "known_answer", **settings})
    gated = sealed(root, "gate", problems=ALL)
    chat = Remembered(Scripted(lambda _: "#### 7"), Ledger(root / "ledger"))
    before = (earlier(root),) if rounds else ()
    return Store(root / "store").stage(
        "practice",
        practise.version,
        told,
        [gated, chat.fingerprint, *(r.practised for r in before)],
        lambda out: practise(out, told, gated, chat, pose_as_chat, before),
    )


def test_earlier_rounds_say_what_is_practised_and_why(tmp_path: Path) -> None:
    found = made(tmp_path, aim={"low": 0.2, "high": 0.8})
    assert [e.question for e in found.read(Exercise)] == ["middle", "kin", "alone"]
    why = {c.problem_id: (c.why, c.right, c.n) for c in found.read(Chosen)}
    assert why == {
        MIDDLE.id: ("aimed: 2 of 4 right in an earlier round, aim 0.2 to 0.8", 2, 4),
        KIN.id: ("aimed: 6 of 12 right in its family in an earlier round, aim 0.2 to 0.8", 6, 12),
        ALONE.id: ("unknown: too few earlier samples", 0, 0),
    }
    assert {r.item: (r.reason, r.detail) for r in found.read(Rejected)} == {
        EASY.id: ("too_easy", "4 of 4 right in an earlier round, aim 0.2 to 0.8"),
        HARD.id: ("too_hard", "0 of 4 right in an earlier round, aim 0.2 to 0.8"),
        DOUBTED.id: ("label_contradicted", "no sample reaches the label, most say 12"),
    }
    facts = found.said(PracticeFacts)
    assert facts.aimed == {"aimed": 2, "label_contradicted": 1, "too_easy": 1, "too_hard": 1, "unknown": 1}
    assert facts.contradicted == (DOUBTED.id,)


def test_what_is_aimed_at_comes_before_what_is_unknown(tmp_path: Path) -> None:
    found = made(tmp_path / "all", aim={"families": False})
    rates = {c.problem_id: (c.right, c.n) for c in found.read(Chosen)}
    assert rates == {
        MIDDLE.id: (2, 4),
        KIN.id: (0, 0),
        ALONE.id: (0, 0),
    }  # its family's samples do not speak for KIN here
    found = made(tmp_path, aim={"families": False}, max_problems=1)
    assert [e.question for e in found.read(Exercise)] == ["middle"]
    assert found.said(PracticeFacts).aimed["unknown"] == 2


def test_the_first_round_has_nothing_to_aim_by(tmp_path: Path) -> None:
    found = made(tmp_path, rounds=False, aim={})
    assert len(list(found.read(Exercise))) == len(ALL)
    assert found.said(PracticeFacts).aimed == {"unknown": len(ALL)}


def test_without_an_aim_nothing_is_said_and_no_digest_changes(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert not found.has("chosen")
    assert "aimed" not in found.facts
    assert "aim" not in PracticeSettings().identity()
    assert PracticeSettings(aim=Aim()).identity()["aim"] == {"low": 0.2, "high": 0.8, "families": True, "least": 4}

    class Before(Settings):
        one: int = 1

    class After(Before):
        two: int = later(2)

    assert digest(Before().identity()) == digest(After().identity()) != digest(After(two=3).identity())


def test_show_says_why_a_problem_was_chosen_or_not(tmp_path: Path) -> None:
    stages = [sealed(tmp_path, "collect", problems=ALL), made(tmp_path, aim={})]
    found = ancestry(stages, MIDDLE.id)
    assert re.search("chosen by practice [0-9a-f]{8} as aimed: 2 of 4 right in an earlier round", rendered(found))
    assert [c["why"] for c in found.plain()["chosen"]] == ["aimed: 2 of 4 right in an earlier round, aim 0.2 to 0.8"]
    assert "too_hard, 0 of 4 right in an earlier round" in rendered(ancestry(stages, HARD.id))


@pytest.mark.parametrize(
    ("said", "wrong", "against"),
    [
        ("----", ["12"], "12"),
        ("---?", ["12", "12", "13"], "12"),
        ("----", ["12", "13"], None),  # half is not more than half
        ("+---", ["12"], None),
        ("-", ["12"], None),
        ("????", [], None),
    ],
)
def test_samples_that_contradict_a_label(said: str, wrong: list[str], against: str | None) -> None:
    for label in ("known_answer", "teacher"):  # either may be wrong
        held = exercise(HARD).model_copy(update={"label": label})
        assert common_contradiction(held, judged(HARD, said, wrong)) == against


def test_rates_of_the_latest_round_and_of_families() -> None:
    rounds = [
        [(exercise(EASY), judged(EASY, "----"))],
        [(exercise(EASY), judged(EASY, "++?")), (exercise(HARD), judged(HARD, "--"))],
    ]
    found = standings(rounds)
    assert found[EASY.id] == SampleRecord(Rate(2, 2))
    assert pooled(found, {EASY.id: "f", HARD.id: "f"}) == {"f": Rate(2, 4)}
    assert pooled({EASY.id: SampleRecord(Rate(0, 4), "12")}, {EASY.id: "f"}) == {}
    aim = Aim(low=0.5, high=0.5)
    assert [place("p", aim, {"p": SampleRecord(Rate(n, 4))}, {}, "f")[0] for n in (1, 2, 3)] == [
        "too_hard",
        "aimed",
        "too_easy",
    ]
    assert place("p", aim, {"p": SampleRecord(Rate(1, 2))}, {"f": Rate(2, 4)}, "f")[0] == "aimed"  # too few of its own


def test_families_are_what_problems_were_grown_out_of(tmp_path: Path) -> None:
    assert families(sealed(tmp_path, "gate", problems=ALL)) == {p.id: SEED.id if p.parents else p.id for p in ALL}
    assert placed([], Aim(), sealed(tmp_path, "gate", problems=ALL), []) == {}


def test_an_aim_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValidationError, match="is above high"):
        Aim(low=0.9, high=0.1)


def test_the_report_shows_where_problems_lay(tmp_path: Path) -> None:
    results = fold(*make_run(tmp_path))
    assert "Aimed practice" not in render_page(results)
    key = next(k for k in results.facts if "practice" in k)
    told = PracticeFacts(aimed={"aimed": 3, "too_easy": 5}, contradicted=("abc123",))
    shown = render_page(results._replace(facts={**results.facts, key: told}))
    assert "Aimed practice" in shown
    assert "abc123" in shown
