"""The wire: one reply a request whatever the endpoint does, and clear words where no retry helps."""

import asyncio
import gc
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from socket import socket
from typing import Any

import orjson
import pytest

from orcamath.backends import openai_compatible
from orcamath.backends.openai_compatible import OpenAICompatible, fingerprint_of, open_chat
from orcamath.backends.wire_pace import Bucket, Pace
from orcamath.backends.wire_protocol import (
    Fault,
    body_of,
    fault_of,
    is_refusal_of_content,
    parse_reply,
    retry_after,
    split_reasoning,
)
from orcamath.backends.wire_quirks import Quirks
from orcamath.errors import RecipeError, TeacherRefused, WireDown
from orcamath.ports import Message, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.store.budget import Budget
from orcamath.store.under_way import stage_under_way
from orcamath.testing import Call, Faults, MisbehavingServer, serve, stub
from orcamath.testing.http import HttpAnswer, Incoming
from pace import within

QUICK: dict[str, Any] = {"first_backoff_s": 0.002, "pause_s": 0.002}


def ask(text: str, draw: int = 0, **sampling: Any) -> Request:
    return Request((Message("system", "Task: solver"), Message("user", text)), sampling=Sampling(**sampling), draw=draw)


def chat(base_url: str, **settings: Any) -> OpenAICompatible:
    options = {**QUICK, **settings.pop("options", {})}
    return open_chat(
        ModelSettings(
            model="m", base_url=base_url, options=options, **{"timeout_s": 0.5, "concurrency": 16, **settings}
        )
    )


def echo(call: Call) -> str:
    return f"echo {call.messages[-1].content if call.messages else call.token_ids}"


def test_every_request_gets_its_own_reply() -> None:
    with serve(echo) as server:
        model = chat(server.base_url)
        requests = [ask(f"question {i}") for i in range(50)]
        replies = {r.key: r for r in model(requests)}
    for i, request in enumerate(requests):
        reply = replies[request.key(model.fingerprint)]
        assert reply.text == f"echo question {i}"
        assert reply.finish_reason == "stop"
        assert reply.usage.prompt_tokens > 0
        assert reply.usage.completion_tokens > 0


def test_a_prompt_of_ids_goes_to_text_completions() -> None:
    with serve(echo) as server:
        (reply,) = chat(server.base_url)([Request(token_ids=(5, 7), sampling=Sampling(0.7, 0.95, 9))])
    assert reply.text == "echo (5, 7)"


def test_one_call_in_two_fails_on_the_wire_and_every_request_is_answered() -> None:
    with serve(echo, Faults(seed=3, max_per_key=5, retry_after_s=0.002).every_wire(0.5)) as server:
        model = chat(server.base_url, timeout_s=0.4, max_tries=12)
        replies = list(model(ask(f"question {i}") for i in range(60)))
    assert len(replies) == 60
    assert all(r.error is None and r.text.startswith("echo question") for r in replies)


def test_content_that_is_wrong_is_data_not_a_failure() -> None:
    with serve(stub("one two three four"), Faults().every_content(1.0)) as server:
        replies = list(chat(server.base_url)(ask(f"question {i}") for i in range(60)))
    assert all(r.error is None for r in replies)
    assert {r.finish_reason for r in replies} == {"stop", "length", "refused"}
    assert max(len(r.text) for r in replies) > 100_000


def test_a_call_that_never_comes_through_is_an_error_of_that_call() -> None:
    def mostly(call: Call) -> str:
        return "fine"

    # seed 1 at this rate: some keys fail twice in a row, most do not
    with serve(mostly, Faults(server_error=0.4, seed=1)) as server:
        replies = list(chat(server.base_url, max_tries=2)(ask(f"question {i}") for i in range(80)))
    failed = [r for r in replies if r.error]
    assert len(replies) == 80
    assert 0 < len(failed) < 40
    assert all("HTTP 50" in str(r.error) and "tried 2 times" in str(r.error) for r in failed)


def test_requests_are_pulled_at_most_a_window_ahead() -> None:
    pulled, answered = 0, 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for i in range(200):
            pulled += 1
            assert pulled - answered <= 17
            yield ask(f"question {i}")

    with serve(echo) as server:
        for _ in chat(server.base_url)(requests()):
            answered += 1
    assert pulled == answered == 200


