"""Intervals and tests of shares: hand-computed values, and laws over many tables."""

from fractions import Fraction
from math import comb, erfc, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcamath.intervals import (
    bootstrap,
    bootstrap_difference,
    crossed_difference,
    holm_levels,
    mcnemar,
    paired,
    share,
    wilson,
)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        # computed by hand from Wilson's formula, z = 1.95996
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998 (independent shares), table I: 81/263
        (15, 148, 0.0624, 0.1605),  # 15/148
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (1075, 1319, 0.7932, 0.8350),  # the paper's 81.50 on GSM8K: ± 2.1 points
    ],
)
def test_wilson_by_hand(right: int, n: int, low: float, high: float) -> None:
    found = wilson(right, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.point == right / n


def test_wilson_at_its_edges() -> None:
    assert wilson(0, 0) == (0.0, 0.0, 1.0)
    assert wilson(7, 7).high == 1.0
    assert wilson(0, 7).low == 0.0
    with pytest.raises(ValueError, match="no count"):
        wilson(8, 7)


@settings(deadline=None)
@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_point_mirrors_and_narrows(case: tuple[int, int]) -> None:
    right, n = case
    found, mirror = wilson(right, n), wilson(n - right, n)
    assert 0 <= found.low <= found.point <= found.high <= 1
    assert found.low == pytest.approx(1 - mirror.high)
    assert wilson(4 * right, 4 * n).high - wilson(4 * right, 4 * n).low < found.high - found.low


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 1, 1.0), (0, 5, 2 / 32), (1, 9, 22 / 1024), (2, 8, 112 / 1024), (0, 6, 2 / 64)],
)
def test_mcnemar_by_hand(b: int, c: int, p: float) -> None:
    assert mcnemar(b, c) == pytest.approx(p, abs=1e-12)
    assert mcnemar(c, b) == mcnemar(b, c)


def test_mcnemar_of_thousands_is_exact() -> None:
    exact = min(Fraction(1), 2 * sum(Fraction(comb(1200, k), 2**1200) for k in range(551)))
    assert mcnemar(550, 650) == pytest.approx(float(exact), rel=1e-12)


def sides_of(both: int, only_1: int, only_2: int, neither: int) -> tuple[list[bool], list[bool]]:
    return (
        [True] * both + [True] * only_1 + [False] * only_2 + [False] * neither,
        [True] * both + [False] * only_1 + [True] * only_2 + [False] * neither,
    )


def test_paired_counts_and_direction() -> None:
    found = paired(*sides_of(both=40, only_1=2, only_2=12, neither=6))
    assert (found.n, found.first_only, found.second_only) == (60, 2, 12)
    assert found.difference.point == pytest.approx(10 / 60)
    assert found.difference.excludes_zero
    assert found.p == pytest.approx(2 * (1 + 14 + 91) / 2**14)


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [
        # both, first only, second only, neither → limits of second − first
        # a worked example of the method (Newcombe 1998; also in Altman et al., Statistics with Confidence): 6 % to 33 %
        ((20, 12, 2, 16), -0.3292, -0.0562),
        # nothing discordant: an interval all the same
        ((30, 0, 0, 0), -0.1135, 0.1135),
    ],
)
def test_paired_interval_by_hand(cells: tuple[int, int, int, int], low: float, high: float) -> None:
    found = paired(*sides_of(*cells)).difference
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-4)


@settings(max_examples=150, deadline=None)
@given(st.tuples(*[st.integers(0, 60)] * 4).filter(lambda t: sum(t) > 0))
def test_paired_is_antisymmetric_and_stays_in_bounds(cells: tuple[int, int, int, int]) -> None:
    first, second = sides_of(*cells)
    there, back = paired(first, second), paired(second, first)
    assert there.difference.point == pytest.approx(-back.difference.point)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert there.p == back.p
    assert -1 - 1e-12 <= there.difference.low <= there.difference.point <= there.difference.high <= 1 + 1e-12


def test_paired_needs_the_same_items() -> None:
    with pytest.raises(ValueError, match="same items"):
        paired([True], [True, False])


def test_bootstrap_resamples_items_not_seeds() -> None:
    items = [1.0, 0.0] * 100
    one, three = bootstrap([items]), bootstrap([items, items, items])
    # three seeds that say the same are no more evidence than one
    assert three.interval == one.interval
    assert three.seeds == (0.5, 0.5, 0.5)
    half = 1.96 * (0.25 / 200) ** 0.5
    assert one.interval.high - one.interval.low == pytest.approx(2 * half, rel=0.05)


