"""What our client costs over bare aiohttp: 3,000 calls to a 200 ms stub, ledger on, both with asyncio and orjson.

Each side runs in a process of its own, one after the other, alternating; the server in a third. Printed: medians over
`--repeats` rounds and their spread. `replay_cpu_per_1000`: the same stage again, every call remembered (fill and read back).
`autogen_cpu_ratio`: AutoGen's OpenAI client over ours, where autogen-ext is installed, else null.
"""

import argparse
import asyncio
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apart import figures_of, served
from figures import report

QUESTION = (
    "A farmer has {0} sheep and {1} cows. Half of the animals leave. How many legs are left on the farm? Call {0}."
)
ANSWER = "First count the animals, then halve them, then count four legs each. " * 8 + "\n#### 42"
SYSTEM = "Task: solver\n\nSolve the word problem step by step. " * 10


def requests(n: int) -> Iterator[Any]:
    """Yield what is asked."""
    from orcamath.ports import Message, Request, Sampling

    for i in range(n):
        messages = (Message("system", SYSTEM), Message("user", QUESTION.format(i, 3 * i)))
        yield Request(messages, sampling=Sampling(0.7, 0.95, 512))


async def raw(url: str, n: int, concurrency: int) -> None:
    """Bare aiohttp: workers that share one iterator."""
    import aiohttp
    import orjson

    from orcamath.backends.wire_protocol import body_of

    pulled = requests(n)

    async def work(session: aiohttp.ClientSession) -> None:
        for request in pulled:
            body = orjson.dumps(body_of(request, "m", {}))
            async with session.post(f"{url}/chat/completions", data=body) as response:
                assert orjson.loads(await response.read())["choices"][0]["message"]["content"] == ANSWER

    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))


def ours(url: str, n: int, concurrency: int) -> dict[str, float]:
    """Our client with the ledger: a stage filled, and filled and read again."""
    from orcamath.backends.openai_compatible import open_chat
    from orcamath.settings import ModelSettings
    from orcamath.store.ledger import Ledger, Remembered

    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        model = Remembered(open_chat(ModelSettings(model="m", base_url=url, concurrency=concurrency)), ledger)
        wall, cpu = time.perf_counter(), time.process_time()
        assert model.fill(requests(n)) == []
        made = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        cpu = time.process_time()
        assert model.fill(requests(n)) == []
        assert all(model.reply(r) is not None for r in requests(n))
        made["replay"] = time.process_time() - cpu
        ledger.close()
    return made


async def autogen(url: str, n: int, concurrency: int) -> None:
    """AutoGen's own OpenAI client."""
    from autogen_core.models import SystemMessage, UserMessage  # type: ignore[import-not-found]
    from autogen_ext.models.openai import OpenAIChatCompletionClient  # type: ignore[import-not-found]

    info = {
        "vision": False,
        "function_calling": False,
        "json_output": False,
        "family": "unknown",
        "structured_output": False,
    }
    client = OpenAIChatCompletionClient(model="m", base_url=url, api_key="none", model_info=info)
    pulled = requests(n)

    async def work() -> None:
        for request in pulled:
            system, user = (m.content for m in request.messages)
            await client.create([SystemMessage(content=system), UserMessage(content=user, source="user")])

    await asyncio.gather(*(work() for _ in range(concurrency)))


def side(name: str, url: str, n: int, concurrency: int) -> dict[str, float]:
    """Run one side here."""
    if name == "ours":
        return ours(url, n, concurrency)
    run = {"raw": raw, "autogen": autogen}[name]
    import aiohttp  # noqa: F401 — imports are not what is measured
    import orjson  # noqa: F401

    import orcamath.backends.wire_protocol  # noqa: F401

    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(run(url, n, concurrency))
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def apart(name: str, url: str, n: int, concurrency: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    much = ("--calls", str(n), "--concurrency", str(concurrency))
    found: dict[str, float] = figures_of(__file__, "--side", name, "--url", url, *much)
    return found


def median(values: list[float]) -> float:
    """Return the median, rounded."""
    return round(statistics.median(values), 3)


def compare(url: str, n: int, repeats: int) -> dict[str, Any]:
    """Alternate the sides and return the named figures."""
    rounds: dict[int, list[tuple[dict[str, float], dict[str, float]]]] = {64: [], 256: []}
    for _ in range(repeats):
        for concurrency, found in rounds.items():
            found.append((apart("raw", url, n, concurrency), apart("ours", url, n, concurrency)))
            sys.stderr.write(f"concurrency {concurrency}: {found[-1]}\n")
    figures: dict[str, Any] = {"calls": n, "repeats": repeats}
    for concurrency, found in rounds.items():
        ratios = [a["wall"] / b["wall"] for a, b in found]
        cpu = [b["cpu"] / a["cpu"] for a, b in found]
        figures[f"rate_ratio_{concurrency}"] = median(ratios)
        figures[f"rate_ratio_{concurrency}_spread"] = [round(min(ratios), 3), round(max(ratios), 3)]
        figures[f"cpu_ratio_{concurrency}"] = median(cpu)
        figures[f"cpu_ratio_{concurrency}_spread"] = [round(min(cpu), 3), round(max(cpu), 3)]
        figures[f"cpu_per_1000_{concurrency}"] = median([b["cpu"] / n * 1000 for _, b in found])
    figures["cpu_ratio"] = max(figures["cpu_ratio_64"], figures["cpu_ratio_256"])
    figures["replay_cpu_per_1000"] = median([b["replay"] / n * 1000 for found in rounds.values() for _, b in found])
    figures["autogen_cpu_ratio"] = None
    if importlib.util.find_spec("autogen_ext"):
        theirs = apart("autogen", url, max(n // 10, 100), 64)["cpu"] / max(n // 10, 100) * 1000
        figures["autogen_cpu_ratio"] = round(theirs / figures["cpu_per_1000_64"], 2)
    return figures


def options(parser: argparse.ArgumentParser) -> None:
    """How much; one side alone is how the sides are run."""
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side")
    parser.add_argument("--url", default="")
    parser.add_argument("--concurrency", type=int, default=64)


def measure(a: argparse.Namespace) -> dict[str, Any]:
    """Run one side, or all in turn."""
    if a.side:
        return side(a.side, a.url, a.calls, a.concurrency)
    with served("--reply", ANSWER, "--faults", '{"latency_s": 0.2}') as url:
        return compare(url, a.calls, a.repeats)


if __name__ == "__main__":
    report(__doc__, options, measure)