def test_equal_requests_in_flight_are_sent_once() -> None:
    with serve(echo, Faults(latency_s=0.02)) as server:
        replies = list(chat(server.base_url)([ask("same", draw=0)] * 5 + [ask("same", draw=1)] * 5))  # greedy
        assert server.stats["calls"] == 1
    assert len(replies) == 10
    assert {r.text for r in replies} == {"echo same"}


def test_a_connection_closed_while_the_call_went_out_costs_no_try() -> None:
    with serve(echo, Faults(drop=1.0, max_per_key=1)) as server:
        replies = list(chat(server.base_url, max_tries=1)(ask(f"question {i}") for i in range(30)))
        assert server.stats["drop"] == 30
    assert [r.error for r in replies] == [None] * 30


def test_closing_the_iterator_cancels_what_is_under_way() -> None:
    with serve(echo, Faults(hang=0.5, seed=2)) as server:  # the first does not hang, which goes alone
        replies = chat(server.base_url, timeout_s=30, max_tries=1)(ask(f"question {i}") for i in range(40))
        while server.stats.get("hang", 0) < 3:
            next(replies)
        began = time.monotonic()
        replies.close()  # type: ignore[attr-defined]
        assert within(time.monotonic() - began, 2)  # a call that hangs is given up after 30 s


@pytest.mark.parametrize(
    ("server_options", "settings", "says"),
    [
        ({"key": "right"}, {}, "api_key_env"),
        ({"models": ("other",)}, {}, "`model`"),
    ],
)
def test_what_no_retry_can_mend_ends_the_run_with_the_fix(server_options, settings, says) -> None:
    with serve(echo, **server_options) as server:
        with pytest.raises(TeacherRefused, match=says):
            list(chat(server.base_url, **settings)(ask(f"question {i}") for i in range(100)))
        assert server.stats["calls"] <= 16


@pytest.mark.parametrize("somebody_else", [False, True])
def test_while_calls_are_under_way_the_collector_passes_by_what_was_there_before(somebody_else: bool) -> None:
    def frozen() -> Iterator[Request]:
        for request in [ask(f"question {i}") for i in range(3)]:
            counts.append(gc.get_freeze_count())
            yield request

    counts: list[int] = []
    gc.unfreeze()  # what the suite itself put by
    if somebody_else:
        gc.freeze()
    try:
        with serve(echo) as server:
            assert len(list(chat(server.base_url)(frozen()))) == 3
        assert min(counts) > 1000
        assert bool(gc.get_freeze_count()) == somebody_else
    finally:
        gc.freeze()


def test_inside_a_running_event_loop_it_works_as_well() -> None:
    """A notebook's cells run in one."""

    async def cell(url: str) -> list[str]:
        model = chat(url)
        first = next(model([ask("one")]))
        early = model(ask(f"question {i}") for i in range(100))
        next(early)
        early.close()  # type: ignore[attr-defined]
        return [first.text, *(r.text for r in model([ask("two")]))]

    with serve(echo) as server:
        assert asyncio.run(cell(server.base_url)) == ["echo one", "echo two"]
    with pytest.raises(WireDown):
        asyncio.run(cell("http://127.0.0.1:9/v1"))


def test_a_dead_endpoint_stops_the_run_resumable() -> None:
    with pytest.raises(WireDown, match="run again"):
        list(chat("http://127.0.0.1:9/v1")(ask(f"question {i}") for i in range(100)))


def test_an_endpoint_that_comes_back_is_probed_and_used_again() -> None:
    """The first 24 calls fail, then all is well: nothing is lost."""
    with serve(echo, Faults(server_error=1.0)) as server:
        original = server.faults
        lock = threading.Lock()

        def heal(call: Call) -> str:
            return echo(call)

        server.respond = heal
        handle = server._complete

        def failing(body: dict[str, Any], key: bytes) -> Any:
            with lock:
                if server.counts["calls"] > 24:
                    server.faults = Faults()
            return handle(body, key)

        server._complete = failing  # type: ignore[method-assign]
        assert original.server_error == 1.0
        replies = list(chat(server.base_url, max_tries=9, concurrency=4)(ask(f"question {i}") for i in range(40)))
    assert len(replies) == 40
    assert all(r.error is None for r in replies)