def test_where_all_items_score_the_same_the_interval_is_no_point() -> None:
    assert bootstrap([[1.0] * 50, [1.0] * 50]).interval == wilson(50, 50)
    assert bootstrap([[1.0] * 50, [0.0] * 50]).interval == wilson(25.0, 50)


def test_bootstrap_is_seeded_and_shows_each_seed() -> None:
    scores = [[1, 0, 1, 1, 0], [1, 1, 1, 1, 0]]
    assert bootstrap(scores) == bootstrap(scores)
    assert bootstrap(scores).seeds == (0.6, 0.8)
    assert bootstrap(scores).interval.point == pytest.approx(0.7)


def test_bootstrap_difference_is_paired_by_item() -> None:
    first = [[float(i % 2) for i in range(200)]]
    assert bootstrap_difference(first, first).point == 0.0
    better = [[1.0 if i < 40 else v for i, v in enumerate(first[0])]]
    found = bootstrap_difference(first, better)
    assert found.point == pytest.approx(0.1)
    assert found.low > 0
    with pytest.raises(ValueError, match="same items"):
        bootstrap_difference(first, [[1.0]])


@pytest.mark.parametrize(
    ("n", "each", "better"),
    [
        (1, 1.0, False),
        (2, 1.0, False),
        (5, 1.0, True),
        (50, 1.0, True),
        (2, -1.0, False),
        (2, 0.5, False),
        (9, 0.0, False),
    ],
)
def test_where_all_items_differ_alike_a_difference_is_no_point_and_a_few_show_nothing(
    n: int, each: float, better: bool
) -> None:
    first = [[0.5 - each / 2] * n] * 2
    found = bootstrap_difference(first, [[0.5 + each / 2] * n] * 3)
    assert (found.point, found.excludes_zero) == (each, better)
    assert -1 <= found.low < found.high <= 1
    assert found.high - found.low == pytest.approx(2 * wilson(0, n).high)


