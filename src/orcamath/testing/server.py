"""The misbehaving server: any answering function behind both OpenAI protocols, with faults at set rates and a bill.

In: a `Responder` (what a model would say to a call) and `Faults`. Out: a base URL, and `stats` of what was asked, served,
spoilt and billed. It bills as providers do: for every completion it made, also where the client hung up, never for an
error. `serve` runs it in a thread; `python -m orcamath.testing` in a process of its own, with the same stats at `/stats`.
"""

import asyncio
import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import orjson

from orcamath.ports import Chat, Message, Reply, Request, Sampling
from orcamath.testing.batches import BatchDesk
from orcamath.testing.faults import Faults
from orcamath.testing.http import How, HttpAnswer, HttpServer, Incoming

__all__ = ["Call", "MisbehavingServer", "Responder", "of_chat", "serve", "stub"]


class Call(NamedTuple):
    """What reached the server, decoded."""

    messages: tuple[Message, ...]
    token_ids: tuple[int, ...] | None
    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...]
    seed: int | None


Served = TypeVar("Served", bound="MisbehavingServer")
Responder = Callable[[Call], str | Reply]
"""Says what a model would; a Reply also says whether the token limit ended it."""


def stub(text: str = "The answer is four.\n#### 4") -> Responder:
    """Answer everything with the same text."""
    return lambda _: text


def of_chat(chat: Chat, most_draws: int = 64, batch: int = 1) -> Responder:
    """Serve a Chat of ours. The draw, which is not on the wire, is found again through the seed it gave.

    With `batch` above 1, calls that wait together are answered together; `serve` then wants as many `threads`.
    """
    answer = _Together(chat, batch) if batch > 1 else lambda request: next(iter(chat([request])))

    def respond(call: Call) -> Reply:
        sampling = Sampling(call.temperature, call.top_p, call.max_tokens, call.stop)
        for draw in range(most_draws):
            request = Request(call.messages, call.token_ids, sampling, draw)
            if call.seed is None or request.seed() & 0x7FFF_FFFF == call.seed:
                break
        return answer(request)

    return respond


