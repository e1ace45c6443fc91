"""The search: words and n-grams by hand, neighbours against scikit-learn, overlaps against counting every pair."""

import os
import random
import sys
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from elsewhere import elsewhere
from orcamath.contamination import SearchSettings, check_files, search, spool
from orcamath.contamination.overlap import Measure, Overlap, ngrams
from orcamath.contamination.pairs import looks_found, most_alike
from orcamath.contamination.search import LOOKS
from orcamath.contamination.words import (
    MAX_ROWS,
    Vocabulary,
    content,
    grams,
    numbers_masked,
    pieces,
    split_words,
    stop_words,
)
from orcamath.errors import DataError
from orcamath.text.minhash import jaccard


def test_the_stop_words_are_nltks_179() -> None:
    assert len(stop_words()) == len(set(stop_words())) == 179
    assert {"i", "wouldn't", "the", "ma", "how"} <= set(stop_words())
    assert not {"many", "much", "would", "one"} & set(stop_words())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Weng earns $12 an hour.", ["weng", "earns", "12", "an", "hour"]),
        ("1,319 — “two-thirds” of Tom’s 3.5%", ["1319", "twothirds", "of", "toms", "35"]),
        ("Don't", ["dont"]),  # punctuation goes first, so the stop word `don't` is not met
        ("a\tb\n\n c", ["a", "b", "c"]),
        ("ap\u00adples, five\u200b\ufeff of them", ["apples", "five", "of", "them"]),  # nobody sees these
        ("Jose\u0301 pays \uff11\uff12", ["jos\u00e9", "pays", "12"]),
        ("小明有12.5个苹果。", [*"小明有", "125", *"个苹果"]),  # no blanks between words: each character is one
        ("りんごが１２個", [*"りんごが", "12", "個"]),
        ("มีกี่ ๑๒", ["มี", "กี่", "๑๒"]),  # marks stay on their character
        ("사과 12개", ["사과", "12개"]),  # Korean has blanks
        ("", []),
        ("?!", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_a_block_gives_rows_back_without_stop_words_and_with_numbers_masked() -> None:
    vocabulary = Vocabulary()
    block = vocabulary.encode(["the cat has 3 hats", "", "of the", "3 cats and 4 hats"])
    names = vocabulary.words()
    bare = content(block, vocabulary.n_stop)
    assert [[names[i] for i in bare.row(r)] for r in range(4)] == [
        ["cat", "3", "hats"],
        [],
        [],
        ["3", "cats", "4", "hats"],
    ]


def test_numbers_are_masked_in_texts_of_some_words_and_kept_where_they_are_all_there_is() -> None:
    vocabulary = Vocabulary()
    block = vocabulary.encode(["", "3 cats buy 4 red hats today", "what is 3 times 4", "5 7", "he has 6 cats and hats"])
    names, hidden = vocabulary.words(), numbers_masked(block, vocabulary.numbers())
    assert [" ".join("#" if i < 0 else names[i] for i in hidden.row(r)) for r in range(5)] == [
        "",
        "# cats buy # red hats today",
        "what is 3 times 4",
        "5 7",
        "he has # cats and hats",
    ]


def test_sums_with_other_numbers_are_no_copies_of_a_benchmarks() -> None:
    assert not search(["What is 12 times 9?", "8 + 5 ="], ["What is 3 times 4?", "7 + 6 ="], SearchSettings()).pairs


def test_jaccard_by_hand() -> None:
    one, two = ngrams([1, 2, 3, 2], 1), ngrams([2, 3, 4], 1)
    assert jaccard(one, two) == 2 / 4
    assert jaccard(ngrams([1, 2, 3], 2), ngrams([2, 3, 4], 2)) == 1 / 3
    assert jaccard(ngrams([1], 2), ngrams([1], 2)) == 0  # no bigrams on either side


words = st.sampled_from(["apple", "pear", "plum", "3", "4", "57", "many", "the", "of"])
texts = st.lists(st.lists(words, max_size=9).map(" ".join), max_size=7)


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 4))
def test_distinct_grams_are_counted_row_by_row(rows: list[str], n: int) -> None:
    vocabulary = Vocabulary()
    block = vocabulary.encode(rows)
    found = grams(block, n)
    assert list(found.sizes) == [len(ngrams(block.row(i), n)) for i in range(len(rows))]
    assert len(found.rows) == len(found.codes) == sum(found.sizes)


