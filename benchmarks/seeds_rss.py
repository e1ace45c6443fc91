"""Memory does not grow with the data: Ask-Me-Anything over 10,000 and over 100,000 seeds, each in a process of its own.

The stub answers every call with the same well-formed text (all seeds have the same numbers). Printed: peak resident memory of
both, and `extra_mb`, what the longer run took more.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apart import figures_of, served
from figures import report, resident

QUESTION = (
    "Farmer number {} told this story: Ann has 5 apples and picks 7 apples more. How many apples does Ann have now?"
)
REPLY = """<statement>Ann has 5 apples and picks 7 apples more, so that she has 12 apples now.</statement>
<target>5</target><question>Ann has some apples and picks 7 apples more. She has 12 apples now. How many apples did she have
at first?</question>
<target>7</target><question>Ann has 5 apples and picks some more. She has 12 apples now. How many apples did she pick?</question>
<target>12</target><question>Ann has 5 apples and picks 7 apples more. How many apples does Ann have now?</question>"""


def named(i: int) -> str:
    """Return a name without digits for every number."""
    letters = ""
    while i >= 0:
        i, rest = divmod(i, 26)
        letters, i = chr(97 + rest) + letters, i - 1
    return letters.capitalize()


def run(n: int, url: str) -> dict[str, Any]:
    """Run the stage here; returns peak memory and what was made."""
    from orcamath.agents.ask_me_anything import AskSettings
    from orcamath.backends.openai_compatible import open_chat
    from orcamath.records import Problem
    from orcamath.settings import ModelSettings
    from orcamath.stages.ask import ask
    from orcamath.store.artifacts import Output, Store
    from orcamath.store.ledger import Ledger, Remembered

    def seeds() -> Iterator[Problem]:
        for i in range(n):
            yield Problem.make(QUESTION.format(named(i)), "seed", "stub", answer="12", answer_from="gold")

    def gather(out: Output) -> None:
        out.balance.results = out.balance.kept = out.write("problems", seeds())

    with tempfile.TemporaryDirectory() as folder:
        store, ledger = Store(Path(folder)), Ledger(Path(folder) / "ledger")
        writer = Remembered(open_chat(ModelSettings(model="m", base_url=url, concurrency=64)), ledger)
        read = store.stage("seeds", 1, None, [str(n)], gather)
        settings, began = AskSettings(), time.process_time()
        made = store.stage("ask", 1, settings, [read, writer], lambda out: ask(out, settings, read, writer))
        cpu = time.process_time() - began
        ledger.close()
        on_disk = sum(f.stat().st_size for f in (Path(folder) / "ledger").iterdir())
    return {
        "peak_mb": round(resident("VmHWM") * 1000, 1),
        "kept": made.balance["kept"],
        "cpu_per_1000": round(cpu / n * 1000, 3),
        "ledger_bytes_per_call": round(on_disk / n),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """The two sizes; one alone is how they are run."""
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--side", type=int)
    parser.add_argument("--url", default="")


def measure(a: argparse.Namespace) -> dict[str, Any]:
    """Run one size, or both."""
    if a.side:
        return run(a.side, a.url)
    with served("--reply", REPLY) as url:
        few, many = (figures_of(__file__, "--side", str(n), "--url", url) for n in (a.few, a.many))
    return {
        "few": {"seeds": a.few, **few},
        "many": {"seeds": a.many, **many},
        "extra_mb": round(many["peak_mb"] - few["peak_mb"], 1),
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
