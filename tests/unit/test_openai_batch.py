"""Batches: nothing is paid twice through crashes, nothing is lost when they expire, and a run can switch to them."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from orcamath.backends import batch_api, openai_batch, openai_compatible
from orcamath.backends.batch_files import Desk
from orcamath.backends.wire_quirks import Quirks
from orcamath.errors import BatchWaiting, CapReached, RecipeError, TeacherRefused, WireDown
from orcamath.ports import Message, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.store.budget import Budget
from orcamath.store.ledger import Ledger, Remembered
from orcamath.store.under_way import stage_under_way
from orcamath.testing import Call, serve
from orcamath.testing.batches import BatchDesk
from orcamath.testing.http import HttpAnswer, Incoming


def ask(i: int) -> Request:
    return Request((Message("user", f"question {i}"),), sampling=Sampling(0.7, 0.9, 50))


def echo(call: Call) -> str:
    return f"echo {call.messages[-1].content}"


def batch(base_url: str, folder: Path, **options: Any) -> openai_batch.OpenAIBatch:
    given = {"poll_s": 0.001, "first_backoff_s": 0.001, "folder": str(folder), **options}
    return openai_batch.open_chat(ModelSettings(model="m", base_url=base_url, options=given))


def test_every_request_is_answered_in_batches_of_the_allowed_size(tmp_path: Path) -> None:
    with serve(echo, batches=BatchDesk(polls=3)) as server:
        replies = {r.key: r.text for r in batch(server.base_url, tmp_path, max_lines=4)(ask(i) for i in range(10))}
        assert len(server.batches.batches) == 3
    assert replies == {ask(i).key("m@-"): f"echo question {i}" for i in range(10)}


def test_batches_are_handed_in_from_inside_a_notebooks_loop(tmp_path: Path) -> None:
    async def cell(url: str) -> list[str]:
        return [reply.text for reply in batch(url, tmp_path)([ask(1)])]

    with serve(echo) as server:
        assert asyncio.run(cell(server.base_url)) == ["echo question 1"]


def test_an_address_may_end_in_a_query(tmp_path: Path) -> None:
    with serve(echo) as server:
        (reply,) = batch(f"{server.base_url}?api-version=1", tmp_path)([ask(1)])
    assert reply.text == "echo question 1"


def test_a_fresh_batch_does_not_read_the_list_of_all_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_api.BatchAPI, "found", None)
    with serve(echo) as server:
        assert len(list(batch(server.base_url, tmp_path)(ask(i) for i in range(3)))) == 3


def test_after_the_last_try_the_run_ends_without_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    settings = ModelSettings(
        model="m",
        base_url="http://127.0.0.1:9/v1",
        max_tries=3,
        options={"folder": str(tmp_path), "first_backoff_s": 0.001},
    )
    with pytest.raises(WireDown):
        list(openai_batch.open_chat(settings)([ask(1)]))
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("option", "value"), [("poll_s", "soon"), ("max_lines", 0), ("detach", "maybe"), ("first_backoff_s", -1)]
)
def test_an_option_that_cannot_be_is_refused_with_its_value(tmp_path: Path, option: str, value: object) -> None:
    with pytest.raises(RecipeError, match=rf"option `{option}` of backend `openai_batch` is {value!r}"):
        batch("http://127.0.0.1:9/v1", tmp_path, **{option: value})


def test_keys_are_those_of_the_plain_wire_so_a_run_can_switch(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with serve(echo) as server:
        plain = openai_compatible.open_chat(ModelSettings(model="m", base_url=server.base_url))
        Remembered(plain, ledger).fill(ask(i) for i in range(5))
        Remembered(batch(server.base_url, tmp_path / "b"), ledger).fill(ask(i) for i in range(8))
        assert server.stats["completions"] == 8


def test_detached_the_run_ends_waiting_and_the_next_one_collects(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with serve(echo, batches=BatchDesk(polls=2)) as server:
        model = Remembered(batch(server.base_url, tmp_path / "b", detach=True), ledger)
        with pytest.raises(BatchWaiting, match="Run the same command again"):
            model.fill(ask(i) for i in range(6))
        assert BatchWaiting.exit_code == 4
        again = Remembered(batch(server.base_url, tmp_path / "b", detach=True), ledger)
        assert again.fill(ask(i) for i in range(6)) == []
        assert server.stats["completions"] == 6
        assert len(server.batches.batches) == 1


@pytest.mark.parametrize("crash_after", ["intent", "upload", "download"])
def test_after_a_crash_a_batch_is_found_again_not_paid_again(tmp_path: Path, crash_after: str) -> None:
    with serve(echo) as server:
        model = batch(server.base_url, tmp_path)
        requests = [ask(i) for i in range(5)]
        if crash_after == "intent":
            keys = [r.key("m@-").hex() for r in requests]
            model._desk.intend([model._line(k, r) for k, r in zip(keys, requests, strict=True)], keys)
        else:
            replies = model(requests)
            next(replies)
            replies.close()
            if crash_after == "upload":  # made, but the process died before it wrote that down
                (intent,) = model._desk.intents()
                for path in model._desk.folder.glob("*.out.jsonl"):
                    path.unlink()
                intent.batch_id, intent.status = None, "intended"
                model._desk.save(intent)
        found = list(batch(server.base_url, tmp_path)(requests))
        assert sorted(r.text for r in found) == [f"echo question {i}" for i in range(5)]
        assert server.stats["completions"] == 5
        assert len(server.batches.batches) == 1


class SlowDesk(BatchDesk):
    """Takes its time over whatever it is given."""

    def handle(self, incoming: Incoming, answer: Callable[[dict[str, Any]], object]) -> HttpAnswer | None:
        answered = super().handle(incoming, answer)
        return answered if answered is None or incoming.method != "POST" else answered._replace(after_s=0.4)


@pytest.mark.parametrize(("refuses", "n_batches"), [((), 1), (("max_tokens",), 2)])
def test_processes_at_one_desk_hand_in_each_call_once(tmp_path: Path, refuses: tuple[str, ...], n_batches: int) -> None:
    def answers(url: str) -> list[str]:
        return sorted(r.text for r in batch(url, tmp_path, poll_s=0.05)(ask(i) for i in range(5)))

    with serve(echo, batches=SlowDesk(polls=3, refuses=refuses)) as server, ThreadPoolExecutor(2) as pool:
        first = pool.submit(answers, server.base_url)
        end = time.monotonic() + 20
        while not list(tmp_path.rglob("*.json")):  # written down, and not made yet
            assert time.monotonic() < end
        second = pool.submit(answers, server.base_url)
        assert first.result() == second.result() == [f"echo question {i}" for i in range(5)]
        assert (len(server.batches.batches), server.stats["completions"]) == (n_batches, 5)


def test_what_expired_is_an_error_and_only_that_is_handed_in_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    desk = BatchDesk(lost=2)
    with serve(echo, batches=desk) as server:
        failures = Remembered(batch(server.base_url, tmp_path / "b"), ledger).fill(ask(i) for i in range(6))
        assert len(failures) == 2
        assert "expired" in failures[0]
        desk.lost = 0
        assert Remembered(batch(server.base_url, tmp_path / "b"), ledger).fill(ask(i) for i in range(6)) == []
        assert server.stats["completions"] == 6


def test_a_cap_limits_what_is_handed_in(tmp_path: Path) -> None:
    with serve(echo, price=(1000.0, 1000.0)) as server:
        model = batch(server.base_url, tmp_path / "b", price=[1000, 1000])
        budget = Budget(tmp_path / "money.sqlite", 1.0)
        replies = []

        def run() -> None:
            replies.extend(model(ask(i) for i in range(1000)))

        with stage_under_way("teach", budget), pytest.raises(CapReached):
            run()
        assert len(replies) == 10  # ten times 9.2 cents may cost 92 cents
        assert server.billed_usd <= 1.0
        budget.close()


def test_prompts_of_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="openai_compatible"):
        list(batch("http://127.0.0.1:9/v1", tmp_path)([Request(token_ids=(1,))]))


def test_an_intent_is_whole_or_absent(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    intent = desk.intend([b"{}"], ["aa", "bb"])
    assert [i.keys for i in Desk(tmp_path).intents()] == [["aa", "bb"]]
    desk.keep_results(
        intent, b'{"custom_id": "aa", "response": {"status_code": 200}}\n{"custom_id": "bb", "error": {}}', "completed"
    )
    assert set(desk.results(intent)) == {"aa"}
    assert not desk.lines_of(intent).exists()


def test_a_batch_that_failed_says_why(tmp_path: Path) -> None:
    said = "Enqueued token limit reached for m. Limit: 90,000 enqueued tokens."
    with serve(echo, batches=BatchDesk(fails=said)) as server:
        replies = list(batch(server.base_url, tmp_path)(ask(i) for i in range(2)))
    assert [r.error for r in replies] == [f"batch batch-0 ended as `failed` without this call: {said}"] * 2


def test_a_refused_parameter_is_learnt_and_the_calls_are_sent_again(tmp_path: Path) -> None:
    desk = BatchDesk(refuses=("max_tokens", "top_p"))
    with serve(echo, batches=desk) as server:
        replies = list(batch(server.base_url, tmp_path)(ask(i) for i in range(3)))
        assert sorted(r.text for r in replies) == [f"echo question {i}" for i in range(3)]
        assert len(desk.batches) == 3
        assert [r.text for r in batch(server.base_url, tmp_path)([ask(1)])] == ["echo question 1"]
        assert len(desk.batches) == 3


def test_after_a_crash_a_refused_parameter_is_still_known(tmp_path: Path) -> None:
    desk = BatchDesk(refuses=("max_tokens",))
    with serve(echo, batches=desk) as server:
        model = batch(server.base_url, tmp_path)
        first = model._desk.intend(
            [model._line(ask(0).key(model.fingerprint).hex(), ask(0))], [ask(0).key("m@-").hex()]
        )
        model._recover(first)
        (reply,) = batch(server.base_url, tmp_path)([ask(0)])
        assert (reply.text, len(desk.batches)) == ("echo question 0", 2)


def test_a_parameter_that_is_refused_again_is_an_error_not_a_loop(tmp_path: Path) -> None:
    desk = BatchDesk(refuses=("messages",))
    with serve(echo, batches=desk) as server:
        (reply,) = batch(server.base_url, tmp_path)([ask(0)])
    assert (len(desk.batches), "not supported" in (reply.error or "")) == (1, True)


def test_of_a_pair_that_is_too_much_top_p_is_left_out() -> None:
    quirks = Quirks("m")
    said = b'{"error": {"message": "`temperature` and `top_p` cannot both be specified for this model. Please use only one."}}'
    assert quirks.learn({"temperature": 0.7, "top_p": 0.9}, said)
    assert quirks.apply({"temperature": 0.7, "top_p": 0.9}) == {"temperature": 0.7}


class LostAnswer(BatchDesk):
    """Makes a batch, and its answer does not come through."""

    def handle(self, incoming: Incoming, answer: Callable[[dict[str, Any]], object]) -> HttpAnswer | None:
        answered = super().handle(incoming, answer)
        first = incoming.method == "POST" and incoming.path.endswith("/batches") and len(self.batches) == 1
        return HttpAnswer(502, body=b"{}") if first else answered


def test_a_batch_whose_making_was_not_answered_is_looked_for_before_it_is_made_again(tmp_path: Path) -> None:
    with serve(echo, batches=LostAnswer()) as server:
        (reply,) = batch(server.base_url, tmp_path)([ask(0)])
        assert (reply.text, len(server.batches.batches), server.stats["completions"]) == ("echo question 0", 1, 1)


class NoVerdict(BatchDesk):
    """Answers calls by what settles none of them, until it is mended."""

    says: dict[str, Any] | None = None

    def _response(self, body: dict[str, Any], answer: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        return self.says or super()._response(body, answer)


@pytest.mark.parametrize(
    "says",
    [
        {
            "status_code": 400,
            "body": {"error": {"message": "Billing hard limit", "code": "billing_hard_limit_reached"}},
        },
        {"status_code": 200, "body": None},
        {"status_code": 200, "body": {"error": {"message": "upstream failed"}}},
    ],
    ids=["no money", "no body", "a wrapped failure"],
)
def test_what_is_no_verdict_is_handed_in_again_by_the_next_run(tmp_path: Path, says: dict[str, Any]) -> None:
    desk = NoVerdict()
    desk.says = says
    with serve(echo, batches=desk) as server:
        (reply,) = batch(server.base_url, tmp_path)([ask(0)])
        assert reply.error is not None
        desk.says = None
        (reply,) = batch(server.base_url, tmp_path)([ask(0)])
        assert (reply.text, len(desk.batches)) == ("echo question 0", 2)


class TooLarge(BatchDesk):
    """Takes no file of more than one line."""

    def handle(self, incoming: Incoming, answer: Callable[[dict[str, Any]], object]) -> HttpAnswer | None:
        if incoming.path.endswith("/files") and incoming.body.count(b"custom_id") > 1:
            return HttpAnswer(413, body=b'{"error": {"message": "file too large"}}')
        return super().handle(incoming, answer)


def test_a_file_that_was_not_taken_blocks_no_later_run(tmp_path: Path) -> None:
    with serve(echo, batches=TooLarge()) as server:
        budget = Budget(tmp_path / "money.sqlite", 1.0)
        for _ in range(2):
            with stage_under_way("teach", budget), pytest.raises(TeacherRefused, match="file too large"):
                list(batch(server.base_url, tmp_path, price=[1000, 1000])([ask(0), ask(1)]))
        assert budget.spent_usd() == 0.0
        budget.close()
        replies = list(batch(server.base_url, tmp_path, max_lines=1)([ask(0), ask(1)]))
        assert sorted(r.text for r in replies) == ["echo question 0", "echo question 1"]


class Shut(BatchDesk):
    """Takes no file, or makes no batch of it."""

    shut = "/files"

    def handle(self, incoming: Incoming, answer: Callable[[dict[str, Any]], object]) -> HttpAnswer | None:
        if incoming.method == "POST" and incoming.path.endswith(self.shut):
            return HttpAnswer(401, body=b'{"error": {"message": "Incorrect API key provided"}}')
        return super().handle(incoming, answer)


@pytest.mark.parametrize("shut", ["/files", "/batches"])
def test_an_upload_that_was_refused_costs_nothing(tmp_path: Path, shut: str) -> None:
    desk = Shut()
    desk.shut = shut
    with serve(echo, batches=desk) as server:
        budget = Budget(tmp_path / "money.sqlite", 5.0)
        with stage_under_way("teach", budget), pytest.raises(TeacherRefused, match="Check the key"):
            list(batch(server.base_url, tmp_path, price=[1000, 1000])(ask(i) for i in range(9)))
        assert budget.spent_usd() == 0.0
        budget.close()
        desk.shut = "/none"
        assert len(list(batch(server.base_url, tmp_path)(ask(i) for i in range(9)))) == 9
        assert len(desk.batches) == 1


class Forgetful(BatchDesk):
    """Has a batch, or its file of results, no more."""

    forgets = ""

    def handle(self, incoming: Incoming, answer: Callable[[dict[str, Any]], object]) -> HttpAnswer | None:
        if self.forgets and self.forgets in incoming.path:
            return HttpAnswer(404, body=b'{"error": {"message": "No such object"}}')
        return super().handle(incoming, answer)


@pytest.mark.parametrize(
    ("forgets", "what"), [("/batches/batch-0", "not batch"), ("batch-0-out/", "not the results of batch")]
)
def test_a_batch_that_the_provider_has_no_more_is_paid_again_only_where_somebody_says_so(
    tmp_path: Path, forgets: str, what: str
) -> None:
    desk = Forgetful(polls=2)
    with serve(echo, batches=desk) as server:
        with pytest.raises(BatchWaiting):
            list(batch(server.base_url, tmp_path, detach=True)(ask(i) for i in range(2)))
        desk.forgets = forgets
        for _ in range(2):
            with pytest.raises(
                TeacherRefused, match=f"has {what} `batch-0`.*its 2 calls are handed in anew then"
            ) as told:
                list(batch(server.base_url, tmp_path)(ask(i) for i in range(2)))
        assert len(desk.batches) == 1
        named = re.search(r"delete `([^`]+)`", str(told.value))
        assert named is not None
        for file in Path(named[1]).parent.glob(Path(named[1]).name):
            file.unlink()
        replies = list(batch(server.base_url, tmp_path)(ask(i) for i in range(2)))
        assert sorted(r.text for r in replies) == ["echo question 0", "echo question 1"]
        assert len(desk.batches) == 2


def test_a_batch_that_was_asked_for_with_anothers_key_is_found_again(tmp_path: Path) -> None:
    desk = Forgetful(polls=2)
    with serve(echo, batches=desk) as server:
        with pytest.raises(BatchWaiting):
            list(batch(server.base_url, tmp_path, detach=True)([ask(0)]))
        desk.forgets = "/batches/batch-0"
        with pytest.raises(TeacherRefused, match="with the key of its project the same command goes on"):
            list(batch(server.base_url, tmp_path)([ask(0)]))
        desk.forgets = ""
        (reply,) = batch(server.base_url, tmp_path)([ask(0)])
        assert (reply.text, len(desk.batches), server.stats["completions"]) == ("echo question 0", 1, 1)


class Altering(BatchDesk):
    """Hands out files of results as a test changes them."""

    change: Callable[[bytes], bytes] = staticmethod(lambda content: content)

    def handle(self, incoming: Incoming, answer: Callable[[dict[str, Any]], object]) -> HttpAnswer | None:
        answered = super().handle(incoming, answer)
        return answered._replace(body=self.change(answered.body)) if answered and "-out/" in incoming.path else answered


@pytest.mark.parametrize("late", [400, 429, 500, 200])
@pytest.mark.parametrize("first", [True, False])
def test_of_several_results_of_a_call_the_first_completion_stays(tmp_path: Path, late: int, first: bool) -> None:
    def change(content: bytes) -> bytes:
        row = orjson.loads(content)
        body = {"error": {"message": "late"}} if late != 200 else {"choices": [{"message": {"content": "late"}}]}
        other = orjson.dumps(row | {"response": {"status_code": late, "body": body}})
        return b"\n".join([content, other] if first else [other, content])

    desk = Altering()
    desk.change = change
    with serve(echo, batches=desk) as server:
        (reply,) = batch(server.base_url, tmp_path)([ask(0)])
    assert reply.text == ("late" if late == 200 and not first else "echo question 0")


def test_words_of_a_prompt_that_a_result_repeats_say_nothing_of_the_failure(tmp_path: Path) -> None:
    question = "The temperature was unknown at noon. What is its maximum context length?"
    desk = NoVerdict()
    desk.says = {"status_code": 422, "body": {"detail": [{"msg": "too many characters", "input": question}]}}
    request = Request((Message("user", question),), sampling=Sampling(0.7))
    with serve(echo, batches=desk) as server:
        model = batch(server.base_url, tmp_path)
        (reply,) = model([request])
        assert (reply.finish_reason, "too many characters" in str(reply.error)) == ("stop", True)
        assert question not in str(reply.error)
        desk.says = None
        (reply,) = batch(server.base_url, tmp_path)([request])
        assert reply.text == f"echo {question}"


@pytest.mark.parametrize("part", ["/batches/batch-0", "/content"])
def test_an_answer_without_end_is_not_read_to_it(tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_api, "MAX_ANSWER_BYTES", 1_000)
    monkeypatch.setattr(batch_api, "MAX_LINE_BYTES", 1_000)

    class Endless(BatchDesk):
        def handle(self, incoming: Incoming, answer: Callable[[dict[str, Any]], object]) -> HttpAnswer | None:
            answered = super().handle(incoming, answer)
            return answered and answered._replace(body=b" " * 2_001) if part in incoming.path else answered

    with serve(echo, batches=Endless()) as server, pytest.raises(WireDown, match=r"longer than [12]000 bytes"):
        list(batch(server.base_url, tmp_path)([ask(0)]))


def test_calls_that_were_never_handed_in_cost_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Request]:
        yield ask(0)
        raise ValueError("the agent's own")

    with serve(echo, price=(1000.0, 1000.0)) as server:
        budget = Budget(tmp_path / "money.sqlite", 1.0)
        with stage_under_way("teach", budget), pytest.raises(ValueError, match="own"):
            list(batch(server.base_url, tmp_path / "b", price=[1000, 1000])(broken()))
        assert (budget.spent_usd(), len(server.batches.batches)) == (0.0, 0)
        budget.close()