@settings(max_examples=50, deadline=None)
@given(
    texts, texts, st.integers(1, 3), st.sampled_from(["jaccard", "containment"]), st.sampled_from([0.2, 0.5, 0.75, 1.0])
)
def test_overlap_finds_exactly_what_counting_every_pair_finds(
    rows: list[str], tests: list[str], n: int, measure: Measure, threshold: float
) -> None:
    vocabulary = Vocabulary()
    asked, block = vocabulary.encode(tests), vocabulary.encode(rows)
    expected = {}
    for i in range(len(rows)):
        for j in range(len(tests)):
            one, two = ngrams(block.row(i), n), ngrams(asked.row(j), n)
            score = jaccard(one, two) if measure == "jaccard" else len(one & two) / len(two) if two else 0
            if score >= threshold:
                expected[i, j] = pytest.approx(score)
    hits = Overlap(asked, n, measure, threshold)(block)
    assert {(int(r), int(t)): float(s) for r, t, s in zip(*hits, strict=True)} == expected


def made_up(n: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    words = [f"z{a}{b}" for a in ascii_lowercase for b in ascii_lowercase][:300]
    weights = [1 / (i + 2) for i in range(300)]
    return [" ".join(rng.choices(words, weights, k=rng.randint(4, 30))) for _ in range(n)]


def test_neighbours_are_scikit_learns() -> None:
    rows, tests = made_up(400, 1), made_up(30, 2)
    found = search(rows, tests, SearchSettings(), looks=("paper",)).nearest
    vectorizer = TfidfVectorizer(analyzer=split_words)
    matrix = vectorizer.fit_transform(rows)
    dense = (vectorizer.transform(tests) @ matrix.T).toarray()
    best = np.sort(dense, axis=1)[:, ::-1][:, :10]
    assert np.allclose(found.cosines, best, atol=1e-12)
    assert np.allclose(np.take_along_axis(dense, found.rows, 1), best, atol=1e-12)


def test_the_size_of_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, tests = made_up(300, 3), made_up(20, 4)
    whole = search(rows, tests, SearchSettings(threshold=0.2))
    monkeypatch.setattr(spool, "BLOCK", 7)
    small = search(iter(rows), tests, SearchSettings(threshold=0.2))
    assert whole.pairs == small.pairs
    assert whole.best == small.best
    assert np.allclose(whole.nearest.cosines, small.nearest.cosines, atol=1e-12)


def test_what_is_told_does_not_hang_on_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of template texts nearly every row is like every test; kept is a best pair a row and look, and the few that are shown."""
    names, things = ("Ann", "Bo", "Cy", "Di"), ("pens", "cups", "figs", "keys")
    texts = [
        f"{n} has {i} {t} and buys {i % 7} more. How many {t} has {n}?"
        for i in range(40)
        for n in names
        for t in things
    ]
    rows, tests = texts[40:], texts[:40]
    monkeypatch.setattr(spool, "BLOCK", 100)
    every = search(rows, tests, SearchSettings(), max_pairs=1_000_000)
    monkeypatch.setattr(sys.modules[SearchSettings.__module__], "SLICE", 33)
    few = search(rows, tests, SearchSettings(), max_pairs=10)
    further = [pair for pair in few.pairs if pair.look != "paper"]
    assert len(every.pairs) > 10 * len(rows)
    assert len(further) <= 3 * (len(rows) + 10)
    assert looks_found(few) == looks_found(every)
    assert most_alike(few, 10) == most_alike(every, 10)
    best: dict[tuple[str, int], float] = {}
    for pair in every.pairs:
        best[pair.look, pair.row] = max(best.get((pair.look, pair.row), 0), pair.score)
    for (look, row), score in best.items():
        assert max(p.score for p in few.pairs if (p.look, p.row) == (look, row)) == score


def test_a_row_that_is_like_very_many_questions_is_told_with_all_of_them() -> None:
    tests = [f"Nadia plants {i} rows of tulips with 8 bulbs in each. How many bulbs are there?" for i in range(50)]
    found = search([tests[3]], tests, SearchSettings())
    assert looks_found(found)["masked"] == looks_found(found)["every_pair"] == {"tests": 50, "rows": 1}
    best = max((pair for pair in found.pairs if pair.look == "every_pair"), key=lambda pair: pair.score)
    assert (best.test, best.score) == (3, 1)


def test_blocks_that_are_searched_elsewhere_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, tests = made_up(300, 3), made_up(20, 4)
    monkeypatch.setattr(spool, "BLOCK", 7)
    settings = SearchSettings(threshold=0.2, masked_threshold=0.05)
    here, there = search(rows, tests, settings), search(rows, tests, settings, in_blocks=elsewhere)
    assert {p.look for p in here.pairs} == {"paper", "every_pair", "masked"}
    assert there.pairs == here.pairs
    assert there.best == here.best
    assert np.array_equal(there.nearest.cosines, here.nearest.cosines)


def test_more_questions_than_a_key_has_room_for_are_refused() -> None:
    with pytest.raises(DataError, match=r"524,289 test questions are more than a search takes"):
        search(["a b c"], ["a b c"] * (MAX_ROWS + 1), SearchSettings())


def test_fewer_rows_than_neighbours_and_no_rows_at_all() -> None:
    assert search(["six red hats"], ["six red hats", "blue"], SearchSettings()).flagged(0.5)["1"] == {"ge": 1, "gt": 1}
    assert search([], ["six red hats"], SearchSettings()).flagged(0.5)["1"] == {"ge": 0, "gt": 0}
    assert search(["six red hats"], [], SearchSettings()).flagged(0.5)["1"] == {"ge": 0, "gt": 0}


QUESTION = (
    "Nadia plants 12 rows of tulips with 8 bulbs in each row and then a storm ruins 20 bulbs. How many bulbs survive?"
)
OTHER_NUMBERS = QUESTION.replace("12", "31").replace("8", "5").replace("20", "17")
BURIED = (
    f"A train leaves at noon with 300 people; 20 get off at each of four stops. Write that down. {QUESTION} "
    "Then tell how old the driver is if he was 31 years old seven years ago and how far the train has come."
)


@pytest.mark.parametrize(
    ("row", "looks"),
    [
        (QUESTION, {"paper", "every_pair", "containment", "masked"}),
        (OTHER_NUMBERS, {"paper", "every_pair", "masked"}),
        (
            OTHER_NUMBERS.replace("and then a storm ruins", "but a hungry mole eats"),
            {"masked"},
        ),  # 0.56 of its word pairs
        (OTHER_NUMBERS.replace("and then a storm ruins", "but all of this summer a hungry mole eats"), set()),
        (BURIED, {"containment"}),
        (QUESTION.replace("r", "r\u200b"), {"paper", "every_pair", "containment", "masked"}),
        ("A bakery sells 40 loaves at 3 dollars each. What does it earn?", set()),
    ],
)
def test_what_each_look_sees(row: str, looks: set[str]) -> None:
    assert {p.look for p in search([row], [QUESTION], SearchSettings()).pairs} == looks


@pytest.mark.parametrize(
    ("question", "other_numbers"),
    [
        (
            "小明有12个苹果，每个苹果3元，他卖掉了其中的5个。他一共收了多少钱？",
            "小明有40个苹果，每个苹果2元，他卖掉了其中的9个。他一共收了多少钱？",
        ),
        ("สมชายมีแอปเปิล 12 ผล ขายไป 5 ผล เหลือกี่ผล", "สมชายมีแอปเปิล 40 ผล ขายไป 9 ผล เหลือกี่ผล"),
    ],
)
def test_questions_without_blanks_are_found_by_every_look(question: str, other_numbers: str) -> None:
    buried = f"请先仔细读题，然后写下每一步。{question}请用中文回答，并写出最后的答案是多少。"
    assert {p.look for p in search([f"「{question}」"], [question], SearchSettings()).pairs} == set(LOOKS)
    assert "masked" in {p.look for p in search([other_numbers], [question], SearchSettings()).pairs}
    assert "containment" in {p.look for p in search([buried], [question], SearchSettings()).pairs}
    assert not search(["一列火车每小时行驶八十公里，三小时行驶多远？"], [question], SearchSettings()).pairs


def test_pieces_of_a_text_without_blanks_are_its_characters() -> None:
    assert pieces("小明有12个 b c", {"明", "有", "b"}) == [
        ("小", False),
        ("明有", True),
        ("12个 ", False),
        ("b", True),
        (" c", False),
    ]


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60), st.sets(st.sampled_from(["a", "b", "12", "明"])))
def test_pieces_join_to_the_text(text: str, shared: set[str]) -> None:
    assert "".join(piece for piece, _ in pieces(text, shared)) == text


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("ORCAMATH_TEST_DATA")
    if folder is None:
        pytest.skip("ORCAMATH_TEST_DATA names no folder with the real problem sets")
    return Path(folder) / "original"


def test_gsm8k_train_against_test_flags_seven_and_six(data: Path) -> None:
    checked = check_files([data / "gsm8k_train.jsonl.gz"], [data / "gsm8k_test.jsonl.gz"])
    assert checked.plain()["flagged"] == {
        "1": {"ge": 7, "gt": 6},
        "2": {"ge": 1, "gt": 0},
        "3": {"ge": 0, "gt": 0},
    }
    assert (checked.found.n_rows, checked.found.n_tests) == (7473, 1319)
