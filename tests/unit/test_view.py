"""`show ID`: a problem's ancestry and all that came of it, shown so that no text of a model's steers the terminal."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from orcamath.errors import UsageError
from orcamath.records import (
    Attempt,
    Exercise,
    Lesson,
    Preference,
    Problem,
    Record,
    Rejected,
    Response,
    Scored,
    Verdict,
)
from orcamath.store.artifacts import Artifact, Output
from orcamath.view.ancestry import ancestry
from orcamath.view.text import rendered
from scripted import Bench

EVIL = "[/bold] \x1b[2J\x1b]0;owned\x07 \u202ereversed\nproblem 0000\r overwritten"

SEED = Problem.make(
    "Mia has 3 boxes of 4 pens. How many?", "seed", "gsm8k", answer="12", answer_from="gold", licence="MIT"
)
ASKED = Problem.make(
    "Mia has some boxes of 4 pens, 12 in all. How many boxes?",
    "ask_me_anything",
    "gsm8k",
    parents=(SEED.id,),
    target="3",
    answer="3",
    answer_from="hidden_number",
    round=1,
)
OTHER = Problem.make("Mia has 3 boxes, 12 pens.", "ask_me_anything", "gsm8k", parents=(SEED.id,), target="4", round=1)
EDITED = Problem.make(
    "Mia has 3 boxes of 4 pens and loses 2.", "suggester_editor", "gsm8k", parents=(SEED.id,), round=1
)
HARDER = Problem.make("Mia has 30 boxes …", "suggester_editor", "gsm8k", parents=(EDITED.id,), round=2)
LESSON = Lesson.make(ASKED, f"12 / 4 = 3 {EVIL}\n#### 3", "3", "teacher-1", verified="hidden_number")
ATTEMPTS = [
    Attempt.make(ASKED.id, i, text, "student-1", token_ids=None, finish_reason=reason)
    for i, (text, reason) in enumerate([("It is 3.", "stop"), (f"It is 4. {EVIL}", "length"), ("Hm", "stop")])
]
VERDICTS = [
    Verdict(attempt_id=ATTEMPTS[0].id, problem_id=ASKED.id, outcome="agrees", by="rules"),
    Verdict(attempt_id=ATTEMPTS[1].id, problem_id=ASKED.id, outcome="disagrees", by="rules", reason=EVIL),
]
PREFERENCE = Preference(
    problem_id=ASKED.id,
    question=ASKED.question,
    positives=(Response(text="It is 3.", origin="sample", multiplicity=2),),
    negatives=(Response(text="It is 4.", origin="sample"), Response(text="A cat.", origin="off_topic")),
)
SCORED = Scored(
    problem_id=ASKED.id,
    benchmark="mine",
    draw=0,
    text="3",
    final_answer="3",
    gold="3",
    outcome="agrees",
    by="rules",
    finish_reason="stop",
    n_tokens=1,
)


def stage(bench: Bench, *tables: tuple[str, list[Record]]) -> Artifact:
    def make(out: Output) -> None:
        for name, rows in tables:
            if name == "rejected":
                for row in rows:
                    assert isinstance(row, Rejected)
                    out.reject(row)
            else:
                out.write(name, rows)

    return bench.run(make)


@pytest.fixture
def run(tmp_path: Path) -> list[Artifact]:
    bench = Bench(tmp_path)
    return [
        stage(bench, ("problems", [SEED])),
        stage(bench, ("problems", [ASKED, OTHER])),
        stage(bench, ("problems", [EDITED, HARDER])),
        stage(
            bench,
            ("problems", [SEED, ASKED, EDITED, HARDER]),
            ("rejected", [Rejected(item=OTHER.id, reason="near_duplicate", detail=EVIL, repeats=ASKED.id)]),
        ),
        stage(bench, ("lessons", [LESSON])),
        stage(
            bench,
            ("exercises", [Exercise(problem_id=ASKED.id, question=ASKED.question, reference="3", label="teacher")]),
            ("attempts", list(ATTEMPTS)),
        ),
        stage(bench, ("verdicts", list(VERDICTS))),
        stage(bench, ("preferences", [PREFERENCE])),
        stage(bench, ("scored", [SCORED])),
    ]


def test_everything_that_came_of_a_problem_is_found(run: list[Artifact]) -> None:
    found = ancestry(run, ASKED.id)
    assert found.problem == ASKED
    assert found.parents == [SEED]
    assert found.siblings == [OTHER]
    assert found.children == []
    assert [(s.stage.split()[0], s.table) for s in found.seen] == [
        ("stage2", "problems"),
        ("stage4", "problems"),
        ("stage5", "lessons"),
    ]
    assert found.lessons == [LESSON]
    (practised,) = found.practised
    assert [v.outcome if v else None for _, v in practised.attempts] == ["agrees", "disagrees", None]
    assert [p for _, p in found.preferences] == [PREFERENCE]
    assert [s for _, s in found.scored] == [SCORED]
    ((_, repetition),) = found.rejected
    assert repetition.item == OTHER.id


def test_parents_go_up_to_the_seed_and_children_down_one_step(run: list[Artifact]) -> None:
    assert ancestry(run, HARDER.id).parents == [EDITED, SEED]
    assert ancestry(run, EDITED.id).children == [HARDER]
    seed = ancestry(run, SEED.id)
    assert {p.id for p in seed.children} == {ASKED.id, OTHER.id, EDITED.id}
    assert seed.siblings == []


def test_a_rejected_problem_says_where_and_why(run: list[Artifact]) -> None:
    found = ancestry(run, OTHER.id)
    ((where, why),) = found.rejected
    assert where.startswith("stage4 ")
    assert (why.reason, why.repeats) == ("near_duplicate", ASKED.id)
    assert "rejected by stage4" in rendered(found)


@pytest.mark.parametrize("name", [ASKED.id[:10], f"  {ASKED.id[:10].upper()} ", LESSON.id, ATTEMPTS[1].id[:12]])
def test_the_beginning_of_an_id_is_enough_and_lessons_and_attempts_lead_to_their_problem(
    run: list[Artifact], name: str
) -> None:
    assert ancestry(run, name).problem == ASKED


def test_an_unknown_or_ambiguous_beginning_is_explained(run: list[Artifact], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="begins with `nosuch`"):
        ancestry(run, "nosuch")
    with pytest.raises(UsageError, match="which problem"):
        ancestry(run, " ")
    twins = [Problem.make("1+1?", "seed", "x"), Problem.make("1+2?", "seed", "x")]
    both = [t.model_copy(update={"id": f"abc{i}{t.id[4:]}"}) for i, t in enumerate(twins)]
    table = stage(Bench(tmp_path / "b"), ("problems", list(both)))
    with pytest.raises(UsageError, match=r"2 problems.*1\+1.*give more"):
        ancestry([table], "abc")
    assert ancestry([table], "abc1").problem == both[1]


def test_a_run_that_began_with_lessons_or_verdicts_is_shown_too(tmp_path: Path, run: list[Artifact]) -> None:
    found = ancestry([run[4]], ASKED.id[:8])
    assert (found.problem.question, found.problem.parents) == (ASKED.question, ASKED.parents)
    assert ancestry([run[5]], ASKED.id[:8]).problem.question == ASKED.question


def test_it_is_plain_data(run: list[Artifact]) -> None:
    plain: dict[str, Any] = orjson.loads(orjson.dumps(ancestry(run, ASKED.id).plain()))
    assert plain["problem"]["id"] == ASKED.id
    assert plain["siblings"]["n"] == 1
    assert [a["verdict"]["outcome"] for a in plain["practised"][0]["attempts"][:2]] == ["agrees", "disagrees"]
    assert plain["practised"][0]["attempts"][2]["verdict"] is None


def test_no_text_of_theirs_steers_the_terminal_or_passes_for_ours(run: list[Artifact]) -> None:
    text = rendered(ancestry(run, ASKED.id))
    assert not set(text) & set("\x1b\x07\r\u202e\x00")
    assert "⟨U+001B⟩" in text
    assert "[/bold]" in text
    assert [line for line in text.splitlines() if line.startswith("problem ")] == [f"problem {ASKED.id}"]
    assert "answer 2, cut off, disagrees by rules" in text
    assert "+ sample ×2: It is 3." in text
    assert "not judged" in text


def test_long_texts_are_cut_with_their_length_unless_all_is_asked(tmp_path: Path) -> None:
    long = Problem.make("word " * 2_000, "seed", "x")
    found = ancestry([stage(Bench(tmp_path), ("problems", [long]))], long.id)
    assert "4,000 of 10,000 characters shown" in rendered(found)
    assert "characters shown" not in rendered(found, full=True)


def test_all_that_is_asked_for_is_all_that_is_stored(tmp_path: Path) -> None:
    def long(of: str) -> str:
        return f"{of} " * 300 + f"ends {of}"

    mine = Problem.make("Why?", "seed", "x", options=(long("option"), "2"), answer=long("answer"), answer_from="gold")
    asked = Exercise(problem_id=mine.id, question=mine.question, reference=long("reference"), label="teacher")
    tried = Attempt.make(mine.id, 0, long("attempt"), "s", token_ids=None, finish_reason="stop")
    bench, sides = Bench(tmp_path), (Response(text=long("lent"), origin="off_topic"),)
    said = Verdict(attempt_id=tried.id, problem_id=mine.id, outcome="disagrees", by="m", reason=long("reason"))
    stages = [
        bench.tables(problems=[mine, Problem.make(long("child"), "suggester_editor", "x", parents=(mine.id,))]),
        bench.tables(exercises=[asked], attempts=[tried], verdicts=[said]),
        bench.tables(preferences=[Preference(problem_id=mine.id, question="Why?", positives=(), negatives=sides)]),
        bench.run(
            lambda out: out.reject(Rejected(item=mine.id, reason="x", detail=long("detail"), text=long("reject")))
        ),
    ]
    told = rendered(ancestry(stages, mine.id), full=True)
    for of in ("option", "answer", "reference", "attempt", "reason", "lent", "child", "detail", "reject"):
        assert f"ends {of}" in told, of
    assert "characters shown" not in told


def test_a_large_family_is_counted_and_its_first_shown(tmp_path: Path) -> None:
    children = [Problem.make(f"{i}?", "ask_me_anything", "x", parents=(SEED.id,)) for i in range(100)]
    found = ancestry([stage(Bench(tmp_path), ("problems", [SEED, *children]))], SEED.id)
    assert (found.n_children, len(found.children)) == (100, 40)
    assert "what was made of it (100, the first 40)" in rendered(found)
