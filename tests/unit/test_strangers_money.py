"""Whoever's code asks a model of ours, and wherever it keeps that model: every cent is booked, and the cap holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orcamath.agents.driver import write
from orcamath.assemble import Assembled
from orcamath.errors import CapReached, WireDown
from orcamath.families import find
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Message, Reply, Request
from orcamath.records import Attempt, Exercise, Problem, Rejected
from orcamath.settings import ModelSettings
from orcamath.stages.judge import judge
from orcamath.stages.teach import TeachSettings, teach
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.budget import Budget
from orcamath.store.ledger import Remembered
from orcamath.testing import Faults, serve, stub

PRICE = (100.0, 1000.0)
N = 5

JUDGE = """
from orcamath.ports import Finding, Message, Request, Sampling

class Mine:
    fingerprint = "mine"
    def __init__(self, model):
        {keep}
    def __call__(self, comparisons):
        for c in comparisons:
            request = Request((Message("user", c.question + c.response),), sampling=Sampling(max_tokens=50))
            {held}.fill([request])
            reply = {held}.reply(request)
            yield Finding("agrees" if reply and "yes" in reply.text else "unjudged", "mine")

def make(settings, model):
    return Mine(model)
"""
BACKEND = """
import threading
from orcamath.backends.openai_compatible import OpenAICompatible
from orcamath.ports import Reply
from orcamath.settings import ModelSettings

class Mine:
    chunk = None
    fingerprint = "mine"
    def __init__(self, model):
        {keep}
    def __call__(self, requests):
        for request in requests:
            for reply in {held}([request]):
                yield Reply(request.key("mine"), reply.text, usage=reply.usage, error=reply.error)

def open_chat(settings):
    return Mine(OpenAICompatible(ModelSettings(model="m", base_url=settings.base_url)))
"""
HOLDERS = {
    "another name": ("self.llm = model", "self.llm"),
    "a list": ("self.tools = [None, [model]]", "self.tools[1][0]"),
    "a closure": ("self.ask = lambda: model", "self.ask()"),
}
held_anywhere = pytest.mark.parametrize("holder", HOLDERS)


class Shop(NamedTuple):
    """What a stage of a stranger's is run in."""

    tools: Assembled
    budget: Budget

    def run(self, make: Callable[[Output], None]) -> Artifact:
        return self.tools.store.stage("judge", 1, None, [], make, budget=self.budget)


def shop(folder: Path, cap_usd: float | None) -> Shop:
    return Shop(Assembled(Store(folder)), Budget(folder / "budget.sqlite", cap_usd))


def of_file(folder: Path, family: str, text: str, holder: str) -> Any:
    keep, held = HOLDERS[holder]
    path = folder / f"my_{family}.py"
    path.write_text(text.replace("{keep}", keep).replace("{held}", held))
    return find(family, str(path))


def paid_model(base_url: str, backend: str = "openai_compatible") -> ModelSettings:
    options = {"price": list(PRICE)}
    return ModelSettings(backend=backend, model="m", base_url=base_url, options=options, timeout_s=5, max_tries=1)


def judged_by(mine: Any, practised: Artifact) -> Callable[[Output], None]:
    return lambda out: judge(out, JudgeSettings(), practised, mine)


def practised(store: Store) -> Artifact:
    exercises = [
        Exercise(problem_id=f"p{i}", question=f"Question {i}?", reference="9", label="teacher") for i in range(N)
    ]

    def write_both(out: Output) -> None:
        out.write("exercises", exercises)
        attempts = (
            Attempt.make(e.problem_id, 0, "#### 9", "s", token_ids=None, finish_reason="stop") for e in exercises
        )
        out.write("attempts", attempts)

    return store.stage("practice", 1, None, [], write_both)


def problems(store: Store) -> Artifact:
    made = [Problem.make(f"A shop has {i} pens and sells 2. How many are left?", "seed", "s") for i in range(N)]
    return store.stage("seeds", 1, None, [], lambda out: out.write("problems", made) and None)


class Critic:
    """An agent that asks a second model, which only a closure holds, while it reads the first one's replies."""

    name = "critic"

    def __init__(self, second: Remembered) -> None:
        def ask(request: Request) -> Reply | None:
            second.fill([request])
            return second.reply(request)

        self.ask = ask

    def request(self, item: Problem, draw: int) -> Request:
        return Request((Message("user", item.question),), draw=draw)

    def parse(self, reply: Reply, item: Problem) -> list[Problem | Rejected] | Rejected:
        second = self.ask(Request((Message("user", f"Is this well put? {reply.text} {item.question}"),)))
        assert second is None or second.text
        return [Problem.make(f"{item.question} {reply.text}", "critic", "s")]


