"""Preference groups: a problem with its distinct responses, each to be scored once, and the pairs made of them.

A problem with 4 right answers has 20 pairs, 40 sequences where each pair is forwarded by itself, and 9 different
responses. Every pair's loss is a function of two of nine log-probabilities, so nine are enough.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from orcamath.records import Preference, Response
from orcamath.student.encode import Encoder

__all__ = ["Group", "Skipped", "encode_group", "encode_groups", "mismatches", "only", "per_problem"]


class Group(NamedTuple):
    """One problem, tokenised. Index i of a response is its place in `responses`, `desirable`, `weights`, `off_topic`."""

    problem_id: str
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    """Answer ids, EOS included where the answer was finished."""
    desirable: tuple[bool, ...]
    weights: tuple[float, ...]
    """1 each, or how often it was sampled; or shares of its label in its problem (`per_problem`)."""
    pairs: tuple[tuple[int, int, float], ...]
    """(winner, loser, weight), as indices of responses."""
    off_topic: tuple[bool, ...]
    """True for a synthetic negative: a response to another problem."""
    n_cut: int = 0
    """Responses that were cut to fit."""

    @property
    def n_tokens(self) -> int:
        """Tokens of all rows where each response is forwarded with its prompt."""
        return sum(len(self.prompt) + len(r) for r in self.responses)


class Skipped(NamedTuple):
    """A problem that cannot be trained on, and why."""

    problem_id: str
    reason: str


def encode_group(preference: Preference, encoder: Encoder, *, multiplicity: bool = False) -> Group | Skipped:
    """Tokenise one preference. q+ and q− are sets, so equal answers of one label become one response.

    With `multiplicity` a response weighs as often as it was sampled, and a pair the product of its two. A response's
    `inclusion` is a factor of both, so a problem that was sampled more often weighs no more by that.
    """
    prompt = encoder.prompt(preference.question)
    index: dict[tuple[bool, tuple[int, ...]], int] = {}
    weights, shares, off_topic = list[float](), list[float](), list[bool]()
    sides, times = list[list[int]](), list[list[float]]()
    n_cut = 0
    for desirable, side in ((True, preference.positives), (False, preference.negatives)):
        places, counts = [], []
        for response in side:
            encoded = encoder.join(prompt, _answer_ids(response, encoder))
            if encoded is None:
                return Skipped(preference.problem_id, "no_room_for_an_answer")
            n_cut += encoded.truncated
            key = (desirable, encoded.ids[encoded.n_prompt :])
            place = index.setdefault(key, len(index))
            if place == len(weights):
                weights.append(0.0)
                off_topic.append(response.origin == "off_topic")
                shares.append(response.inclusion)
            times_said = float(response.multiplicity) if multiplicity else 1.0
            weights[place] += times_said
            places.append(place)
            counts.append(times_said)
        sides.append(places)
        times.append(counts)
    pairs = _pairs(preference, sides, times if multiplicity else None)
    return Group(
        preference.problem_id,
        prompt,
        tuple(ids for _, ids in index),
        tuple(d for d, _ in index),
        tuple((w if multiplicity else 1.0) * share for w, share in zip(weights, shares, strict=True)),
        tuple((w, loser, x * shares[w] * shares[loser]) for w, loser, x in pairs),
        tuple(off_topic),
        n_cut,
    )


def _answer_ids(response: Response, encoder: Encoder) -> tuple[int, ...]:
    """Return a response's ids: as sampled where they are known, else its text tokenised."""
    if response.token_ids is not None:
        return response.token_ids
    return encoder.answer(response.text, finished=response.finished)


def _pairs(
    preference: Preference, sides: Sequence[Sequence[int]], times: Sequence[Sequence[float]] | None
) -> tuple[tuple[int, int, float], ...]:
    winners, losers = sides
    chosen = preference.pairs
    if chosen is None:
        chosen = tuple((i, j) for i in range(len(winners)) for j in range(len(losers)))
    total: dict[tuple[int, int], float] = {}
    for i, j in chosen:
        key = (winners[i], losers[j])
        total[key] = 1.0 if times is None else total.get(key, 0.0) + times[0][i] * times[1][j]
    return tuple((winner, loser, weight) for (winner, loser), weight in total.items())


def encode_groups(
    preferences: Iterable[Preference], encoder: Encoder, *, multiplicity: bool = False
) -> tuple[list[Group], list[Skipped]]:
    """Tokenise all preferences, in order."""
    groups: list[Group] = []
    skipped: list[Skipped] = []
    for preference in preferences:
        made = encode_group(preference, encoder, multiplicity=multiplicity)
        if isinstance(made, Group):
            groups.append(made)
        else:
            skipped.append(made)
    return groups, skipped


def per_problem(group: Group) -> Group:
    """Return the group with the weights of each label adding up to 1, and those of its pairs."""
    sums = {
        label: sum(w for w, d in zip(group.weights, group.desirable, strict=True) if d is label)
        for label in (True, False)
    }
    pairs = sum(x for _, _, x in group.pairs)
    return group._replace(
        weights=tuple(w / sums[d] for w, d in zip(group.weights, group.desirable, strict=True)),
        pairs=tuple((winner, loser, x / pairs) for winner, loser, x in group.pairs),
    )


def only(group: Group, keep: Sequence[bool]) -> Group:
    """Return the group without the responses that `keep` drops, and without their pairs."""
    place = {old: new for new, old in enumerate(i for i, k in enumerate(keep) if k)}
    take = list(place)
    return group._replace(
        responses=tuple(group.responses[i] for i in take),
        desirable=tuple(group.desirable[i] for i in take),
        weights=tuple(group.weights[i] for i in take),
        off_topic=tuple(group.off_topic[i] for i in take),
        pairs=tuple((place[w], place[b], x) for w, b, x in group.pairs if w in place and b in place),
    )


def mismatches(groups: Sequence[Group], per_group: int | None = None) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Give every problem of a step responses of *other* problems, for KTO's z0 (arXiv 2402.01306, section 4.1).

    As many as it has responses of its own, or `per_group`. The assignment follows from the set of problems alone (they
    are put in an order of their own first), so z0 depends neither on the order of a batch nor on how it is cut up.
    A step with one problem has none: its z0 is 0.
    """
    ordered = sorted(groups, key=lambda g: blake2b(g.problem_id.encode(), digest_size=8).digest())
    ring = [r for g in ordered for r in g.responses]
    out: dict[str, tuple[tuple[int, ...], ...]] = {}
    after = 0
    for group in ordered:
        own = len(group.responses)
        after, others = after + own, len(ring) - own
        wanted = (own if per_group is None else min(per_group, own)) if others else 0
        out[group.problem_id] = tuple(ring[(after + i % others) % len(ring)] for i in range(wanted))
    return out
