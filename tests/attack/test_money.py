"""The cap against endpoints that lie, recipes that ask for more than they reserve, and books that are damaged."""

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from orcamath.backends.openai_compatible import open_chat
from orcamath.errors import CapReached, DataError, RecipeError
from orcamath.ports import Message, Request, Sampling, Usage
from orcamath.recipe_file import load
from orcamath.settings import ModelSettings
from orcamath.store.bill import believed, most_tokens
from orcamath.store.budget import Budget, Price
from orcamath.store.hosts import belongs, host_of, reach
from orcamath.store.prices import is_unpriced, price_of
from orcamath.store.under_way import stage_under_way
from orcamath.testing import MisbehavingServer, serve, stub
from orcamath.testing.http import HttpAnswer, Incoming


def ask(i: int, max_tokens: int = 100) -> Request:
    return Request(
        (Message("user", f"Tom has {i} apples and eats none. " * 4),), sampling=Sampling(0.7, 1.0, max_tokens)
    )


@pytest.mark.parametrize(
    "field",
    [
        "n",
        "best_of",
        "candidate_count",
        "messages",
        "prompt",
        "input",
        "model",
        "models",
        "fallbacks",
        "stream",
        "stream_options",
        "N",  # as what is written in Go reads it
        "Best-Of",
        "numReturnSequences",
        "\u017ftream",
        "prompt_embeds",
        "prediction",
        "extra_body",
        "user_config",
        "api_base",
    ],
)
@pytest.mark.parametrize("backend", ["openai_compatible", "openai_batch"])
def test_a_body_that_changes_what_a_call_is_is_refused(field: str, backend: str, tmp_path: Path) -> None:
    import importlib

    module = importlib.import_module(f"orcamath.backends.{backend}")
    options = {"folder": str(tmp_path)} if backend == "openai_batch" else {}
    settings = ModelSettings(model="m", base_url="http://127.0.0.1:1/v1", body={field: 8}, options=options)
    with pytest.raises(RecipeError, match=f"`body.{field}` of model `m`.*the call itself"):
        module.open_chat(settings)


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({}, 100),
        ({"max_tokens": 5000}, 5000),
        ({"max_completion_tokens": 7000}, 7000),
        ({"max_completion_tokens": 10}, 100),  # `max_tokens: 100` is sent beside it
        ({"max_completion_tokens": 10, "max_tokens": 5000}, 5000),
        ({"reasoning": {"max_tokens": 900}}, 1000),
        ({"options": {"num_predict": 50}}, 150),
        ({"n_predict": 50}, 150),
        ({"maxOutputTokens": 50}, 150),
        ({"max_gen_len": 50}, 150),
        ({"max_tokens_to_sample": 50}, 150),
        ({"MAX_TOKENS": 50}, 150),
        ({"thinking": {"budget_tokens": 50}}, 150),
        ({"x": [{"max_new_tokens": 50}]}, 150),
        ({"length_penalty": 2, "top_logprobs": 5, "min_tokens": 7, "truncate_prompt_tokens": 9}, 100),
    ],
)
def test_what_is_reserved_is_what_is_sent(body: dict[str, Any], most: int) -> None:
    plain, found = most_tokens(ask(1)), most_tokens(ask(1), body)
    assert found.completion_tokens == most
    assert found.prompt_tokens >= plain.prompt_tokens + (len(orjson.dumps(body)) if body else 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_setting_is_without_measure(value: float) -> None:
    for section in ({"budget": {"cap_usd": value}}, {"learn": {"beta": value}}, {"teacher": {"timeout_s": value}}):
        with pytest.raises(RecipeError, match=r"nan|inf"):
            load({"name": "r", **section})


@pytest.mark.parametrize("limit", [0, -1, None, "many", "5000", 1.5, True, float("inf")])
@pytest.mark.parametrize("field", ["max_tokens", "n_predict", "Max_Completion_Tokens", "maxOutputTokens"])
@pytest.mark.parametrize("where", ["here", "deep"])
def test_a_limit_that_is_none_is_refused(limit: object, field: str, where: str) -> None:
    body = {field: limit} if where == "here" else {"options": [{field: limit}]}
    with pytest.raises(RecipeError, match="whole number above 0"):
        open_chat(ModelSettings(model="m", base_url="http://127.0.0.1:1/v1", body=body))


@pytest.mark.parametrize(
    ("claim", "n_bytes", "booked", "replaced"),
    [
        (30, 120, 30, False),  # honest
        (4, 120, 4, False),  # a little over a tenth: believed, as the docs say
        (3, 120, 60, True),
        (0, 120, 60, True),
        (0, 0, 0, False),  # nothing for nothing
        (-5, 120, 60, True),
        ("30", 120, 60, True),
        (None, 120, 60, True),
        (30.0, 120, 60, True),
        (True, 120, 60, True),
        (2**63, 120, 60, True),
        (10**6, 120, 10**6, False),  # more than was reserved: booked as claimed
        (50, 10**6, 50, False),  # the limit is at least reached, whatever the text
        (1, 10**6, 100, True),
    ],
)
def test_a_usage_is_a_claim(claim: object, n_bytes: int, booked: int, replaced: bool) -> None:
    assert believed(claim, n_bytes, most=100) == (booked, replaced)


def both(change: Callable[[int], object]) -> Callable[[dict[str, int]], Any]:
    return lambda u: {k: change(v) for k, v in u.items() if k != "total_tokens"}


LIES: dict[str, Callable[[dict[str, int]], Any]] = {
    "honest": both(lambda n: n),
    "silent": lambda _: None,
    "half": lambda u: {"prompt_tokens": u["prompt_tokens"]},
    "zero": both(lambda _: 0),
    "negative": both(lambda n: -n),
    "text": both(str),
    "huge": both(lambda _: 2**63),
    "a list": lambda _: [1, 2],
    "over-reporting": both(lambda n: n * 50),
    "a tenth": both(lambda n: n // 10),
}


@pytest.mark.parametrize("kind", LIES)
def test_the_cap_holds_against_an_honest_count_whatever_the_endpoint_claims(tmp_path: Path, kind: str) -> None:
    price = Price(20.0, 60.0)
    with serve(stub("The answer is four, since two and two are four. " * 3), price=price, says=LIES[kind]) as server:
        options = {"price": list(price), "first_backoff_s": 0.001}
        chat = open_chat(ModelSettings(model=f"m-{kind}", base_url=server.base_url, concurrency=4, options=options))
        budget = Budget(tmp_path / "book.sqlite", 0.25)
        with stage_under_way("teach", budget) as calls, pytest.raises(CapReached) as stopped:
            list(chat(ask(i) for i in itertools.count()))
        spent = calls.spent_usd
        doubts = budget.doubts()
        budget.close()
    assert server.billed_usd <= 0.25
    said = str(stopped.value)
    assert "`budget.cap_usd` is $0.25," in said
    assert "is spent or held for calls under way" in said
    assert "the next call may cost $0.0" in said
    if kind in ("honest", "half"):
        assert spent >= 0.85 * 0.25
        assert doubts == {}
    elif kind == "over-reporting":
        assert doubts["teach"][1] > 0
    elif kind not in ("silent", "a list"):
        assert doubts["teach"][0] > 10


def test_what_was_thought_is_booked_where_the_sum_alone_counts_it(tmp_path: Path) -> None:
    """As Gemini's compatible endpoint and Grok count."""
    thought, price = 900, Price(0.3, 2.5)

    def says(usage: dict[str, int]) -> dict[str, int]:
        return usage | {"total_tokens": usage["total_tokens"] + thought}

    with serve(stub("2 + 2 = 4, since two and two are four.\n#### 4"), says=says) as server:
        chat = open_chat(ModelSettings(model="m", base_url=server.base_url, options={"price": list(price)}))
        budget = Budget(tmp_path / "book.sqlite", 0.05)
        with stage_under_way("teach", budget) as calls, pytest.raises(CapReached):
            list(chat(ask(i, 1024) for i in itertools.count()))
        n, prompt, completion = (server.stats[name] for name in ("completions", "prompt_tokens", "completion_tokens"))
        assert calls.spent_usd == pytest.approx((prompt * price[0] + (completion + n * thought) * price[1]) / 1e6)
        budget.close()


@pytest.mark.parametrize("beside", [{"usage": {"prompt_tokens": 50}}, {"choices": [{"message": {"content": "4"}}]}, {}])
def test_a_completion_that_was_made_is_booked_though_an_error_stands_beside_it(
    tmp_path: Path, beside: dict[str, Any]
) -> None:
    class Torn(MisbehavingServer):
        def __call__(self, incoming: Incoming) -> HttpAnswer:
            return HttpAnswer(body=orjson.dumps({"error": {"message": "upstream hiccup", "code": 502}, **beside}))

    with serve(stub(), kind=Torn) as server:
        options = {"price": [1, 8], "first_backoff_s": 0.001}
        chat = open_chat(ModelSettings(model="m", base_url=server.base_url, max_tries=2, options=options))
        budget = Budget(tmp_path / "book.sqlite", 1.0)
        with stage_under_way("teach", budget) as calls:
            (reply,) = chat([ask(1)])
            assert ("upstream hiccup" in str(reply.error), calls.spent_usd > 0) == (True, bool(beside))
        budget.close()


@pytest.mark.parametrize("column", ["spent", "granted", "stage"])
def test_a_damaged_book_is_never_spent_on(tmp_path: Path, column: str) -> None:
    budget = Budget(tmp_path / "book.sqlite", 1.0)
    lease = budget.meter("teach", Price(1000, 1000))
    held = lease.reserve(ask(1))
    assert held is not None
    lease.settle(held, Usage(17, 10), sent=True)
    budget.close()
    with sqlite3.connect(tmp_path / "book.sqlite") as db:
        db.execute(f"UPDATE leases SET {column} = {column} || '0'")
    damaged = Budget(tmp_path / "book.sqlite", 1.0)
    with pytest.raises(DataError, match=r"budget.*is damaged.*--new-book"):
        damaged.meter("teach", Price(1, 1)).reserve(ask(1))
    damaged._db.close()


def test_a_book_of_version_1_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "book.sqlite") as db:
        db.execute(
            "CREATE TABLE leases (id INTEGER PRIMARY KEY, stage TEXT NOT NULL, holder TEXT NOT NULL, granted INTEGER NOT NULL, "
            "spent INTEGER NOT NULL, calls INTEGER NOT NULL, open INTEGER NOT NULL)"
        )
        db.execute("INSERT INTO leases VALUES (1, 'ask', 'x', 5, 250000000, 9, 0)")
        db.execute("PRAGMA user_version=1")
    budget = Budget(tmp_path / "book.sqlite", 1.0)
    assert budget.spent_usd() == budget.spent_usd("ask") == 0.25
    budget.close()


@pytest.mark.parametrize(
    ("host", "domain", "within"),
    [
        ("openai.com", "openai.com", True),
        ("api.openai.com", "openai.com", True),
        ("evilopenai.com", "openai.com", False),
        ("openai.com.evil.example", "openai.com", False),
        ("x.localhost", "localhost", True),
        ("notlocalhost", "localhost", False),
    ],
)
def test_hosts_are_compared_by_whole_labels(host: str, domain: str, within: bool) -> None:
    assert belongs(host, domain) is within


@pytest.mark.parametrize(
    ("host", "how"),
    [
        ("localhost", "loopback"),
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("gpu-box", "private"),
        ("10.0.0.7", "private"),
        ("192.168.1.2", "private"),
        ("fe80::1", "private"),
        ("box.local", "private"),
        ("8.8.8.8", "public"),
        ("134744072", "public"),
        ("0x08080808", "public"),
        ("010.8.8.8", "public"),
        ("::ffff:8.8.8.8", "public"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.7", "private"),
        ("127.1", "public"),
        ("api.example.com", "public"),
    ],
)
def test_how_far_a_host_is(host: str, how: str) -> None:
    assert reach(host) == how


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://API.openai.com./v1", "api.openai.com"),
        ("http://api\u3002example\uff0ecom/v1", "api.example.com"),
        ("http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/v1", "localhost"),
        ("http://[::1]:80/", "::1"),
        ("x", ""),
    ],
)
def test_a_host_is_read_as_it_is_looked_up(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("url", ["https://evilopenai.com/v1", "https://openai.com.evil.example/v1"])
def test_a_look_alike_has_no_price(url: str) -> None:
    with pytest.raises(RecipeError, match="is not known"):
        price_of(ModelSettings(model="gpt-4o", base_url=url))


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("gpt-4o", (2.5, 10)),
        ("gpt-4o-2024-05-13", (5, 15)),
        ("gpt-4o-2024-08-06", (2.5, 10)),
        ("gpt-3.5-turbo-0125", (0.5, 1.5)),
        ("gpt-3.5-turbo-1106", (1, 2)),
        ("gpt-3.5-turbo-0613", (1.5, 2)),
    ],
)
def test_a_dated_model_has_the_price_of_its_date(name: str, price: tuple[float, float]) -> None:
    assert price_of(ModelSettings(model=name)) == price
    assert price_of(ModelSettings(model=name), "openai_batch") == (price[0] / 2, price[1] / 2)


def test_an_endpoint_on_this_machine_is_booked_as_free_and_that_is_said_once(caplog) -> None:
    for _ in range(3):
        assert price_of(ModelSettings(model="said-once", base_url="http://127.0.0.1:8000/v1")) == (0, 0)
    assert [r.message for r in caplog.records if "said-once" in r.message] == [
        "model `said-once` at 127.0.0.1 has no `options.price`: what it costs is booked as nothing"
    ]
    assert is_unpriced(ModelSettings(model="m", base_url="http://localhost:1/v1"))
    assert not is_unpriced(ModelSettings(model="m", base_url="http://localhost:1/v1", options={"price": [0, 0]}))
    assert not is_unpriced(ModelSettings(model="m", base_url="https://api.openai.com/v1"))
    assert not is_unpriced(ModelSettings(backend="textbook"))