def test_a_model_that_refuses_parameters_is_asked_as_it_likes_with_one_warning(caplog) -> None:
    with serve(echo, refuses=("temperature", "max_tokens", "seed")) as server, caplog.at_level(logging.WARNING):
        replies = list(chat(server.base_url)(ask(f"question {i}", temperature=0.7) for i in range(30)))
    assert all(r.text.startswith("echo") for r in replies)
    warned = [r.getMessage() for r in caplog.records if r.name == "orcamath.wire"]
    assert sorted(warned) == sorted(set(warned))
    assert any("`temperature`" in w for w in warned)
    assert len(warned) == 2


def test_a_400_is_shown_verbatim() -> None:
    def refuse(call: Call) -> str:
        raise AssertionError

    with serve(refuse) as server:
        server._complete = lambda body, key: _bad("logprobs must be a unicorn")  # type: ignore[method-assign]
        with pytest.raises(TeacherRefused, match="logprobs must be a unicorn"):
            list(chat(server.base_url)(ask(f"question {i}") for i in range(10)))


def _bad(message: str) -> Any:
    from orcamath.testing.http import HttpAnswer

    return HttpAnswer(400, orjson.dumps({"error": {"message": message}}))


def test_a_key_is_in_no_reply_error_or_message(monkeypatch, caplog) -> None:
    canary = "sk-" + "canary-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", canary)
    with serve(echo, key="another") as server, pytest.raises(TeacherRefused) as caught:
        list(chat(server.base_url)([ask("a")]))
    assert canary not in str(caught.value)
    assert "***" in str(caught.value)
    monkeypatch.setenv("MY_KEY", canary)
    with serve(lambda _: f"your key is {canary}", key=canary) as server:
        model = chat(server.base_url, headers={"Authorization": "Bearer ${MY_KEY}"})
        (reply,) = model([ask("a")])
    assert canary not in reply.text
    assert canary not in model.fingerprint + caplog.text + model.settings.model_dump_json()


def test_the_default_key_goes_to_openai_and_this_machine_only(monkeypatch) -> None:
    from orcamath.backends.wire_keys import door_of

    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    settings = ModelSettings(model="m")
    assert "Authorization" in door_of(settings, "https://api.openai.com/v1").headers
    assert door_of(settings, "https://x.openai.azure.com/openai?api-version=1").headers == {"api-key": "sk-canary"}
    assert door_of(settings, "https://elsewhere.example/v1").headers == {}
    assert door_of(settings, "https://notopenai.com/v1").headers == {}
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(RecipeError, match="OPENAI_API_KEY"):
        door_of(settings, "https://api.openai.com/v1")


def test_a_key_written_into_the_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match="environment variable"):
        open_chat(ModelSettings(model="m", headers={"X-Api-Key": "sk-written-out"}))


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("plain", "plain", None),
        ("<think>hm</think>\n\nfour", "four", "hm"),
        ("\n<think>cut off", "", "cut off"),
        ("a <think> inside </think>", "a <think> inside </think>", None),
    ],
)
def test_thoughts_are_kept_apart_from_the_answer(text, answer, thought) -> None:
    assert split_reasoning(text) == (answer, thought)


@pytest.mark.parametrize(
    ("choice", "text", "finish", "reasoning"),
    [
        ({"message": {"content": "a"}, "finish_reason": "stop"}, "a", "stop", None),
        ({"message": {"content": "a", "reasoning_content": "r"}, "finish_reason": "length"}, "a", "length", "r"),
        ({"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}, "no", "refused", None),
        ({"message": {"content": None}, "finish_reason": "content_filter"}, "", "refused", None),
        ({"message": {"content": [{"type": "text", "text": "ab"}]}, "finish_reason": "eos"}, "ab", "stop", None),
        ({"message": {"content": "a"}, "finish_reason": "model_length"}, "a", "length", None),  # Mistral
        ({"message": {"content": "a"}, "finish_reason": "MAX_TOKENS"}, "a", "length", None),  # Gemini's own words
        ({"message": {"content": "a"}, "finish_reason": "SAFETY"}, "a", "refused", None),
        ({"message": {"content": "a"}, "finish_reason": "content_filter: RECITATION"}, "a", "refused", None),
        ({"text": "b", "finish_reason": "length", "token_ids": [1, 2]}, "b", "length", None),
    ],
)
def test_completions_in_all_their_shapes(choice, text, finish, reasoning) -> None:
    reply, billed = parse_reply(b"k", orjson.dumps({"choices": [choice]}))
    assert (reply.text, reply.finish_reason, reply.reasoning) == (text, finish, reasoning)
    assert billed is None


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": "half of"}, "finish_reason": "error"},
        {"message": {"content": "half of"}, "finish_reason": "stop", "error": {"code": 502, "message": "upstream"}},
        {"message": {"content": ""}, "finish_reason": "abort"},
        {"message": {"content": "half of"}, "finish_reason": "insufficient_system_resource"},  # DeepSeek
        {"message": {"content": "half of"}, "finish_reason": "timeout"},
    ],
)
def test_what_the_server_broke_off_is_no_answer(choice) -> None:
    """A gateway may say so within a 200; it would be remembered for good."""
    with pytest.raises(Fault, match="broken off") as said:
        parse_reply(b"k", orjson.dumps({"choices": [choice]}))
    assert (said.value.kind, said.value.billed) == ("wire", True)


