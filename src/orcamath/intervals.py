"""How sure a score is: intervals and tests for shares of right answers. Pure arithmetic, nothing of models or files.

In: counts, or outcomes per item in the same order for both models. Out: points and limits as shares in [0, 1], p-values.
`wilson` and `share` for one model, `paired` for two models on the same items, `bootstrap` and `bootstrap_difference` where
several seeds answered the same items. Seeds are averaged within an item before items are resampled: three seeds of 1,319
items are 1,319 tests, never 3,957. Items of one family (fillings of one template) stand or fall together: where families
are given, fifty of one count as what they are worth. `crossed_difference` resamples families and seeds at once.
"""

from collections.abc import Sequence
from math import comb, erfc, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Crossed",
    "Interval",
    "Paired",
    "SeedSpread",
    "bootstrap",
    "bootstrap_difference",
    "crossed_difference",
    "families_among",
    "holm_levels",
    "mcnemar",
    "paired",
    "share",
    "wilson",
]

Z95 = 1.959963984540054  # the 0.975 quantile of the standard normal
RESAMPLES = 10_000
BATCH = 250  # resamples drawn at once: 250 × 1,319 indices are 2.6 MB
Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]
Scores = Sequence[Sequence[float]]
"""Seeds × items, in [0, 1]."""
Families = Sequence[str | None] | None
"""Each item's family, None for an item that stands alone; None for all of them: every item stands alone."""


class Interval(NamedTuple):
    """A share with its limits."""

    point: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True where the word "better" (or "worse") is allowed of a difference."""
        return self.low > 0 or self.high < 0


class Paired(NamedTuple):
    """Two models on the same items: `difference` = second − first."""

    n: int
    first_only: int
    """Items that only the first got right."""
    second_only: int
    difference: Interval
    p: float
    """Two-sided: McNemar's, exact; by families where items share them (Durkalski et al. 2003)."""
    families: int = 0
    """How many families the items belong to; as many as items where each stands alone."""


class SeedSpread(NamedTuple):
    """A score averaged over seeds, with each seed's own score beside it."""

    interval: Interval
    seeds: tuple[float, ...]


def wilson(right: float, n: float, z: float = Z95) -> Interval:
    """Wilson's score interval for `right` of `n` (Wilson 1927); with n = 0 nothing is known: (0, 0, 1).

    `right` may be a sum of shares in [0, 1], one an item (pass@k): no such share varies more than a yes or no of the same mean,
    so the interval is then on the wide side, and never empty. Raises ValueError where the counts are no counts.
    """
    if not 0 <= right <= n:
        raise ValueError(f"{right} right of {n} is no count")
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    p, w = right / n, z * z / n
    centre = (p + w / 2) / (1 + w)
    half = z * sqrt(p * (1 - p) / n + w / (4 * n)) / (1 + w)
    # rounding must not push a limit past the ends
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == n else min(1.0, centre + half)
    return Interval(p, low, high)


def share(outcomes: Sequence[float], families: Families = None, z: float = Z95) -> Interval:
    """Wilson's interval for the mean of outcomes in [0, 1], for as many items as those of these families are worth.

    That number is Kish's effective sample size, n over the design effect (Survey Sampling, 1965; for Wilson's interval Korn and
    Graubard 1998): exactly n where every item stands alone. Raises ValueError on unequal lengths.
    """
    values, place = np.asarray(outcomes, dtype=np.float64), _placed(families, len(outcomes))
    if place is None:
        return wilson(min(len(values), float(values.sum())), len(values), z)
    worth = _worth(values, place)
    return wilson(min(worth, float(values.mean()) * worth), worth, z)


def families_among(families: Sequence[str | None]) -> int:
    """Count how many are independent: the families, and the items without one."""
    return len({f for f in families if f is not None}) + sum(f is None for f in families)


def _placed(families: Families, n: int) -> Numbers | None:
    """Return each item's family by number; None where no two items share one."""
    if families is None:
        return None
    if len(families) != n:
        raise ValueError(f"each item has a family or None: {len(families)} families for {n} items")
    names: dict[object, int] = {}
    place = [names.setdefault((i,) if family is None else family, len(names)) for i, family in enumerate(families)]
    return None if len(names) == n else np.asarray(place)


def _worth(values: Floats, place: Numbers) -> float:
    """Return how many independent items these are worth, at most all; where they are all alike, one a family."""
    n, families = len(values), int(place.max()) + 1
    centred = values - values.mean()
    alone = float((centred**2).sum()) * n / (n - 1)
    if alone == 0 or families == 1:
        return float(families)
    together = float((np.bincount(place, centred) ** 2).sum()) * families / (families - 1)
    return n / max(1.0, together / alone)


