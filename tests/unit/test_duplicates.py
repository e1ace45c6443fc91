"""Duplicates: copies and renamed stories go, siblings and other numbers stay; every drop names what it repeats."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from elsewhere import elsewhere
from orcamath.duplicates import likeness
from orcamath.duplicates.minhash import BANDS, agreeing, candidates, later_and_earlier, signatures
from orcamath.machines import Machines, one_by_one
from orcamath.records import Problem, Rejected
from orcamath.stages.collect import BLOCK, CollectSettings, collect, looks_english
from orcamath.store.artifacts import Artifact, Store
from scripted import Bench, seed

STORY = (
    "Tom picks 12 apples in the morning and 9 apples in the afternoon. He gives 5 apples to Mary and shares the others "
    "with his two brothers. How many apples does Tom get?"
)


def collected(tmp_path: Path, *parts: list[Problem], **settings: Any) -> Artifact:
    bench = Bench(tmp_path)
    tables = [bench.table(part) for part in parts]
    return bench.run(lambda out: collect(out, CollectSettings(**settings), tables))


def drops(made: Artifact) -> list[tuple[str, str, str | None]]:
    return [(r.item, r.reason, r.repeats) for r in made.read(Rejected)]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (STORY.upper().replace(". ", " .  "), "same_text"),
        (
            STORY.replace("Tom", "Lucia").replace("He ", "She ").replace("his", "her").replace("Mary", "Oscar"),
            "near_duplicate",
        ),
        (STORY.replace("picks", "gathers"), "near_duplicate"),
        (STORY.replace("12", "13"), None),
        (STORY.replace("How many apples does Tom get?", "How many apples does Mary get?"), None),
        (STORY.replace("How many apples does Tom get?", "How many apples do the brothers get together?"), None),
        (STORY.replace("two brothers", "three brothers"), None),
        (STORY.replace("How many apples does Tom get?", "How many apples does Tom give away?"), None),
        (STORY.replace("in the morning and 9 apples in the afternoon", "at home and buys 9 more"), None),  # half is new
    ],
)
def test_what_repeats_a_problem(tmp_path: Path, second: str, reason: str | None) -> None:
    first, again = seed(STORY), seed(second)
    made = collected(tmp_path, [first], [again])
    assert drops(made) == ([(again.id, reason, first.id)] if reason else [])
    assert made.balance["results"] == 2


EATEN = (
    "Zach had 40 apples in the kitchen of his grandmother's old house by the sea. Of those apples he ate 6 with his friends in "
    "the afternoon, and later that evening he got 9 more from Ann, who lives on the other side of the road. How many apples "
    "does Zach have now?"
)
"""So long that the two numbers alone do not make it another story."""
GIVEN = "Zach had 40 apples. Then he brings 6 of them to Ann. How many apples does Zach have now?"


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ((EATEN, "43"), (EATEN.replace("6", "#").replace("9", "6").replace("#", "9"), None), None),
        ((GIVEN, "34"), (GIVEN.replace("brings", "lends"), "46"), None),
        ((GIVEN, "34"), (GIVEN.replace("brings", "lends"), "34.0"), "near_duplicate"),
        ((GIVEN, "34"), (GIVEN.replace("brings", "lends"), None), "near_duplicate"),
        ((GIVEN, "34"), (GIVEN, "46"), "same_text"),
        (("What is 3 - 5?", "-2"), ("What is 3 + 5?", "8"), None),
        (("What is 3 - 5?", None), ("What is 3 + 5?", None), None),
        (("What is 3 − 5?", "-2"), ("What is 3 - 5", "-2"), "same_text"),
        (("A pen is $.50. What do 4 cost?", None), ("A pen is $50. What do 4 cost?", None), None),
        (("A pen is $.50. What do 4 cost?", None), ("A pen is $0.50. What do 4 cost?", None), "same_text"),
        (("How many n ≥ 3 are in it?", None), ("How many n ≤ 3 are in it?", None), None),
        (("What is √16 + 9?", None), ("What is 16 + 9?", None), None),
        (("What is √16 + 9?", None), ("What is 16 + √9?", None), None),
        (("What is 5!?", None), ("What is 5?", None), None),
        (("Compute |3 - 8| + 2.", None), ("Compute 3 - 8 + 2.", None), None),
        (("Zach got 5! How many has he?", None), ("Zach got 5. How many has he?", None), "same_text"),
        (('Ann said: "It is 5!" Is it?', None), ('Ann said: "It is 5." Is it?', None), "same_text"),
        ((GIVEN.replace("40", "√40"), None), (GIVEN.replace("brings", "lends"), None), None),
        (("Compute -3 times 4.", "-12"), ("Compute 3 times 4.", "12"), None),
        (
            ("Ann - a baker - has 3 well-made cakes. How many?", None),
            ("Ann, a baker, has 3 well made cakes. How many?", None),
            "same_text",
        ),
    ],
)
def test_other_places_of_numbers_or_another_known_answer_are_another_problem(
    tmp_path: Path, first: tuple[str, str], second: tuple[str, str | None], reason: str | None
) -> None:
    one, other = (Problem.make(q, "seed", "test", answer=a) for q, a in (first, second))
    made = collected(tmp_path, [one], [other])
    assert [r for _, r, _ in drops(made)] == ([reason] if reason else [])


def test_other_choices_are_another_problem(tmp_path: Path) -> None:
    stem = "Which of these is a prime number, so that nothing but one and itself divides it?"
    one, other = (
        Problem.make(stem, "seed", "test", answer="A", answer_kind="choice", options=options)
        for options in (("7", "8"), ("11", "12"))
    )
    assert one.id != other.id
    again = Problem.make(stem, "seed", "test", answer="A", answer_kind="choice", options=("7", "8"), level="x")
    assert again.id == one.id
    assert drops(collected(tmp_path, [one, other])) == []


def child(question: str, target: str, parent: str = "p") -> Problem:
    return Problem.make(question, "ask_me_anything", "test", parents=(parent,), target=target, answer=target)


def test_siblings_are_compared_by_target_only(tmp_path: Path) -> None:
    a = child("Tom has some apples and 5 pears, together 12. How many apples has he?", "7")
    b = child("Tom has 7 apples and some pears, together 12. How many pears has he?", "5")
    c = child("Of Tom's 12 fruits 5 are pears and the others are apples. How many apples are there?", "seven")
    other = child("Ines caught some fish and 5 crabs, 12 animals in all. How many fish did she catch?", "7", parent="q")
    made = collected(tmp_path, [a, b, c, other])
    assert drops(made) == [(c.id, "repeats_sibling", a.id)]
    assert made.facts["duplicates"] == {"siblings": 1}


def test_equal_numbers_that_count_different_things_are_two_siblings(tmp_path: Path) -> None:
    a = child("Tom has some apples and 5 pears, together 10. How many apples has he?", "5")
    b = child("Tom has 5 apples and some pears, together 10. How many pears has he?", "5")
    assert drops(collected(tmp_path, [a, b])) == []


def test_a_chain_points_to_the_one_that_stays(tmp_path: Path) -> None:
    first, renamed = seed(STORY), seed(STORY.replace("Tom", "Ben"))
    copy = seed(STORY.replace("Tom", "Ben").lower())
    made = collected(tmp_path, [first, renamed, copy])
    assert [d[2] for d in drops(made)] == [first.id, first.id]
    assert [p.id for p in made.read(Problem)] == [first.id]


def test_the_same_record_twice_is_dropped_even_where_copies_may_stay(tmp_path: Path) -> None:
    first = seed(STORY)
    made = collected(tmp_path, [first], [first, seed(STORY, source="other")], exact=False, near=False)
    assert len(drops(made)) == 1
    assert made.count("problems") == 2


def test_many_copies_are_all_found(tmp_path: Path) -> None:
    copies = [
        seed(STORY.replace("Tom", name))
        for name in ["Abe", "Ben", "Cid", "Dan", "Eli", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Lou"]
    ]
    made = collected(tmp_path, copies)
    assert made.count("problems") == 1
    assert {d[2] for d in drops(made)} == {copies[0].id}


@pytest.mark.parametrize(
    ("settings", "text", "reason"),
    [
        ({"min_chars": 40}, "How many is 2 and 3 apples?", "too_short"),
        ({"max_chars": 40}, STORY, "too_long"),
        (
            {"language": "en"},
            "Tom a 5 pommes et il en mange 2 avec son frère. Combien en reste-t-il à Tom ?",
            "other_language",
        ),
        ({"language": "en"}, "小明有5个苹果，吃了2个，还剩几个？", "other_language"),
        ({"language": "en"}, STORY, None),
        ({"solvable": True}, "Tom picks apples and eats some of the apples.", "no_question"),
        ({"solvable": True}, "Tom picks apples and eats some. How many apples are left?", "no_number"),
        (
            {"solvable": True},
            "Of the 12 apples, 15 of the 12 apples are red. How many apples are green?",
            "contradicts_itself",
        ),
        ({}, "小明有5个苹果，吃了2个，还剩几个？", None),
    ],
)
def test_filters(tmp_path: Path, settings: dict[str, Any], text: str, reason: str | None) -> None:
    made = collected(tmp_path, [seed(text)], **settings)
    assert [d[1] for d in drops(made)] == ([reason] if reason else [])


def test_what_a_filter_drops_is_repeated_by_nobody(tmp_path: Path) -> None:
    broken, whole = seed(STORY.rstrip("?")), seed(STORY)
    made = collected(tmp_path, [broken, whole], solvable=True)
    assert [p.id for p in made.read(Problem)] == [whole.id]


SHINGLES = st.sets(st.integers(0, 2**32 - 1), max_size=80)


@given(st.lists(st.tuples(SHINGLES, st.integers(0, 2**32 - 1)), min_size=1, max_size=5))
def test_bands_depend_on_the_set_and_the_salt_only(rows: list[tuple[set[int], int]]) -> None:
    sets, salts = [s for s, _ in rows], [salt for _, salt in rows]
    together = signatures(sets, salts)
    assert together.bands.shape == (len(rows), BANDS)
    alone = [signatures([sorted(s, reverse=True)], [salt]) for s, salt in rows]
    for kept, each in zip(together, zip(*alone, strict=True), strict=True):
        assert np.array_equal(kept, np.concatenate(each))


def test_bands_find_similar_sets_as_often_as_the_formula_says() -> None:
    rng = np.random.default_rng(0)
    left, right = [], []
    for _ in range(200):
        shared, a, b = np.split(rng.integers(0, 2**32, 100), [60, 80])
        left.append([*shared, *a])
        right.append([*shared, *b])
    one, two = (signatures(side, [1] * 200).bands for side in (left, right))
    found = (one == two).any(axis=1).mean()
    # Jaccard 60 / 100: 1 − (1 − 0.6³)¹⁶ = 0.98
    assert 0.94 <= found <= 1


@given(st.lists(st.integers(0, 4), max_size=30))
def test_candidates_are_earlier_rows_of_the_same_bucket(keys: list[int]) -> None:
    pairs = candidates(np.array(keys, np.uint32).reshape(-1, 1), np.ones(len(keys), np.bool_))
    found = list(zip(*(rows.tolist() for rows in later_and_earlier(pairs)), strict=True))
    assert all(late > early and keys[late] == keys[early] for late, early in found)
    firsts = {(i, keys.index(k)) for i, k in enumerate(keys) if keys.index(k) != i}
    assert firsts <= set(found)


@pytest.mark.parametrize(("shared", "least", "most"), [(83, 0.994, 1), (90, 1, 1), (57, 0, 0.4), (40, 0, 0.03)])
def test_bits_of_minima_keep_what_is_alike_and_leave_out_what_shares_a_sentence(
    shared: int, least: float, most: float
) -> None:
    """Of a hundred shingles either set shares so many with the other: Jaccard 0.71, 0.82, 0.4 and 0.25; asked for 0.7."""
    rng = np.random.default_rng(1)
    sets = []
    for _ in range(2000):
        common, one, two = np.split(rng.integers(0, 2**32, 200 - shared), [shared, 100])
        sets += [[*common, *one], [*common, *two]]
    bits = signatures(sets, [1] * len(sets)).bits
    pairs = np.array([(i + 1) << 32 | i for i in range(0, len(sets), 2)], np.uint64)
    assert least <= len(agreeing(pairs, bits, 0.7)) / len(pairs) <= most


@given(st.text(max_size=300))
def test_likeness_and_language_take_any_text(text: str) -> None:
    seen = likeness(text)
    assert seen == likeness(text)
    assert isinstance(looks_english(text), bool)


def test_blocks_that_are_marked_elsewhere_change_nothing(tmp_path: Path) -> None:
    """Copies, near copies, siblings and what filters drop, within a block and across blocks."""
    rows = [seed(STORY.replace("12", str(i % 900))) for i in range(2 * BLOCK)]
    rows += [seed(STORY.replace("12", str(i)).replace("Tom", "Ada")) for i in range(200)]
    rows += [seed(f"nothing {i}") for i in range(100)]
    settings = CollectSettings(min_chars=20, language="en")
    made = {}
    for name, in_blocks in (("here", one_by_one), ("there", elsewhere)):
        store = Store(tmp_path / name)
        store.machines = Machines(in_blocks)
        read = store.stage("seeds", 1, None, [], lambda out: out.keep(out.write("problems", rows)))
        found = store.stage("collect", 1, settings, [read], lambda out, read=read: collect(out, settings, [read]))
        made[name] = {p.name: p.read_bytes() for p in found.path.iterdir()}
    assert made["here"] == made["there"]
    assert found.balance["kept"] == 900
    assert set(found.balance["rejected"]) == {"same_text", "near_duplicate", "too_short"}


@pytest.mark.parametrize("language", ["de", "EN", ""])
def test_a_language_that_nothing_tells_is_refused(language: str) -> None:
    with pytest.raises(ValidationError, match="Input should be 'en'"):
        CollectSettings.model_validate({"language": language})