def test_crossed_intervals_are_as_wide_as_what_moves_together() -> None:
    families = [f"f{i // 20}" for i in range(400)]  # 20 families of 20 items
    first = [[0.0] * 400 for _ in range(4)]
    by_family = [[float((i // 20) % 2) for i in range(400)] for _ in range(4)]  # half of the families gain all of it
    alone = [[float(i % 2) for i in range(400)] for _ in range(4)]  # half of each family's items do
    wide, narrow = (crossed_difference(first, second, families) for second in (by_family, alone))
    assert wide.difference == narrow.difference == pytest.approx(0.5)
    assert (wide.families, wide.seeds) == (20, 4)
    half = 1.96 * (0.25 / 20) ** 0.5  # 20 families are 20 tests
    assert wide.interval().high - wide.interval().low == pytest.approx(2 * half, rel=0.1)
    others = wilson(0, 20).high  # all families gain alike; others may not
    assert narrow.interval() == pytest.approx((0.5, 0.5 - 1.5 * others, 0.5 + 0.5 * others))
    assert wide.smallest_visible() == pytest.approx(2.8 * (0.25 / 20) ** 0.5, rel=0.05)
    by_seed = [[float(s % 2)] * 400 for s in range(4)]  # half of the seeds gain
    assert crossed_difference(first, by_seed, families).interval() == pytest.approx((0.5, 0.0, 1.0))


def test_crossed_p_is_small_where_the_interval_excludes_zero_and_nothing_else_is_compared() -> None:
    families = [str(i) for i in range(50)]
    better = crossed_difference([[0.0] * 50], [[1.0] * 30 + [0.0] * 20], families)
    same = crossed_difference([[0.0] * 50], [[0.0] * 50], families)
    assert better.p < 0.001
    assert same.p == 1.0
    with pytest.raises(ValueError, match="same seeds and items"):
        crossed_difference([[0.0] * 50], [[0.0] * 50] * 2, families)


def test_holm_asks_most_of_the_smallest_p() -> None:
    assert holm_levels([0.01, 0.5, 0.03]) == pytest.approx([1 - 0.05 / 3, 0.95, 1 - 0.05 / 2])
    assert holm_levels([]) == []


@pytest.mark.parametrize(("families", "second"), [(10, 0.0), (10, 1.0), (1000, 0.0)])
def test_families_that_all_differ_alike_leave_room_for_others_that_may_not(families: int, second: float) -> None:
    found = crossed_difference([[0.0] * families], [[second] * families], [str(i) for i in range(families)])
    assert found.difference == second
    unseen = wilson(0, families).high
    assert found.interval() == pytest.approx((second, second - unseen * (1 + second), second + unseen * (1 - second)))
    assert found.smallest_visible() == pytest.approx(unseen)
    assert found.p == (1.0 if second == 0 else 2 * 0.5**families)


def test_items_that_stand_alone_are_counted_as_they_were() -> None:
    first, second = [True] * 12 + [False] * 8, [True] * 9 + [False] * 6 + [True] * 5
    alone = [None, *(f"f{i}" for i in range(19))]
    assert share(first, alone) == share(first) == wilson(12, 20)
    assert paired(first, second, families=alone) == paired(first, second)
    assert bootstrap([first], families=alone) == bootstrap([first])
    assert bootstrap_difference([first], [second], families=alone) == bootstrap_difference([first], [second])


def test_fifty_fillings_that_stand_or_fall_together_are_worth_one() -> None:
    right = [i < 12 for i in range(20) for _ in range(50)]
    families = [f"t{i}" for i in range(20) for _ in range(50)]
    found, as_few, as_many = share(right, families), wilson(12, 20), wilson(600, 1000)
    assert found.point == as_few.point
    assert found.low == pytest.approx(as_few.low, abs=0.01)
    assert found.high == pytest.approx(as_few.high, abs=0.01)
    assert as_many.high - as_many.low < 0.2 * (found.high - found.low)
    spread = bootstrap([right], families=families).interval
    assert spread.high - spread.low == pytest.approx(found.high - found.low, rel=0.15)


def test_families_within_which_answers_vary_freely_cost_nothing_and_bring_nothing() -> None:
    right = [i % 2 == 0 for i in range(400)]
    assert share(right, [f"t{i // 4}" for i in range(400)]) == wilson(200, 400)


def test_all_right_in_few_families_is_not_sure() -> None:
    assert share([True] * 500, [f"t{i % 5}" for i in range(500)]) == wilson(5, 5)
    assert share([True] * 500, ["t"] * 500) == wilson(1, 1)
    few = ["a", "b"] * 250
    assert bootstrap([[1.0] * 500], families=few).interval == wilson(2, 2)
    assert bootstrap_difference([[0.0] * 500], [[0.0] * 500], families=few).high == wilson(0, 2).high


def test_intervals_of_families_hold_what_they_promise() -> None:
    generator, covered, as_if_alone = np.random.default_rng(7), 0, 0
    for _ in range(400):
        ability = generator.beta(1.2, 0.8, size=60)
        right = [bool(x) for p in ability for x in generator.random(20) < p]
        by_family, alone = share(right, [f"t{i // 20}" for i in range(1200)]), share(right)
        covered += by_family.low <= 0.6 <= by_family.high
        as_if_alone += alone.low <= 0.6 <= alone.high
    assert 0.92 <= covered / 400 <= 0.98
    assert as_if_alone / 400 < 0.7


def test_differences_of_families_hold_what_they_promise() -> None:
    generator, covered, shown = np.random.default_rng(8), 0, 0
    for _ in range(400):
        ability, lift = generator.uniform(0.2, 0.8, size=60), generator.normal(0.0, 0.2, size=60)
        first = [bool(x) for p in ability for x in generator.random(10) < p]
        second = [
            bool(x) for p, d in zip(ability, lift, strict=True) for x in generator.random(10) < np.clip(p + d, 0, 1)
        ]
        found = paired(first, second, families=[f"t{i // 10}" for i in range(600)])
        covered += found.difference.low <= 0.0 <= found.difference.high
        shown += found.p < 0.05
    assert 0.92 <= covered / 400 <= 0.985
    assert 0.02 <= shown / 400 <= 0.08


def test_clustered_mcnemar_by_hand() -> None:
    # families with 3 gained, 2 gained, 1 lost: (3 + 2 - 1)² / (9 + 4 + 1), chi-square with one degree of freedom
    first = [False] * 3 + [False] * 2 + [True]
    second = [True] * 3 + [True] * 2 + [False]
    found = paired(first, second, families=["a"] * 3 + ["b"] * 2 + ["c"])
    assert found.p == pytest.approx(erfc(sqrt(16 / 14 / 2)))
    assert (found.n, found.families, found.second_only, found.first_only) == (6, 3, 5, 1)
    nothing = paired(first, first, families=["a"] * 3 + ["b"] * 2 + ["c"])
    assert nothing.p == 1.0
    assert nothing.difference.low < 0 < nothing.difference.high


def test_every_item_has_a_family_or_none() -> None:
    with pytest.raises(ValueError, match="2 families for 3 items"):
        share([True, False, True], ["a", None])