class _Together:
    """Gathers what many threads ask of one model: while it answers, the next batch comes together."""

    def __init__(self, chat: Chat, most: int, gather_s: float = 0.1) -> None:
        self.chat, self.most, self.gather_s = chat, most, gather_s
        self.waiting: queue.SimpleQueue[tuple[Request, Future[Reply]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="batches of a served model").start()

    def __call__(self, request: Request) -> Reply:
        future: Future[Reply] = Future()
        self.waiting.put((request, future))
        return future.result()

    def _run(self) -> None:
        while True:
            batch = [self.waiting.get()]
            try:
                while len(batch) < self.most:
                    batch.append(self.waiting.get(timeout=self.gather_s))
            except queue.Empty:
                pass
            try:
                replies = {reply.key: reply for reply in self.chat([request for request, _ in batch])}
                for request, future in batch:
                    future.set_result(replies[request.key(self.chat.fingerprint)])
            except Exception as e:  # whatever it is, those who wait must hear of it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(e)


_HOW: dict[str, How] = {"hang": "hang", "drop": "drop", "cut_body": "cut"}
"""What faults of the wire do to an answer."""


class MisbehavingServer:
    """The handler and its books. Prices are US dollars per million tokens; a token is four characters here."""

    def __init__(
        self,
        respond: Responder,
        faults: Faults | None = None,
        *,
        price: tuple[float, float] = (0.0, 0.0),
        key: str | None = None,
        models: tuple[str, ...] = (),
        refuses: tuple[str, ...] = (),
        batches: BatchDesk | None = None,
        says: Callable[[dict[str, int]], object] | None = None,
    ) -> None:
        """`says`: what it says of its usage instead of what it bills; None leaves it out of the answer."""
        self.respond, self.faults, self.price = respond, faults or Faults(), price
        self.key, self.models, self.refuses = key, models, refuses
        self.batches = batches or BatchDesk()
        self.says = says
        self.counts: Counter[str] = Counter()
        self.billed_usd = 0.0
        self._seen: Counter[bytes] = Counter()
        self._faulted: Counter[bytes] = Counter()
        self._completed: Counter[bytes] = Counter()
        self.base_url = ""
        self._books = threading.RLock()

    @property
    def stats(self) -> dict[str, Any]:
        """Calls, completions, those repeated for a request already completed, bill, and every fault by name."""
        repeated = sum(n - 1 for n in self._completed.values())
        return {**self.counts, "distinct": len(self._completed), "repeated": repeated, "billed_usd": self.billed_usd}

    def __call__(self, incoming: Incoming) -> HttpAnswer:
        """Handle one HTTP request."""
        if incoming.path.startswith("/stats"):
            return HttpAnswer(body=orjson.dumps(self.stats))
        if incoming.path.startswith("/health"):
            return HttpAnswer(body=b'{"status": "ok"}')
        if incoming.path.startswith("/v1/models"):
            return self._listed(incoming.path.removeprefix("/v1/models").strip("/"))
        with self._books:
            self.counts["calls"] += 1
        if self.key is not None and incoming.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, f"Incorrect API key provided: {incoming.headers.get('authorization')}")
        with self._books:
            if (answer := self.batches.handle(incoming, self._in_batch)) is not None:
                return answer
        try:
            body = orjson.loads(incoming.body)
        except orjson.JSONDecodeError:
            return _error(400, "the body is no JSON")
        if self.models and body.get("model") not in self.models:
            return _error(404, f"The model `{body.get('model')}` does not exist")
        for name in self.refuses:
            if name in body:
                other = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                return _error(400, f"Unsupported parameter: '{name}' is not supported with this model.{other}", name)
        return self._complete(body, blake2b(incoming.body, digest_size=16).digest())

    def _listed(self, wanted: str) -> HttpAnswer:
        """List the models, or show one of them; a server that was told none serves any name and lists `stub`."""
        shown = [
            {"id": name, "object": "model", "created": 0, "owned_by": "orcamath"} for name in self.models or ("stub",)
        ]
        if not wanted:
            return HttpAnswer(body=orjson.dumps({"object": "list", "data": shown}))
        found = [m for m in shown if m["id"] == wanted]
        return HttpAnswer(body=orjson.dumps(found[0])) if found else _error(404, f"The model `{wanted}` does not exist")

    def _in_batch(self, body: dict[str, object]) -> object:
        """Complete one request of a batch: content faults only."""
        key = blake2b(orjson.dumps(body), digest_size=16).digest()
        call = _decode(body)
        spoilt = self._spoil(self.respond(call), self.faults.content(key))
        return orjson.loads(self._bill(call, [spoilt], key, chat=True))

    def _complete(self, body: dict[str, Any], key: bytes) -> HttpAnswer:
        faults = self.faults
        with self._books:
            fault = faults.wire(key, self._seen[key], self._faulted[key])
            self._seen[key] += 1
            if fault is not None:
                self._faulted[key] += 1
                self.counts[fault] += 1
        if fault == "throttle":
            return _error(429, "slow down", headers=(("Retry-After", f"{faults.retry_after_s:g}"),))
        if fault == "throttle_silent":
            return _error(429, "slow down")
        if fault == "server_error":
            return _error((500, 502, 503)[key[0] % 3], "the server is not well", after_s=faults.latency_s)
        call, chat = _decode(body), "messages" in body
        n = int(body.get("n") or 1)
        said = [self.respond(call._replace(seed=None if call.seed is None else call.seed + i)) for i in range(n)]
        with self._books:
            spoilt = [self._spoil(one, faults.content(key)) for one in said]
            payload = self._bill(call, spoilt, key, chat=chat)
        if body.get("stream"):
            payload = _streamed(payload)
        if fault == "wrong_shape":
            payload = b'{"id": "x", "choices": []}'
        elif fault == "invalid_json":
            payload = payload[: len(payload) // 2]
        how = _HOW.get(fault or "", "whole")
        kind = "text/event-stream" if body.get("stream") else "application/json"
        return HttpAnswer(body=payload, after_s=faults.latency_s, how=how, content_type=kind)

    def _spoil(self, said: str | Reply, fault: str | None) -> tuple[str, str]:
        text, finish = (said.text, said.finish_reason) if isinstance(said, Reply) else (said, "stop")
        if fault is not None:
            self.counts[fault] += 1
        match fault:
            case "truncated":
                return text[: len(text) // 2], "length"
            case "empty":
                return "", "stop"
            case "refused":
                return "", "content_filter"
            case "absurd":
                return (text + " ") * (200_000 // (len(text) + 1)), "length"
            case "nonsense":
                return "<statement></question> {0} \\boxed{ ###", "stop"
        return text, "content_filter" if finish == "refused" else finish

    def _bill(self, call: Call, answers: list[tuple[str, str]], key: bytes, *, chat: bool) -> bytes:
        prompt = sum(len(m.content) // 4 + 4 for m in call.messages) + len(call.token_ids or ())
        completion = sum(min(call.max_tokens, len(text) // 4 + 1) for text, _ in answers)
        self._completed[key] += 1
        self.counts["completions"] += 1
        self.counts["prompt_tokens"] += prompt
        self.counts["completion_tokens"] += completion
        self.billed_usd += (prompt * self.price[0] + completion * self.price[1]) / 1e6
        choices = [
            {"index": i, "finish_reason": finish}
            | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text})
            for i, (text, finish) in enumerate(answers)
        ]
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        kind = "chat.completion" if chat else "text_completion"
        said = usage if self.says is None else self.says(usage)
        body = {"id": "x", "object": kind, "choices": choices}
        return orjson.dumps(body if said is None else {**body, "usage": said})


def _streamed(payload: bytes) -> bytes:
    """Turn a completion into server-sent events: a piece a word, then the reasons and the bill, then `[DONE]`."""
    whole = orjson.loads(payload)
    events: list[dict[str, object]] = []
    for choice in whole["choices"]:
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        for piece in re.findall(r"\s*\S+|\s+$", text):
            delta = {"delta": {"content": piece}} if "message" in choice else {"text": piece}
            events.append({"index": choice["index"], "finish_reason": None, **delta})
        events.append({"index": choice["index"], "finish_reason": choice["finish_reason"], "delta": {}, "text": ""})
    kind = "chat.completion.chunk" if whole["object"].startswith("chat") else "text_completion"
    lines = [{"id": whole["id"], "object": kind, "choices": [event]} for event in events]
    lines.append({"id": whole["id"], "object": kind, "choices": [], "usage": whole.get("usage")})
    return b"".join(b"data: " + orjson.dumps(line) + b"\n\n" for line in lines) + b"data: [DONE]\n\n"


def _decode(body: dict[str, Any]) -> Call:
    """Read a call as OpenAI's API has it: `stop` and `prompt` may be one string, content may come in parts, null is left out."""
    given = {name: value for name, value in body.items() if value is not None}
    stop, prompt = given.get("stop", ()), given.get("prompt", ())
    prompt = prompt[0] if len(prompt) == 1 and isinstance(prompt[0], str | list) else prompt  # a list of one prompt
    messages = [*given.get("messages", ()), *([{"role": "user", "content": prompt}] if isinstance(prompt, str) else ())]
    return Call(
        tuple(
            Message(m["role"], c if isinstance(c := m["content"] or "", str) else "".join(p.get("text", "") for p in c))
            for m in messages
        ),
        tuple(prompt) if "prompt" in given and not isinstance(prompt, str) else None,
        float(given.get("temperature", 1.0)),
        float(given.get("top_p", 1.0)),
        int(given.get("max_completion_tokens", given.get("max_tokens", 1024))),
        (stop,) if isinstance(stop, str) else tuple(stop),
        given.get("seed"),
    )


def _error(
    status: int, message: str, param: str | None = None, headers: tuple[tuple[str, str], ...] = (), after_s: float = 0.0
) -> HttpAnswer:
    body = {"error": {"message": message, "type": "error", "param": param, "code": None}}
    return HttpAnswer(status, orjson.dumps(body), headers, after_s)


@contextmanager
def serve(
    respond: Responder,
    faults: Faults | None = None,
    *,
    threads: int = 0,
    kind: type[Served] = MisbehavingServer,  # type: ignore[assignment] # type variables have defaults from Python 3.13 on
    **options: Any,
) -> Iterator[Served]:
    """Run the server in a thread while the block lasts; its `base_url` is ready, its `stats` may be read at any time.

    A responder that takes its time blocks all others, unless `threads` answer that many calls at once. `kind`: a class of one's
    own that misbehaves in further ways.
    """
    server = kind(respond, faults, **options)
    loop = asyncio.new_event_loop()
    http = HttpServer(server, threads)
    loop.run_until_complete(http.start())
    server.base_url = f"http://127.0.0.1:{http.port}/v1"
    thread = threading.Thread(target=loop.run_forever, daemon=True, name="misbehaving server")
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(http.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
