"""The spending cap against what the server billed: random caps, price tables and faults.

Each trial asks without end until CapReached. `overspend`: trials in which the server billed more than the cap. `spent_share`:
the smallest share of a cap that our books had spent when the run stopped (a call that timed out or came back unreadable
counts in full, so the bill may be lower: `billed_share` is its median).
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from figures import report
from orcamath.backends.openai_compatible import open_chat
from orcamath.errors import CapReached
from orcamath.ports import Message, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.store.budget import Budget, Price, most_tokens
from orcamath.store.under_way import stage_under_way
from orcamath.testing import Call, Faults, serve
from orcamath.testing.faults import CONTENT_FAULTS, WIRE_FAULTS


class Trial(NamedTuple):
    """What one trial came to."""

    cap: float
    booked: float
    billed: float
    calls: int


def random_faults(rng: random.Random) -> Faults:
    """Draw rates: up to two calls in five hit, every kind with a weight of its own."""
    rates = {}
    for names, most in ((WIRE_FAULTS, rng.choice([0.0, 0.1, 0.4])), (CONTENT_FAULTS, rng.choice([0.0, 0.3]))):
        weights = [rng.random() * (0.05 if n == "hang" else 1) for n in names]  # a hang costs a whole timeout
        rates |= {n: most * w / sum(weights) for n, w in zip(names, weights, strict=True)}
    return Faults(seed=rng.randrange(10**6), retry_after_s=0.001, **rates)


def questions(rng: random.Random, max_tokens: int) -> Iterator[Request]:
    """Ask without end."""
    for i in range(10**9):
        text = "Wie groß ist der Rest? " * rng.randrange(1, 6) + str(i)
        yield Request(
            (Message("system", "Task: solver"), Message("user", text)), sampling=Sampling(0.7, 0.9, max_tokens)
        )


def trial(seed: int, folder: Path) -> Trial:
    """Spend one random cap."""
    rng = random.Random(seed)
    price = Price(rng.choice([0.0, 0.1, 2.5, 30.0]), rng.choice([0.1, 10.0, 60.0]))
    max_tokens = rng.choice([20, 200, 1000])
    longest = most_tokens(next(questions(rng, max_tokens)))
    cap = price.usd(longest) * rng.uniform(15, 120)

    def respond(call: Call) -> str:
        return "word " * random.Random(call.seed).randrange(1, max_tokens * 2)

    with serve(respond, random_faults(rng), price=price) as server:
        options = {"first_backoff_s": 0.001, "pause_s": 0.002, "price": list(price)}
        concurrency = rng.choice([1, 4, 32])
        chat = open_chat(
            ModelSettings(model="m", base_url=server.base_url, timeout_s=0.5, concurrency=concurrency, options=options)
        )
        budget = Budget(folder / f"{seed}.sqlite", cap)
        stopped = False
        with stage_under_way("teach", budget) as calls:
            try:
                for _ in chat(questions(rng, max_tokens)):
                    pass
            except CapReached:
                stopped = True
        assert stopped
        made = Trial(cap, calls.spent_usd, server.billed_usd, server.counts["calls"])
        budget.close()
    return made


def options(parser: argparse.ArgumentParser) -> None:
    """How many trials."""
    parser.add_argument("--trials", type=int, default=200)


def measure(a: argparse.Namespace) -> dict[str, object]:
    """Run the trials."""
    with tempfile.TemporaryDirectory() as folder:
        trials = [trial(seed, Path(folder)) for seed in range(a.trials)]
    return {
        "trials": a.trials,
        "calls": sum(t.calls for t in trials),
        "overspend": sum(t.billed > t.cap or t.booked > t.cap * (1 + 1e-9) for t in trials),
        "spent_share": round(min(t.booked / t.cap for t in trials), 3),
        "spent_share_median": round(statistics.median(t.booked / t.cap for t in trials), 3),
        "billed_share": round(statistics.median(t.billed / t.cap for t in trials), 3),
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