def test_calls_under_way_are_waited_for_when_whoever_makes_the_requests_fails() -> None:
    def requests() -> Iterator[Request]:
        yield from (ask(f"question {i}") for i in range(12))
        raise ValueError("the agent's own")

    came = []
    with serve(echo, Faults(latency_s=0.1)) as server:
        with pytest.raises(ValueError, match="agent's own"):
            came.extend(reply.text for reply in chat(server.base_url, concurrency=3, timeout_s=10)(requests()))
        assert len(came) == server.stats["calls"]
    assert len(came) >= 8  # what was still waiting for its turn is not sent any more


def test_a_host_that_does_not_take_the_connection_costs_nothing(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(openai_compatible, "_CONNECT_S", 0.2)
    budget = Budget(tmp_path / "money.sqlite", 1.0)
    with ExitStack() as held:
        full = held.enter_context(socket())  # its queue is full, so that nobody else gets in
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            waiting = held.enter_context(socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        model = chat(url, max_tries=1, timeout_s=30, options={**QUICK, "price": [100, 100]})
        with stage_under_way("teach", budget):
            (reply,) = model([ask("question")])
    assert "cannot connect" in str(reply.error)
    assert budget.spent_usd() == 0
    budget.close()


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (429, {}, "", "busy"),
        (429, {}, '{"error": {"code": "insufficient_quota"}}', "refused"),
        (503, {"Retry-After": "3"}, "", "busy"),
        (503, {}, "", "wire"),
        (500, {}, "", "wire"),
        (401, {}, "", "refused"),
        (404, {}, "", "refused"),
        (400, {}, "temperature", "item"),
        (400, {}, "The model `x` does not exist", "refused"),
        (402, {}, '{"error": {"message": "Insufficient credits. Add more", "code": 402}}', "refused"),  # OpenRouter
        (400, {}, "Your credit balance is too low to access the Anthropic API.", "refused"),
        (400, {}, "API key expired. Please renew the API key.", "refused"),  # Gemini
        (403, {}, "The caller does not have permission", "refused"),
        (403, {}, "This team is blocked because its traffic violates usage guidelines", "refused"),
        (403, {}, "You do not have permission to use a custom content_filter", "refused"),
        (403, {}, "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO", "item"),  # xAI
    ],
)
def test_what_a_status_means(status, headers, body, kind) -> None:
    assert fault_of(status, headers, body.encode()).kind == kind


SPENT = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("headers", "more", "kind", "wait"),
    [
        ({}, "\nPlease retry in 47.5s.", "busy", 47.5),
        ({}, '", "details": [{"retryDelay": "47s"}]', "busy", 47),
        ({"Retry-After": "3"}, "\nPlease retry in 47s.", "busy", 3),
        ({}, '\nPlease retry in 47s.", "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier', "refused", None),
        ({}, '\nPlease retry in 47s.", "code": "insufficient_quota', "refused", None),
        ({}, "", "refused", None),
    ],
)
def test_a_limit_a_minute_is_no_credit_used_up_whatever_it_is_called(headers, more, kind, wait) -> None:
    """As Gemini says both."""
    fault = fault_of(429, headers, f'{{"error": {{"message": "{SPENT}{more}"}}}}'.encode())
    assert (fault.kind, fault.retry_after) == (kind, wait)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "Your chosen model requires moderation and your input was flagged"),  # OpenRouter
        (403, "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"),  # xAI
        (400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy."),  # OpenAI
        (400, "Invalid prompt: we've limited access to this content for safety reasons."),
        (400, '", "code": "data_inspection_failed'),  # DashScope
        (422, "blocked by content_filter"),
    ],
)
def test_a_providers_verdict_on_a_text_is_of_that_text_only(status: int, message: str) -> None:
    assert is_refusal_of_content(fault_of(status, {}, message.encode()))