def mcnemar(first_only: int, second_only: int) -> float:
    """Two-sided exact p that discordant items fall either way alike (McNemar 1947, binomial form); 1.0 without any."""
    n = first_only + second_only
    tail = sum(comb(n, k) for k in range(min(first_only, second_only) + 1))
    return min(1.0, float(2 * tail / 2**n))  # integers until the last step, so no underflow at n in the thousands


def paired(first: Sequence[bool], second: Sequence[bool], z: float = Z95, *, families: Families = None) -> Paired:
    """Compare two models on the same items, in the same order. Raises ValueError on unequal lengths or none.

    The interval is Newcombe's hybrid score interval for paired shares (Statistics in Medicine 17, 1998, method 10): it
    stays inside [−1, 1] and does not collapse to nothing where no item is discordant. Where items share families it is that
    of as many items as the differences are worth (`share`), and p is Durkalski's clustered McNemar test.
    """
    n = len(first)
    if n == 0 or n != len(second):
        raise ValueError(f"paired comparison needs the same items on both sides, not {n} and {len(second)}")
    both = sum(a and b for a, b in zip(first, second, strict=True))
    only_1 = sum(map(bool, first)) - both
    only_2 = sum(map(bool, second)) - both
    place = _placed(families, n)
    if place is None:
        return Paired(n, only_1, only_2, _newcombe(both, only_1, only_2, n, z), mcnemar(only_1, only_2), n)
    moved = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    by_family, worth = np.bincount(place, moved), _worth(moved, place)
    part = worth / n
    difference = _newcombe(part * both, part * only_1, part * only_2, worth, z)._replace(point=(only_2 - only_1) / n)
    spread = sqrt(2 * float((by_family**2).sum()))
    return Paired(n, only_1, only_2, difference, erfc(abs(only_2 - only_1) / spread) if spread else 1.0, len(by_family))


def _newcombe(both: float, only_1: float, only_2: float, n: float, z: float) -> Interval:
    """Return second − first of counts of n items, whole or of what they are worth."""
    neither = max(0.0, n - both - only_1 - only_2)
    one, two = wilson(min(n, both + only_1), n, z), wilson(min(n, both + only_2), n, z)
    phi = _correlation(both, only_1, only_2, neither)
    # d = second − first: the lower limit pairs the second's lower with the first's upper margin
    down_2, up_2, down_1, up_1 = two.point - two.low, two.high - two.point, one.point - one.low, one.high - one.point
    below = sqrt(max(0.0, down_2**2 - 2 * phi * down_2 * up_1 + up_1**2))
    above = sqrt(max(0.0, up_2**2 - 2 * phi * up_2 * down_1 + down_1**2))
    point = (only_2 - only_1) / n
    return Interval(point, point - below, point + above)


def _correlation(both: float, only_1: float, only_2: float, neither: float) -> float:
    """Phi of the 2 × 2 table, with Newcombe's continuity correction of a positive numerator."""
    margins = (both + only_1) * (only_2 + neither) * (both + only_2) * (only_1 + neither)
    if margins == 0:
        return 0.0
    excess = float(both * neither - only_1 * only_2)
    if excess > 0:
        excess = max(excess - (both + only_1 + only_2 + neither) / 2, 0.0)
    return excess / sqrt(margins)


def bootstrap(scores: Scores, *, families: Families = None, resamples: int = RESAMPLES, seed: int = 0) -> SeedSpread:
    """Percentile bootstrap over items of scores in [0, 1], averaged over seeds within each item.

    Items of one family are drawn together. Where all items score the same, no resample differs; that is no certainty, so the
    interval is then Wilson's.
    """
    table = _table(scores)
    items, place = table.mean(axis=0), _placed(families, table.shape[1])
    varied = items.min() < items.max()
    interval = _resampled(items, place, resamples, seed) if varied else share(list(items), families)
    return SeedSpread(interval, tuple(float(s) for s in table.mean(axis=1)))


