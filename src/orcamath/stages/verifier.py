"""Stage `verifier`, verifier@k: of k sampled answers the one that a model scores highest is given. Any model can be the verifier.

In: the `scored` table of an evaluation with samples, its benchmarks, a model. Out: facts a benchmark, verifier@k beside its
price in calls and tokens, the verifier's own among them. The verifier sees problem and answer, never the gold answer. A
score that cannot be read is the lowest, and is counted. Deviation: published verifiers are models trained to score (Cobbe
et al. 2021); here a model is asked to.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from pydantic import Field

from orcamath.intervals import wilson
from orcamath.ports import Pose, Request, Sampling
from orcamath.prompts import block, load_prompt
from orcamath.records import Problem, Rejected, Scored, Settings, outside_digest
from orcamath.scoring.facts import PricedShare
from orcamath.scoring.scores import sizes, tokens_of
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Fact, Facts
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage

__all__ = ["VerifierFacts", "VerifierScore", "VerifierSettings", "best_of", "read_score", "verified_at_k"]

_SCORE = re.compile(
    r"[ \t*_#>-]{0,8}score[ \t*_]{0,4}:[ \t*_]{0,4}([0-9]{1,3})(?:[ ]?/[ ]?100)?[ \t*_.]{0,4}", re.IGNORECASE
)


class VerifierSettings(Settings):
    """How a model is asked for scores."""

    max_new_tokens: int = Field(default=400, ge=1)
    prompt: str | None = outside_digest(None)
    """A prompt file of your own, with `{{problem}}` and `{{solution}}`."""

    def contents(self) -> list[str]:
        """Return the hash of the prompt's text."""
        return [load_prompt("verifier", self.prompt).fingerprint]


def read_score(text: str) -> int | None:
    """Read the last line that is a score from 0 to 100; None where there is none."""
    for line in reversed(text.split("\n")):
        found = _SCORE.fullmatch(line.strip()[:80])
        if found is not None and int(found[1]) <= 100:
            return int(found[1])
    return None


def best_of(scores: Sequence[int | None]) -> int:
    """Return the index of the highest score, the first of equals; unreadable ones come last."""
    return max(range(len(scores)), key=lambda i: -1 if (s := scores[i]) is None else s)


class VerifierScore(Fact):
    """verifier@k on one benchmark."""

    n: int = 0
    verifier: dict[str, PricedShare] = Field({})
    """k → share right."""


class VerifierFacts(Facts):
    """What the verifier brings."""

    benchmarks: dict[str, VerifierScore] = Field({})


@stage("verifier", version=3, settings=VerifierSettings, facts=VerifierFacts)
def verified_at_k(
    out: Output,
    settings: VerifierSettings,
    scored: Artifact,
    benchmarks: Artifact,
    verifier: Remembered,
    pose: Pose,
) -> VerifierFacts:
    """Ask the verifier about every distinct sampled answer; facts hold verifier@k for each benchmark and k.

    Books each distinct score as parsed or, where it cannot be read, as failed (`no_score`).
    """
    prompt = load_prompt("verifier", settings.prompt)
    questions = {p.id: p.asked for p in benchmarks.read(Problem)}
    sampling = Sampling(max_tokens=settings.max_new_tokens)

    def request(row: Scored) -> Request:
        values = {"problem": block("problem", questions[row.problem_id]), "solution": block("solution", row.text)}
        return pose("\n\n".join(m.content for m in prompt.messages(values)), sampling)

    def samples() -> Iterator[Scored]:
        return (row for row in scored.read(Scored) if row.draw > 0)

    out.progress.begin("verify", sum(1 for _ in samples()))
    verifier.fill((request(row) for row in samples()), out.progress)
    out.progress.end()
    counts: dict[str, Counter[str]] = {}
    seen: set[bytes] = set()
    largest = 0
    for _, rows in groupby(samples(), key=lambda row: row.problem_id):
        group = list(rows)
        largest = max(largest, len(group))
        scores, tokens = zip(*(_score(out, row, request(row), verifier, seen) for row in group), strict=True)
        tally = counts.setdefault(group[0].benchmark, Counter())
        tally["n"] += 1
        for k in sizes(len(group)):
            tally[f"@{k}"] += group[best_of(scores[:k])].outcome == "agrees"
            tally[f"tokens@{k}"] += sum(tokens[:k])
    return VerifierFacts(benchmarks={name: _verified(tally, largest) for name, tally in counts.items()})


def _score(
    out: Output, row: Scored, request: Request, verifier: Remembered, seen: set[bytes]
) -> tuple[int | None, int]:
    """Return the score of an answer, and the tokens that both took."""
    reply = verifier.reply(request)
    if reply is None:
        return None, 0  # among the wire failures: the stage will not be sealed
    score = read_score(reply.text) if reply.finish_reason == "stop" else None
    if reply.key not in seen:
        seen.add(reply.key)
        if score is None:
            out.reject(Rejected(item=row.problem_id, reason="no_score", text=reply.text), of_call=True)
        else:
            out.parsed()
    return score, (row.n_tokens or 0) + (tokens_of(reply) or 0)


def _verified(tally: Counter[str], largest: int) -> VerifierScore:
    n = tally["n"]
    at_k = {
        # k answers and k scores
        str(k): PricedShare.at(wilson(tally[f"@{k}"], n), calls=2 * k, tokens=tally[f"tokens@{k}"] / n)
        for k in sizes(largest)
    }
    return VerifierScore(n=n, verifier=at_k)
