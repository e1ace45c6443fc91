"""q+ and q−: what goes where, synthetic negatives, caps, doubtful teachers; and laws that hold for any samples."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcamath.errors import DataError
from orcamath.preferences import Judged, allotted, answer_against_teacher, capped_pairs, decided, joined, sides
from orcamath.records import Attempt, Exercise, Outcome, Preference, Rejected, Verdict
from orcamath.stages.preferences import PreferSettings, prefer
from orcamath.store.artifacts import Artifact, Output, Store


def exercise(name: str = "p", **fields: object) -> Exercise:
    shown = {"reference": "7", "solution": f"so {name}\n#### 7", "label": "teacher", **fields}
    return Exercise(problem_id=name, question=f"Question of {name}?", **shown)


def attempt(text: str, draw: int = 0, problem: str = "p", finish: str = "stop") -> Attempt:
    return Attempt.make(problem, draw, text, "student", token_ids=(len(text), 2), finish_reason=finish)


def judged(*pairs: tuple[str, Outcome]) -> list[Judged]:
    return [Judged(attempt(text, draw), outcome) for draw, (text, outcome) in enumerate(pairs)]


Case = tuple[Exercise, list[Judged]]


def run(tmp_path: Path, cases: list[Case], **chosen: object) -> Artifact:
    store = Store(tmp_path)

    def practise(out: Output) -> None:
        out.write("exercises", [e for e, _ in cases])
        out.write("attempts", [j.attempt for _, js in cases for j in js])

    def judge(out: Output) -> None:
        out.write(
            "verdicts",
            [
                Verdict(attempt_id=j.attempt.id, problem_id=e.problem_id, outcome=j.outcome, by="rules")
                for e, js in cases
                for j in js
            ],
        )

    practised = store.stage("practice", 1, None, [], practise)
    verdicts = store.stage("judge", 1, None, [], judge)
    ways = PreferSettings(**chosen)
    return store.stage("prefer", 1, ways, [], lambda out: prefer(out, ways, practised, verdicts))


def test_teacher_and_agreeing_samples_are_liked_disagreeing_ones_disliked_unjudged_ones_neither() -> None:
    found = sides(exercise(), judged(("a", "agrees"), ("b", "disagrees"), ("c", "unjudged"), ("a", "agrees")))
    assert [(r.text, r.origin, r.multiplicity) for r in found.positives] == [
        ("so p\n#### 7", "teacher", 1),
        ("a", "sample", 2),
    ]
    assert [(r.text, r.origin) for r in found.negatives] == [("b", "sample")]
    assert found.positives[0].token_ids is None
    assert found.positives[1].token_ids == (1, 2)


def test_a_sample_in_the_teachers_words_does_not_stand_beside_the_teacher() -> None:
    found = sides(exercise(), judged(("so p\n#### 7", "agrees"), ("so p\n#### 7", "agrees")))
    assert [(r.origin, r.multiplicity) for r in found.positives] == [("teacher", 3)]


def test_truncated_samples_say_so_and_are_not_the_same_as_finished_ones() -> None:
    cut, whole = Judged(attempt("a", 0, finish="length"), "disagrees"), Judged(attempt("a", 1), "disagrees")
    assert [r.finished for r in sides(exercise(), [cut, whole]).negatives] == [False, True]


def test_without_a_solution_that_was_found_right_positives_may_be_empty() -> None:
    found = sides(exercise(label="known_answer", solution=None), judged(("a", "disagrees")))
    assert found.positives == ()
    assert len(found.negatives) == 1
    right = sides(exercise(label="known_answer"), judged(("a", "disagrees")))
    assert [r.origin for r in right.positives] == ["teacher"]


def test_teacher_only_positives_is_the_papers_ablation() -> None:
    found = sides(exercise(), judged(("a", "agrees"), ("b", "disagrees")), positives="teacher")
    assert [r.origin for r in found.positives] == ["teacher"]


@pytest.mark.parametrize(
    ("ways", "positives"),
    [
        ({}, ["so p\n#### 7", "#### 7", "3 + 4 = 7\n#### 7"]),
        ({"positives": "worked"}, ["so p\n#### 7", "3 + 4 = 7\n#### 7"]),
        ({"teacher_solution": "when_none_right"}, ["#### 7", "3 + 4 = 7\n#### 7"]),
        ({"teacher_solution": "when_none_right", "positives": "worked"}, ["3 + 4 = 7\n#### 7"]),
        ({"teacher_solution": "when_none_right", "positives": "teacher"}, ["so p\n#### 7"]),
    ],
)
def test_what_joins_q_plus(ways: dict[str, Any], positives: list[str]) -> None:
    given = judged(("#### 7", "agrees"), ("3 + 4 = 7\n#### 7", "agrees"), ("#### 8", "disagrees"))
    found = sides(exercise(), given, **ways)
    assert sorted(r.text for r in found.positives) == sorted(positives)
    assert [r.text for r in found.negatives] == ["#### 8"]


def test_the_teachers_text_stands_in_where_no_sample_is_right() -> None:
    found = sides(exercise(), judged(("#### 8", "disagrees")), teacher_solution="when_none_right")
    assert [r.origin for r in found.positives] == ["teacher"]


def test_controls_without_verdicts_sort_by_working_or_by_chance(tmp_path: Path) -> None:
    given = judged(("#### 7", "agrees"), ("3 + 5 = 8\n#### 8", "disagrees"), ("2 + 5 = 7\n#### 7", "unjudged"))
    assert [j.outcome for j in decided(exercise(), given, "verdict")] == ["agrees", "disagrees", "unjudged"]
    assert [j.outcome for j in decided(exercise(), given, "worked")] == ["disagrees", "agrees", "unjudged"]
    many = judged(*[(f"#### {i}", "agrees" if i < 300 else "disagrees") for i in range(900)], ("?", "unjudged"))
    dealt = [j.outcome for j in decided(exercise(), many, "shuffled")]
    assert Counter(dealt) == Counter(j.outcome for j in many)
    assert dealt[-1] == "unjudged"
    assert 60 < dealt[:300].count("agrees") < 140
    made = run(tmp_path, [(exercise(solution=None), given)], decided_by="worked")
    assert [r.text for row in made.read(Preference) for r in row.positives] == ["3 + 5 = 8\n#### 8"]


def test_synthetic_negatives_come_from_four_other_problems(tmp_path: Path) -> None:
    cases = [(exercise(f"p{i}", reference=str(i)), []) for i in range(12)]
    made = run(tmp_path, cases)
    for row in made.read(Preference):
        texts = [r.text for r in row.negatives]
        assert len(set(texts)) == 4
        assert {r.origin for r in row.negatives} == {"off_topic"}
        assert f"so {row.problem_id}\n#### 7" not in texts
    assert made.facts["synthetic_negatives"] == 48
    assert made.facts["no_negative"] == 12
    assert made.facts["pairs"] == 48


def test_synthetic_negatives_depend_on_the_problem_alone_not_on_the_samples_of_others(tmp_path: Path) -> None:
    cases = [(exercise(f"p{i}", reference=str(i)), []) for i in range(12)]
    other = [*cases[:3], (cases[3][0], judged_of("p3", ("x", "disagrees"))), *cases[4:]]
    first, second = run(tmp_path / "1", cases), run(tmp_path / "2", other)
    rows = zip(first.read(Preference), second.read(Preference), strict=True)
    assert [i for i, (a, b) in enumerate(rows) if a != b] == [3]


def judged_of(problem: str, *pairs: tuple[str, Outcome]) -> list[Judged]:
    return [Judged(attempt(text, draw, problem), outcome) for draw, (text, outcome) in enumerate(pairs)]


@pytest.mark.parametrize("spelled", ["7", "7.0", "$7", "seven"])
def test_a_donor_with_the_same_answer_is_passed_over_and_few_problems_lend_few(tmp_path: Path, spelled: str) -> None:
    cases = [(exercise("a"), []), (exercise("b", reference=spelled), []), (exercise("c", reference="9"), [])]
    rows = {r.problem_id: r for r in run(tmp_path, cases).read(Preference)}
    assert [r.text for r in rows["a"].negatives] == ["so c\n#### 7"]
    assert len(rows["c"].negatives) == 2


def test_where_no_answer_came_with_a_problem_a_right_response_tells_it_or_nothing_is_lent(tmp_path: Path) -> None:
    told = {"a": "It is 12.", "b": "So 5.", "c": "So 12.", "d": "Quite so.", "e": "It is 8."}
    cases: list[Case] = [
        (exercise(name, reference="", solution=None), judged_of(name, (text, "agrees"))) for name, text in told.items()
    ]
    cases.append((exercise("f", reference="12", solution="That makes\n#### 12"), []))
    made = run(tmp_path, cases)
    lent = {r.problem_id: {x.text for x in r.negatives} for r in made.read(Preference)}
    assert lent["a"] == lent["c"] == lent["f"] == {told["b"], told["e"]}
    assert lent["b"] == {told["a"], told["c"], told["e"], "That makes\n#### 12"}
    assert lent["d"] == set()
    (warned,) = made.facts["warnings"]
    assert warned.startswith("1 of 6 problems have neither an answer nor a right response")


def test_synthetic_negatives_can_be_turned_off_and_then_nothing_to_learn_is_left_to_pairs(tmp_path: Path) -> None:
    made = run(tmp_path, [(exercise("a"), []), (exercise("b", reference="1"), [])], synthetic_negatives=0)
    assert [r.negatives for r in made.read(Preference)] == [(), ()]
    assert made.facts["pairs"] == 0


def test_empty_sides_are_counted_and_nothing_judged_is_rejected(tmp_path: Path) -> None:
    cases = [
        (exercise("a", label="known_answer", solution=None), judged_of("a", ("x", "disagrees"), ("y", "unjudged"))),
        (exercise("b", label="known_answer", solution=None), judged_of("b", ("x", "unjudged"))),
        (exercise("c", label="known_answer", solution=None, reference="2"), judged_of("c", ("z", "agrees"))),
    ]
    made = run(tmp_path, cases)
    assert [(r.problem_id, len(r.positives), len(r.negatives)) for r in made.read(Preference)] == [
        ("a", 0, 1),
        ("c", 1, 0),  # nobody else has a right answer to lend
    ]
    assert [(r.item, r.reason) for r in made.read(Rejected)] == [("b", "nothing_judged")]
    assert made.balance["results"] == 3
    assert made.balance["kept"] == 2
    assert (made.facts["no_positive"], made.facts["unjudged"]) == (2, 2)
    right = run(tmp_path / "right", cases, no_positive="drop")
    assert [r.problem_id for r in right.read(Preference)] == ["c"]
    assert [(r.item, r.reason) for r in right.read(Rejected)] == [("a", "no_positive"), ("b", "nothing_judged")]


def noise(*answers: str) -> list[Judged]:
    return judged(*((f"thus\n#### {a}", "disagrees") for a in answers))


@pytest.mark.parametrize(
    ("case", "doubted"),
    [
        (noise("5", "5", "5", "5"), True),
        (noise("5", "5"), True),
        (noise("5"), False),  # one sample agrees with itself only
        (noise("5", "6"), False),
        (judged(("no mark", "disagrees"), ("no mark either", "disagrees")), False),
        ([*noise("5", "5"), *judged(("#### 7", "agrees"))], False),
        ([*noise("5", "5"), *judged(("?", "unjudged"))], False),
    ],
)
def test_the_teacher_is_doubted_where_all_samples_agree_against_it(case: list[Judged], doubted: bool) -> None:
    assert (answer_against_teacher(exercise(), case) is not None) is doubted
    assert answer_against_teacher(exercise(label="known_answer", solution=None), case) is None


def test_doubtful_problems_are_listed_and_dropped_on_demand(tmp_path: Path) -> None:
    wrong = [Judged(attempt(f"way {d}\n#### 5", d, "a"), "disagrees") for d in range(4)]
    cases: list[Case] = [(exercise("a"), wrong), (exercise("b", reference="1"), [])]
    kept, dropped = run(tmp_path / "k", cases), run(tmp_path / "d", cases, label_noise="drop")
    assert kept.facts["teacher_doubted_ids"] == dropped.facts["teacher_doubted_ids"] == ["a"]
    assert [r.problem_id for r in kept.read(Preference)] == ["a", "b"]
    assert [r.problem_id for r in dropped.read(Preference)] == ["b"]
    assert dropped.balance["rejected"] == {"label_noise": 1}


def test_rows_out_of_place_are_an_error_that_names_them() -> None:
    other = attempt("x", problem="q")
    with pytest.raises(DataError, match="problem `q`"):
        list(joined([exercise("p")], [other], []))
    lost = Verdict(attempt_id="gone", problem_id="p", outcome="agrees", by="rules")
    with pytest.raises(DataError, match="verdict of attempt"):
        list(joined([exercise("p")], [attempt("x")], [lost]))


def test_an_attempt_without_a_verdict_is_unjudged() -> None:
    tries = [attempt("x", 0), attempt("y", 1)]
    said = Verdict(attempt_id=tries[1].id, problem_id="p", outcome="agrees", by="rules")
    ((_, found),) = joined([exercise("p")], tries, [said])
    assert [j.outcome for j in found] == ["unjudged", "agrees"]


# Laws

texts = st.sampled_from(["a", "b", "c", "so p\n#### 7", ""])
outcomes = st.sampled_from(["agrees", "disagrees", "unjudged"])
finishes = st.sampled_from(["stop", "length"])
samples = st.lists(st.tuples(texts, outcomes, finishes), max_size=8)


@settings(deadline=None)
@given(samples, st.randoms(use_true_random=False), st.sampled_from(["so p\n#### 7", None]))
def test_the_order_of_samples_changes_nothing(
    drawn: list[tuple[str, Outcome, str]], rng: random.Random, solution: str | None
) -> None:
    given_ = [Judged(attempt(t, d, finish=f), o) for d, (t, o, f) in enumerate(drawn)]
    shuffled = rng.sample(given_, len(given_))
    assert sides(exercise(solution=solution), given_) == sides(exercise(solution=solution), shuffled)


@settings(deadline=None)
@given(samples)
def test_every_judged_sample_is_counted_once(drawn: list[tuple[str, Outcome, str]]) -> None:
    given_ = [Judged(attempt(t, d, finish=f), o) for d, (t, o, f) in enumerate(drawn)]
    found = sides(exercise(), given_)
    counts = Counter(j.outcome for j in given_)
    assert sum(r.multiplicity for r in found.positives) == 1 + counts["agrees"]  # the teacher's own
    assert sum(r.multiplicity for r in found.negatives) == counts["disagrees"]
    for side in found:
        assert len({(r.text, r.finished) for r in side}) == len(side)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 100))
def test_a_cap_takes_that_many_different_pairs_and_spreads_them(n_plus: int, n_minus: int, cap: int) -> None:
    pairs = capped_pairs(n_plus, n_minus, cap)
    if n_plus * n_minus <= cap:
        assert pairs is None
        return
    assert pairs is not None
    assert len(pairs) == len(set(pairs)) == cap
    for axis, size in ((0, n_plus), (1, n_minus)):
        uses = Counter(p[axis] for p in pairs)
        assert set(uses) <= set(range(size))
        assert max(uses.values()) - min(uses.get(i, 0) for i in range(size)) <= 1


def test_no_cap_and_empty_sides_mean_the_whole_product() -> None:
    assert capped_pairs(5, 4, None) is None
    assert capped_pairs(0, 4, 2) is None


def test_a_cap_shows_in_rows_and_facts(tmp_path: Path) -> None:
    case = judged(("a", "agrees"), ("b", "agrees"), ("c", "disagrees"), ("d", "disagrees"))
    made = run(tmp_path, [(exercise("p"), case)], max_pairs=4)
    (row,) = made.read(Preference)
    assert row.pairs == ((0, 0), (1, 1), (2, 0), (0, 1))
    assert (made.facts["pairs"], made.facts["pairs_possible"]) == (4, 6)


def test_the_papers_example_of_twenty_pairs_when_all_four_are_right(tmp_path: Path) -> None:
    right = [Judged(attempt(f"way {d}", d, "p0"), "agrees") for d in range(4)]
    cases: list[Case] = [(exercise("p0", reference="0"), right)]
    cases += [(exercise(f"p{i}", reference=str(i)), []) for i in range(1, 8)]
    row = next(iter(run(tmp_path, cases).read(Preference)))
    assert (len(row.positives), len(row.negatives)) == (5, 4)


@pytest.mark.parametrize(
    ("wanted", "total", "given_out"),
    [
        ([4, 4, 4, 4], 8, [2, 2, 2, 2]),
        ([4, 1, 4], 6, [2, 1, 3]),
        ([4, 4, 4, 4], 2, [0, 1, 0, 1]),
        ([2, 3], 99, [2, 3]),
        ([2, 3], 0, [0, 0]),
        ([], 5, []),
    ],
)
def test_pairs_are_shared_out_evenly(wanted: list[int], total: int, given_out: list[int]) -> None:
    assert list(allotted(wanted, total)) == given_out


@given(st.lists(st.integers(0, 30), max_size=30), st.integers(0, 300))
def test_sharing_out_gives_all_there_is_and_no_more(wanted: list[int], total: int) -> None:
    got = list(allotted(wanted, total))
    assert sum(got) == min(total, sum(wanted))
    assert all(0 <= g <= w for g, w in zip(got, wanted, strict=True))
    cut = [g for g, w in zip(got, wanted, strict=True) if g < w]
    assert not cut or max(got) - min(cut) <= 1


def test_off_topic_pairs_are_held_to_their_share(tmp_path: Path) -> None:
    cases: list[Case] = []
    for n in range(
        6
    ):  # half of the problems have a wrong answer of their own: 2 × 2 pairs; the others 3 × 4 synthetic ones
        name = f"p{n}"
        answers: list[tuple[str, Outcome]] = [("a", "agrees"), ("b", "agrees")]
        if n % 2:
            answers = [("a", "agrees"), ("x", "disagrees"), ("y", "disagrees")]
        cases.append((exercise(name, reference=str(n)), judged_of(name, *answers)))
    for share, pairs in ((1.0, [12, 12, 12]), (0.5, [4, 4, 4]), (0.25, [1, 1, 2]), (0.0, [0, 0, 0])):
        made = run(tmp_path, cases, max_off_topic_share=share)
        rows = list(made.read(Preference))
        off = [len(r.positives) * len(r.negatives) if r.pairs is None else len(r.pairs) for r in rows[::2]]
        assert sorted(off) == pairs, share
        assert made.facts["off_topic_pairs"] == sum(pairs) <= share * made.facts["pairs"] + 1e-9
        assert all(r.pairs is None for r in rows[1::2])  # pairs on the topic stay
        assert all(len(r.negatives) == 4 for r in rows[::2])  # and KTO still has every response