def bootstrap_difference(
    first: Scores, second: Scores, *, families: Families = None, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Second − first, each (its own number of seeds × the same items): items, or their families, are resampled together.

    Where all n items differ alike, no resample does; the limits are then as far as items unseen so far can move the mean: each
    by 1 at most either way, and as many of them as Wilson's upper limit for 0 of n (of n families, where they have them).
    """
    one, two = _table(first), _table(second)
    if one.shape[1] != two.shape[1]:
        raise ValueError(f"paired comparison needs the same items on both sides, not {one.shape[1]} and {two.shape[1]}")
    items, place = two.mean(axis=0) - one.mean(axis=0), _placed(families, one.shape[1])
    if items.min() < items.max():
        return _resampled(items, place, resamples, seed)
    return _as_far_as_others_may(float(items[0]), share([0.0] * len(items), families).high)


def _as_far_as_others_may(alike: float, others: float) -> Interval:
    """Return how far a share of others, each different by 1 at most either way, can move a mean."""
    return Interval(alike, alike - others * (1 + alike), alike + others * (1 - alike))


def _table(scores: Scores) -> Floats:
    table = np.asarray([list(map(float, row)) for row in scores], dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError("scores must be seeds × items, with at least one of each")
    return table


def _resampled(items: Floats, place: Numbers | None, resamples: int, seed: int) -> Interval:
    generator = np.random.default_rng(seed)
    sums, sizes = (items, np.ones(len(items))) if place is None else (np.bincount(place, items), np.bincount(place))
    means, n = [], len(sums)
    for start in range(0, resamples, BATCH):
        rows = generator.integers(0, n, size=(min(BATCH, resamples - start), n), dtype=np.int32)
        means.append(sums[rows].sum(axis=1) / sizes[rows].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Interval(float(items.mean()), float(low), float(high))


class Crossed(NamedTuple):
    """A difference between two students whose items come in families, over several seeds."""

    difference: float
    resampled: Floats
    """The difference of each resample."""
    families: int
    seeds: int

    @property
    def _alike(self) -> bool:
        """Whether all families differ alike, so that resamples say nothing of how sure that is."""
        return bool(np.ptp(self.resampled) == 0)

    def _unseen(self, level: float) -> float:
        """Return the largest share of families that may differ otherwise although none of these does (Wilson)."""
        return wilson(0, self.families, NormalDist().inv_cdf((1 + level) / 2)).high

    def interval(self, level: float = 0.95) -> Interval:
        """Percentile interval at a level; where all families differ alike, as far as another might not."""
        if self._alike:
            return _as_far_as_others_may(self.difference, self._unseen(level))
        low, high = np.quantile(self.resampled, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.difference, float(low), float(high))

    @property
    def p(self) -> float:
        """Two-sided p that there is no difference, never below what the number of resamples can tell."""
        if self._alike:  # as a coin that fell on one side for every family
            return 1.0 if self.difference == 0 else min(1.0, 2 * 0.5**self.families)
        n = len(self.resampled)
        tail = min(int((self.resampled <= 0).sum()), int((self.resampled >= 0).sum()))
        return min(1.0, 2 * (tail + 1) / (n + 1))

    def smallest_visible(self, level: float = 0.95, power: float = 0.8) -> float:
        """Return the difference that an interval of that level would have excluded zero from, with that chance."""
        z = NormalDist().inv_cdf
        if self._alike:
            return self._unseen(level)
        return float(self.resampled.std()) * (z((1 + level) / 2) + z(power))


def crossed_difference(
    first: Scores, second: Scores, families: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Crossed:
    """Second − first, each seeds × the same items, seed by seed: families of items and seeds are resampled crossed.

    What a family shares (a theme and a chain of steps) and what a seed shares (lessons, weights, samples) move many items
    together, so each is drawn with replacement as a whole (Owen 2007, the pigeonhole bootstrap; it errs on the wide side).
    """
    one, two = _table(first), _table(second)
    if one.shape != two.shape or one.shape[1] != len(families):
        raise ValueError(f"crossed comparison needs the same seeds and items, not {one.shape} and {two.shape}")
    names, place = np.unique(np.asarray(families), return_inverse=True)
    sums = np.zeros((one.shape[0], len(names)))
    np.add.at(sums.T, place, (two - one).T)
    sizes = np.bincount(place, minlength=len(names)).astype(np.float64)
    generator, found = np.random.default_rng(seed), []
    for start in range(0, resamples, BATCH):
        n = min(BATCH, resamples - start)
        by_family = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n)
        by_seed = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=n)
        totals = np.einsum("rs,sf,rf->r", by_seed, sums, by_family, optimize=True)
        found.append(totals / (len(sums) * (by_family @ sizes)))
    point = float(sums.sum() / (len(sums) * sizes.sum()))
    return Crossed(point, np.concatenate(found), len(names), len(sums))


def holm_levels(p: Sequence[float], level: float = 0.95) -> list[float]:
    """Return each test's level after Holm (1979): the k-th smallest of m p-values is tested at 1 − (1 − level) / (m − k + 1)."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    levels = [0.0] * len(p)
    for k, i in enumerate(order):
        levels[i] = 1 - (1 - level) / (len(p) - k)
    return levels