class Echoing(MisbehavingServer):
    """Takes no text of more than 70 characters, and repeats it, as FastAPI does."""

    status = 422

    def __call__(self, incoming: Incoming) -> HttpAnswer:
        text = orjson.loads(incoming.body)["messages"][-1]["content"]
        said = {"detail": [{"msg": "String should have at most 70 characters", "input": text}]}
        if len(text) <= 70:
            return super().__call__(incoming)
        wrapped = {"error": {"message": json.dumps(text)[1:-1], "code": 422}}
        return HttpAnswer(self.status, orjson.dumps(said if self.status == 422 else wrapped))


@pytest.mark.parametrize("status", [422, 200])
@pytest.mark.parametrize(
    "text",
    [
        "The temperature was unknown at noon. It rose by 5 degrees to 20. What was it at noon?",
        "John has an insufficient balance of 5 € and “pays in”\n20 €. How much has he then? " * 2,
        "A spaceship's maximum context length is 9 m. What is its maximum context length in cm?",
    ],
)
def test_words_of_a_prompt_that_an_error_repeats_say_nothing_of_the_error(text: str, status: int) -> None:
    with serve(echo, kind=Echoing) as server:
        server.status = status
        model = chat(server.base_url, max_tries=1)
        replies = {r.key: r for r in model([ask("before"), ask(text, temperature=0.7), ask("after")])}
    reply = replies[ask(text, temperature=0.7).key(model.fingerprint)]
    assert (len(replies), reply.finish_reason, text in str(reply.error)) == (3, "stop", False)
    assert "(the prompt)" in str(reply.error)
    assert model._quirks.dropped == set()


def test_retry_after_in_its_three_spellings() -> None:
    assert retry_after({"Retry-After": "1.5"}) == 1.5
    assert retry_after({"retry-after-ms": "250"}) == 0.25
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


def test_the_body_says_what_the_recipe_says() -> None:
    request = ask("q", draw=2, temperature=0.7, top_p=0.95, max_tokens=50, stop=("X",))
    body = body_of(request, "m", {"service_tier": "flex"})
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Task: solver"}, {"role": "user", "content": "q"}],
        "temperature": 0.7,
        "top_p": 0.95,
        "max_tokens": 50,
        "stop": ["X"],
        "service_tier": "flex",
        "seed": request.seed() & 0x7FFF_FFFF,
    }
    assert "seed" not in body_of(ask("q"), "m", {})


def test_where_a_model_is_reached_is_not_who_it_is() -> None:
    here = ModelSettings(model="m", revision="1")
    assert fingerprint_of(here) == "m@1"
    assert fingerprint_of(here.model_copy(update={"base_url": "http://a/v1", "concurrency": 3})) == "m@1"
    assert fingerprint_of(here.model_copy(update={"body": {"x": 1}})) != "m@1"


def test_throttling_cuts_once_for_all_calls_sent_before_and_answers_bring_it_back() -> None:
    pace = Pace(100, requests_per_minute=None, tokens_per_minute=None, pause_s=1)
    pace.start()
    for _ in range(200):
        pace.answered(0.0, 1.0)
    assert pace.limit == 100  # slow start: as many more as were answered
    for _ in range(50):
        pace.throttled(sent_at=1.0, now=2.0, retry_after=None)
    assert pace.limit == pytest.approx(70)
    pace.throttled(sent_at=3.0, now=4.0, retry_after=None)
    assert pace.limit == pytest.approx(49)
    for _ in range(49):
        pace.answered(4.0, 5.0)
    assert pace.limit == pytest.approx(50, abs=0.1)


