"""The cap holds: through rounding, crashes, several processes, and bills that nobody saw."""

import json
import multiprocessing
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcamath.backends.openai_compatible import open_chat
from orcamath.commands.reporting import status_of
from orcamath.errors import CapReached, RecipeError
from orcamath.ports import Message, Request, Sampling, Usage
from orcamath.settings import ModelSettings
from orcamath.store.budget import NANO, Budget, Price, most_tokens
from orcamath.store.leases import account_of
from orcamath.store.prices import price_of, prices
from orcamath.store.under_way import stage_under_way
from orcamath.testing import Faults, serve, stub
from report_run import make_run


def ask(text: str, max_tokens: int = 100) -> Request:
    return Request((Message("user", text),), sampling=Sampling(0.7, 1.0, max_tokens))


def test_the_bound_counts_bytes_templates_and_the_whole_answer() -> None:
    assert most_tokens(ask("é" * 10)) == Usage(20 + 32, 100)
    assert most_tokens(Request(token_ids=(1, 2, 3), sampling=Sampling(max_tokens=7))) == Usage(35, 7)


def test_prices_are_counted_in_nano_dollars_rounded_up() -> None:
    assert Price(2.5, 10).nano(Usage(1000, 100)) == 2_500_000 + 1_000_000
    assert Price(0.0001, 0).nano(Usage(1, 0)) == 1
    assert Price(0, 0).nano(Usage(10**9, 10**9)) == 0


def test_a_call_is_reserved_at_its_most_and_settled_by_its_bill(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "money.sqlite", cap_usd=1.0)
    meter = budget.meter("teach", Price(1000, 1000))  # a tenth of a cent a token
    held = meter.reserve(ask("x" * 68))
    assert held == 0.2 * NANO
    meter.settle(held, Usage(17, 10), sent=True)
    assert meter.spent_usd == pytest.approx(0.027)
    held = meter.reserve(ask("x" * 68))
    assert held is not None
    meter.settle(held, None, sent=True)  # nobody knows: all of it
    held = meter.reserve(ask("x" * 68))
    assert held is not None
    meter.settle(held, None, sent=False)  # it never left
    assert meter.spent_usd == pytest.approx(0.227)
    budget.close()


def test_what_a_crashed_process_had_leased_counts_as_spent(tmp_path: Path) -> None:
    crashed = Budget(tmp_path / "money.sqlite", cap_usd=1.0)
    assert crashed.meter("teach", Price(1000, 1000)).reserve(ask("x" * 68))
    after = Budget(tmp_path / "money.sqlite", cap_usd=1.0)
    assert after.spent_usd() == pytest.approx(0.2 + 1 / 200)
    crashed.close()  # in truth it went on, and settled
    assert after.spent_usd() == pytest.approx(0.2)


def test_a_lease_that_is_closed_leaves_its_rest_to_others_and_may_lease_anew(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "money.sqlite", cap_usd=0.41)
    first, second = (budget.meter("teach", Price(1000, 1000)) for _ in range(2))
    for meter in (first, second):
        held = meter.reserve(ask("x" * 68))  # 20 cents
        assert held is not None
        meter.settle(held, Usage(5, 5), sent=True)
        meter.close()
        assert budget.spent_usd() == pytest.approx(first.spent_usd + second.spent_usd)
    held = first.reserve(ask("x" * 68))
    assert held is not None
    assert budget.spent_usd() >= 0.22
    first.close()
    assert budget.spent_usd() == pytest.approx(0.22)  # what is held may be on its way
    budget.close()


def test_a_stage_has_its_own_cap(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "money.sqlite", cap_usd=10.0, stage_caps_usd={"teach": 0.3})
    teach, judge = budget.meter("teach", Price(1000, 1000)), budget.meter("judge", Price(1000, 1000))
    assert teach.reserve(ask("x" * 68)) is not None
    assert teach.reserve(ask("x" * 68)) is None
    assert judge.reserve(ask("x" * 68)) is not None


def _spend(path: Path, n: int) -> None:
    budget = Budget(path, cap_usd=0.05)
    meter = budget.meter("teach", Price(10, 10))
    for i in range(n):
        held = meter.reserve(ask("x" * (i % 50)))
        if held is not None:
            meter.settle(held, Usage(20, i % 100) if i % 7 else None, sent=True)
    budget.close()


def test_processes_share_one_cap(tmp_path: Path) -> None:
    path = tmp_path / "money.sqlite"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_spend, args=(path, 300)) for _ in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    budget = Budget(path, cap_usd=0.05)
    assert 0.045 < budget.spent_usd() <= 0.05
    budget.close()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.001, 2), st.floats(0.01, 100), st.floats(0.01, 100))