def stage_of(kind: str, folder: Path, base_url: str, holder: str, where: Shop) -> Callable[[Output], None]:
    """Return a stage whose calls are all made by a stranger's code."""
    tools = where.tools
    if kind == "judge":
        mine = of_file(folder, "judge", JUDGE, holder).make(JudgeSettings(), tools.chat(paid_model(base_url)))
        return judged_by(mine, practised(tools.store))
    seeds = problems(tools.store)
    if kind == "backend":
        of_file(folder, "backend", BACKEND, holder)
        model = tools.chat(paid_model(base_url, str(folder / "my_backend.py")))
        return lambda out: teach(out, TeachSettings(tries=1), seeds, model)
    first, critic = tools.chat(paid_model(base_url)), Critic(tools.chat(paid_model(base_url)))
    return lambda out: write(critic, lambda: seeds.read(Problem), first, out) and None


@held_anywhere
@pytest.mark.parametrize(("kind", "n_calls"), [("judge", N), ("backend", N), ("agent", 2 * N)])
def test_every_cent_is_booked(kind: str, n_calls: int, holder: str, tmp_path: Path) -> None:
    with serve(stub("yes " * 20), price=PRICE) as server:
        where = shop(tmp_path, None)
        where.run(stage_of(kind, tmp_path, server.base_url, holder, where))
        assert server.counts["calls"] == n_calls
        assert where.budget.spent_usd("judge") == pytest.approx(server.billed_usd, abs=1e-9)
        assert server.billed_usd > 0


@held_anywhere
@pytest.mark.parametrize("kind", ["judge", "backend", "agent"])
def test_the_cap_holds(kind: str, holder: str, tmp_path: Path) -> None:
    with serve(stub("yes"), price=PRICE) as server:
        where = shop(tmp_path, 1e-7)
        with pytest.raises(CapReached, match="cap"):
            where.run(stage_of(kind, tmp_path, server.base_url, holder, where))
        assert server.counts["calls"] == 0
        assert where.budget.spent_usd() == 0


@held_anywhere
def test_a_call_that_never_came_through_keeps_a_strangers_stage_unsealed(holder: str, tmp_path: Path) -> None:
    with serve(stub("yes"), Faults(server_error=1.0), price=PRICE) as server:
        where = shop(tmp_path, None)
        with pytest.raises(WireDown, match=f"{N} calls did not come through"):
            where.run(stage_of("judge", tmp_path, server.base_url, holder, where))


def test_a_price_that_the_recipe_does_not_say_is_the_wires_own(tmp_path: Path) -> None:
    text = BACKEND.replace(
        "base_url=settings.base_url", f"base_url=settings.base_url, options={{'price': {list(PRICE)}}}"
    )
    with serve(stub("yes"), price=PRICE) as server:
        where = shop(tmp_path, None)
        of_file(tmp_path, "backend", text, "a closure")
        model = where.tools.chat(ModelSettings(backend=str(tmp_path / "my_backend.py"), base_url=server.base_url))
        seeds = problems(where.tools.store)
        where.run(lambda out: teach(out, TeachSettings(tries=1), seeds, model))
        assert where.budget.spent_usd() == pytest.approx(server.billed_usd, abs=1e-9)


def test_a_wire_driven_from_a_thread_is_booked_too(tmp_path: Path) -> None:
    threaded = BACKEND.replace(
        "for reply in {held}([request]):",
        "got = []\n            worker = threading.Thread(target=lambda: got.extend({held}([request])))\n"
        "            worker.start()\n            worker.join()\n            for reply in got:",
    )
    with serve(stub("yes"), price=PRICE) as server:
        where = shop(tmp_path, None)
        of_file(tmp_path, "backend", threaded, "a list")
        model = where.tools.chat(paid_model(server.base_url, str(tmp_path / "my_backend.py")))
        seeds = problems(where.tools.store)
        where.run(lambda out: teach(out, TeachSettings(tries=1), seeds, model))
        assert server.counts["calls"] == N
        assert where.budget.spent_usd() == pytest.approx(server.billed_usd, abs=1e-9)
