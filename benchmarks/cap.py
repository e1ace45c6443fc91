"""The spending cap against what the server served, whatever it says of its usage: random caps, price tables and faults.

Each trial asks without end until CapReached. Servers: `honest`; `silent` (no usage); `zero`; `garbage` (text, negative, 2^63,
lists); `over` (up to fifty times as much); `under` (a tenth). `overspend`: trials in which an honest count of what was served
came to more than the cap; `booked_over`: trials whose book says more than the cap (an over-reporting server's claim is booked as
it is). `spent_share`: the smallest share of a cap that the books of honest servers had spent when the run stopped (a call that
timed out or came back unreadable counts in full, so the bill may be lower: `billed_share` is its median).
"""

import argparse
import logging
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
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


def _each(change: Callable[[int], object]) -> Callable[[dict[str, int]], object]:
    return lambda usage: {name: change(n) for name, n in usage.items()}


def _garbage(usage: dict[str, int]) -> object:
    n = sum(usage.values())
    said = [str(n), -n, 2**63, 2**80, None, [n], True, 0.5]
    return {"prompt_tokens": said[n % 8], "completion_tokens": said[n // 8 % 8]} if n % 9 else [n]


SERVERS: dict[str, Callable[[dict[str, int]], object] | None] = {
    "honest": None,
    "silent": lambda _: None,
    "zero": _each(lambda _: 0),
    "garbage": _garbage,
    "over": _each(lambda n: n * (1 + n % 50)),
    "under": _each(lambda n: n // 10),
}


class Trial(NamedTuple):
    """What one trial came to."""

    server: str
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


def trial(seed: int, folder: Path, kind: str) -> Trial:
    """Spend one random cap at one kind of server."""
    rng = random.Random(seed)
    price = Price(rng.choice([0.0, 0.1, 2.5, 30.0]), rng.choice([0.1, 10.0, 60.0]))
    max_tokens = rng.choice([20, 200, 1000])
    longest = most_tokens(next(questions(rng, max_tokens)))
    cap = price.usd(longest) * rng.uniform(15, 120)

    def respond(call: Call) -> str:
        return "word " * random.Random(call.seed).randrange(1, max_tokens * 2)

    with serve(respond, random_faults(rng), price=price, says=SERVERS[kind]) as server:
        options = {"first_backoff_s": 0.001, "pause_s": 0.002, "price": list(price)}
        concurrency = rng.choice([1, 4, 32])
        chat = open_chat(
            ModelSettings(model="m", base_url=server.base_url, timeout_s=0.5, concurrency=concurrency, options=options)
        )
        budget = Budget(folder / f"{kind}-{seed}.sqlite", cap)
        stopped = False
        with stage_under_way("teach", budget) as calls:
            try:
                for _ in chat(questions(rng, max_tokens)):
                    pass
            except CapReached:
                stopped = True
        assert stopped
        made = Trial(kind, cap, calls.spent_usd, server.billed_usd, server.counts["calls"])
        budget.close()
    return made


def options(parser: argparse.ArgumentParser) -> None:
    """How many trials."""
    parser.add_argument("--trials", type=int, default=100, help="for each kind of server")
    parser.add_argument("--only", nargs="*", choices=SERVERS, default=list(SERVERS))


def figures(trials: list[Trial]) -> dict[str, object]:
    """Sum up the trials of one kind of server."""
    return {
        "trials": len(trials),
        "calls": sum(t.calls for t in trials),
        "overspend": sum(t.billed > t.cap for t in trials),
        "booked_over": sum(t.booked > t.cap * (1 + 1e-9) for t in trials),
        "spent_share": round(min(t.booked / t.cap for t in trials), 3),
        "spent_share_median": round(statistics.median(t.booked / t.cap for t in trials), 3),
        "billed_share": round(statistics.median(t.billed / t.cap for t in trials), 3),
    }


def measure(a: argparse.Namespace) -> dict[str, object]:
    """Run the trials."""
    logging.disable()  # what each kind of server is told once
    with tempfile.TemporaryDirectory() as folder:
        trials = {kind: [trial(seed, Path(folder), kind) for seed in range(a.trials)] for kind in a.only}
    by_server = {kind: figures(made) for kind, made in trials.items()}
    found: dict[str, object] = {"overspend": sum(t.billed > t.cap for made in trials.values() for t in made)}
    if "honest" in by_server:
        found["spent_share"] = by_server["honest"]["spent_share"]
    return {**found, "servers": by_server}


if __name__ == "__main__":
    report(__doc__, options, measure)