@pytest.mark.parametrize(
    ("quickest_s", "took_s", "grows"),
    [
        (2.0, 3.0, True),  # as ever
        (2.0, 29.0, True),  # it waited for its turn, but is far from the timeout
        (2.0, 35.0, None),  # more than a quarter of the timeout: no more at once
        (2.0, 61.0, False),  # more than half
        (50.0, 70.0, True),  # slow by itself, not because it waited
    ],
)
def test_a_server_that_answers_later_and_later_is_asked_less(
    quickest_s: float, took_s: float, grows: bool | None
) -> None:
    pace = Pace(64, requests_per_minute=None, tokens_per_minute=None, pause_s=1, timeout_s=120)
    pace.start()
    pace.answered(0.0, quickest_s)
    before = pace.limit
    pace.answered(100.0, 100.0 + took_s)
    assert (pace.limit > before, pace.limit < before) == {
        True: (True, False),
        None: (False, False),
        False: (False, True),
    }[grows]


def test_a_timeout_cuts_the_limit() -> None:
    pace = Pace(64, requests_per_minute=None, tokens_per_minute=None, pause_s=1, timeout_s=10)
    pace.start()
    before = pace.limit
    pace.failed(0.0, 3.0, "connection refused")
    assert pace.limit == before
    pace.failed(0.0, 10.0, "no answer within 10 s")
    assert pace.limit == pytest.approx(before * 0.7)


def test_two_slots_and_sixty_four_calls_lose_none() -> None:
    slots = threading.Semaphore(2)

    def respond(_: Call) -> str:
        with slots:
            time.sleep(0.08)
        return "#### 4"

    with serve(respond, threads=64) as server:  # 64 at once would take 2.6 s: half of them time out, and again
        model = chat(server.base_url, concurrency=64, timeout_s=1.3, max_tries=3)
        replies = list(model([ask(str(i)) for i in range(64)]))
    assert [r.error for r in replies if r.error is not None] == []
    # half of them would be asked again at least, 32; a machine that stalls for a second costs some too
    assert server.stats["calls"] <= 64 + 20


def test_what_a_server_leaves_of_a_stop_string_is_cut_off() -> None:
    with serve(stub("seven, eight\nQ: next")) as server:
        (reply,) = chat(server.base_url)([ask("count", stop=("\nQ:",))])
    assert reply.text == "seven, eight"


def test_the_first_call_goes_alone() -> None:
    with serve(stub(), key="right") as server:
        model = chat(server.base_url, concurrency=64)
        with pytest.raises(TeacherRefused, match="Check the key"):
            list(model([ask(str(i)) for i in range(64)]))
        assert server.stats["calls"] == 1


REFUSALS = {
    "llama.cpp": (400, "request (6031 tokens) exceeds the available context size (1024 tokens), try increasing it"),
    "litellm": (400, "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError"),
    "vLLM": (400, "This model's maximum context length is 2048 tokens. However, you requested 6031 tokens"),
    # vllm-project/vllm, vllm/renderers/params.py
    "vLLM, later": (
        400,
        "You passed 1873 input tokens … However, the model's context length is only 1024 tokens, resulting",
    ),
    "vLLM, counted": (
        400,
        "This model's maximum context length is 2048 tokens. However, you requested 3100 tokens (3052 in the messages, 48 in "
        "the completion).",
    ),
    # sgl-project/sglang#8096, Together says the same; sgl-project/sglang#4048
    "SGLang": (400, "The input (85050 tokens) is longer than the model's context length (32768 tokens)."),
    "SGLang, as it may": (400, "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens)."),
    # huggingface/text-generation-inference, router/src/validation.rs
    "TGI, prompt": (422, "Input validation error: `inputs` must have less than 1024 tokens. Given: 1872"),
    # langchain-ai/langchain#25671
    "DeepInfra": (500, "Requested input length 99009 exceeds maximum input length 8192"),
    # lmstudio-ai/lmstudio-bug-tracker#546, Gitlawb/openclaude#353
    "LM Studio": (400, "However, the model is loaded with context length of only 32768 tokens, which is not enough."),
    "LM Studio, later": (
        400,
        "The number of tokens to keep from the initial prompt is greater than the context length",
    ),
    # google-gemini/gemini-cli#4231
    "Gemini": (400, "The input token count (3475108) exceeds the maximum number of tokens allowed (1048576)."),
}