def test_no_order_of_calls_passes_the_cap(tmp_path_factory, seed, cap, price_in, price_out) -> None:
    rng = random.Random(seed)
    budget = Budget(tmp_path_factory.mktemp("b") / "money.sqlite", cap_usd=cap)
    meter = budget.meter("teach", Price(price_in, price_out))
    under_way: list[tuple[int, Request]] = []
    billed = 0.0
    for _ in range(40):
        request = ask("x" * rng.randrange(400), rng.randrange(1, 800))
        if (held := meter.reserve(request)) is not None:
            under_way.append((held, request))
        if under_way and rng.random() < 0.6:
            held, request = under_way.pop(rng.randrange(len(under_way)))
            most = most_tokens(request)
            usage = Usage(rng.randint(0, most.prompt_tokens), rng.randint(0, most.completion_tokens))
            billed += meter.price.usd(usage)
            meter.settle(held, usage if rng.random() < 0.8 else None, sent=True)
    assert billed <= meter.spent_usd + 1e-9
    assert budget.spent_usd() <= cap
    budget.close()


def test_the_wire_stops_at_the_cap_and_spends_nearly_all_of_it(tmp_path: Path) -> None:
    faults = Faults(seed=5, latency_s=0.001, max_per_key=3, retry_after_s=0.001).every_wire(0.2, hang=False)
    with serve(stub("x" * 200), faults, price=(100.0, 1000.0)) as server:
        options = {"first_backoff_s": 0.001, "pause_s": 0.002, "price": [100, 1000]}
        chat = open_chat(
            ModelSettings(model="m", base_url=server.base_url, timeout_s=5, concurrency=8, options=options)
        )
        budget = Budget(tmp_path / "money.sqlite", cap_usd=4.0)
        replies = []

        def ask_on() -> None:
            replies.extend(reply for reply in chat(ask(f"question {i}") for i in range(10_000)))

        with stage_under_way("teach", budget) as calls, pytest.raises(CapReached, match="cap"):
            ask_on()
        assert server.billed_usd <= calls.spent_usd + 1e-9
        assert calls.spent_usd <= 4.0
        assert calls.spent_usd >= 0.9 * 4.0
        budget.close()


def priced(backend: str, model: str, base_url: str | None, declared: object) -> ModelSettings:
    options = {} if declared is None else {"price": declared}
    return ModelSettings(backend=backend, model=model, base_url=base_url, options=options)


@pytest.mark.parametrize(
    ("backend", "model", "base_url", "declared", "price"),
    [
        ("openai_compatible", "gpt-4o", None, None, (2.5, 10)),
        ("openai_compatible", "gpt-4o-2024-08-06", "https://api.openai.com/v1", None, (2.5, 10)),
        ("openai_compatible", "gpt-4-0613", None, None, (30, 60)),
        ("openai_batch", "gpt-4o", None, None, (1.25, 5)),
        ("openai_compatible", "anything", "http://localhost:8000/v1", None, (0, 0)),
        ("transformers_local", "anything", None, None, (0, 0)),
        ("openai_compatible", "own", "https://x.example/v1", [1, 2.5], (1, 2.5)),
        ("openai_compatible", "gpt-4o", None, [2, 8], (2, 8)),
        ("openai_compatible", "gpt-4o", "http://localhost:8000/v1", [0, 0], (0, 0)),
    ],
)
def test_prices(backend, model, base_url, declared, price) -> None:
    assert price_of(priced(backend, model, base_url, declared)) == price


@pytest.mark.parametrize(
    ("model", "base_url", "declared", "says"),
    [
        ("gpt-4p", None, None, "gpt-4"),
        ("gpt-4o", "https://gateway.example/v1", None, "options: {price"),
        ("gpt-4o", "https://notopenai.example/v1", None, "not known"),
        ("m", None, [1], "two numbers"),
        ("m", None, [1, -2], "two numbers"),
        ("gpt-4-turbo", None, [0, 0], "takes [10.0, 30.0] for it: leave the price out"),
        ("gpt-4o", "https://api.openai.com/v1", [2.5, 0], "takes [2.5, 10.0]"),
    ],
)
def test_an_unknown_price_is_refused(model, base_url, declared, says) -> None:
    with pytest.raises(RecipeError) as caught:
        price_of(priced("openai_compatible", model, base_url, declared))
    assert says in str(caught.value)


def test_the_price_list_is_dated() -> None:
    assert prices()["as_of"] > "2025"


def test_what_is_held_for_a_killed_process_is_named(tmp_path: Path) -> None:
    run, store = make_run(tmp_path)
    (run / "state.json").write_text(
        json.dumps({"process": 1, "host": "x", "began_at": 0.0, "command": "", "ending": ""})
    )
    killed = Budget(run / "budget.sqlite", cap_usd=1.0)
    meter = killed.meter("teach", Price(1000, 1000))
    for _ in range(2):
        held = meter.reserve(ask("x" * 68))
        assert held is not None
        meter.settle(held, Usage(17, 10), sent=True)
    assert account_of(killed.path).held_usd == pytest.approx(killed.spent_usd() - 0.027)  # as of the last lease
    said = status_of(run, store.root)
    assert re.search(
        r"spent      \$0\.\d+ \(\$0\.\d+ of it is held for a process that was killed, whose bills", said
    ), said
    killed.close()
    assert "held" not in status_of(run, store.root)