@pytest.mark.parametrize("server", REFUSALS)
def test_a_prompt_that_is_too_long_is_a_failed_call_on_every_server(server: str) -> None:
    status, message = REFUSALS[server]
    payload = orjson.dumps({"error": {"message": message}})
    assert is_refusal_of_content(fault_of(status, {}, payload))
    assert not Quirks("m").learn({"max_tokens", "temperature"}, payload)


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 100000",
        "`max_new_tokens` must be <= 4096",
        "`inputs` tokens + `max_new_tokens` must be <= 1512. Given: 14 `inputs` tokens and 9000 `max_new_tokens`",
        "input length and `max_tokens` exceed context limit: 9 + 64000 > 20000, decrease input length or `max_tokens`",
        # vLLM and OpenAI, vLLM later (two), SGLang
        "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens (52 in the messages, 2048 in "
        "the completion).",
        "'max_tokens' or 'max_completion_tokens' is too large: 2048. This model's maximum context length is 2048 tokens and "
        "your request has 52 input tokens (2048 > 2048 - 52).",
        "You passed 52 input tokens and requested 2048 output tokens. However, the model's context length is only 2048 "
        "tokens, resulting in a maximum input length of 0 tokens.",
        "Requested token count exceeds the model's maximum context length of 2048 tokens. You requested a total of 2100 "
        "tokens: 52 tokens from the input messages and 2048 tokens for the completion.",
        "field `user` exceeds the maximum allowed length",
        "out of memory",
    ],
)
def test_a_limit_that_every_call_passes_is_not_a_prompt_that_is_too_long(message: str) -> None:
    payload = orjson.dumps({"error": {"message": message}})
    assert not any(is_refusal_of_content(fault_of(status, {}, payload)) for status in (400, 422, 500))


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (400, "/chat/completions: Invalid model name passed in model=zzz. Call `/v1/models` to view", "Check `model`"),
        (400, "Server is pinned to 'm'; requested 'zzz'.", "Check `model`"),
        (500, "OpenAIException - Missing credentials. Please pass an `api_key`, or set the", "Check the key"),
        (500, "litellm.AuthenticationError: Incorrect API key provided", "Check the key"),
    ],
)
def test_what_gateways_say_of_a_wrong_model_or_key_is_a_refusal(status: int, message: str, says: str) -> None:
    fault = fault_of(status, {}, orjson.dumps({"error": {"message": message}}))
    assert fault.kind == "refused"
    assert says in str(fault)


class TooSmall(MisbehavingServer):
    """Has no room for what is asked, as vLLM says it."""

    def __call__(self, incoming: Incoming) -> HttpAnswer:
        said = (
            "'max_tokens' or 'max_completion_tokens' is too large: 2048. This model's maximum context length is 2048 tokens "
            "and your request has 52 input tokens (2048 > 2048 - 52)."
        )
        return HttpAnswer(400, orjson.dumps({"error": {"message": said, "code": 400}}))


def test_a_limit_that_leaves_no_room_for_a_prompt_is_told_and_not_remembered() -> None:
    with (
        serve(echo, kind=TooSmall) as server,
        pytest.raises(TeacherRefused, match=r"takes no request of ours.*'max_tokens'.* is too large: 2048"),
    ):
        list(chat(server.base_url)(ask(f"question {i}", max_tokens=2048) for i in range(20)))


def test_a_field_that_a_server_does_not_know_is_learnt_from_its_422() -> None:
    quirks = Quirks("m")
    sent = {"model": "m", "prompt": [1], "return_token_ids": True, "top_k": -1, "min_p": 0.0, "mine": 1}
    payload = b"{\"detail\": \"Unexpected fields in the request: {'min_p', 'return_token_ids', 'mine'}\"}"
    while quirks.learn(quirks.apply(dict(sent)), payload):
        pass
    # what is not ours is the recipe's to take away
    assert quirks.apply(dict(sent)) == {"model": "m", "prompt": [1], "top_k": -1, "mine": 1}


def test_a_limit_a_minute_spaces_calls_after_a_short_burst() -> None:
    bucket = Bucket(per_minute=60)
    waits = [bucket.wait(1, now=100.0) for _ in range(8)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 1, 2, 3])


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(RecipeError, match="requests_per_minute"):
        open_chat(ModelSettings(model="m", options={"request_per_minute": 3}))
