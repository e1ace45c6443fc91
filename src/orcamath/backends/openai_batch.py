"""A model behind a batch API: files of requests, answered within a day, at half the price.

Keys are those of `openai_compatible`, so a run can switch between the two. Requests are gathered into batches up to the
provider's limits; each batch's intent is on disk before it is uploaded and its nonce is in the batch's metadata, so after a
crash it is found again instead of paid for again. Keys in an open batch are waited for, never sent twice. With
`options.detach` the run ends (exit code 4) once everything is handed in, and the same command later picks up the results.

What a batch left out (expired, cancelled) is an error of those calls: the next run hands in only the rest.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from orcamath.backends.batch_files import Desk, Intent
from orcamath.backends.openai_compatible import OPENAI, fingerprint_of
from orcamath.backends.wire_keys import Secrets, headers_of
from orcamath.backends.wire_pace import backoff
from orcamath.backends.wire_protocol import Fault, body_of, fault_of, is_refusal_of_content, parse
from orcamath.backends.wire_quirks import Quirks
from orcamath.errors import BatchWaiting, CapReached, RecipeError, TeacherRefused, WireDown, nearest
from orcamath.ports import Replies, Reply, Request, Usage
from orcamath.records import digest
from orcamath.settings import ModelSettings
from orcamath.store.budget import Meter
from orcamath.store.prices import price_of
from orcamath.store.under_way import meter

__all__ = ["OpenAIBatch", "open_chat"]

_OPTIONS = {
    "detach": False,
    "poll_s": 30.0,
    "max_lines": 50_000,
    "max_bytes": 190_000_000,
    "folder": "store/batches",
    "fingerprint": None,
    "price": None,
    "first_backoff_s": 1.0,
}
_ENDED = {"completed", "expired", "cancelled", "failed"}


def open_chat(settings: ModelSettings) -> "OpenAIBatch":
    """Return the model as a Chat; nothing is sent yet. Raises RecipeError on a missing key or a wrong option."""
    for name in settings.options:
        if name not in _OPTIONS:
            raise RecipeError(f"unknown option `{name}` of backend `openai_batch`; {nearest(name, _OPTIONS)}")
    if not settings.model:
        raise RecipeError("`model` is empty: give the name under which the endpoint serves the model")
    return OpenAIBatch(settings)


class OpenAIBatch:
    """The Chat. A batch is its window: requests are pulled until one is full."""

    chunk: int | None = None

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.fingerprint = fingerprint_of(settings)
        self._meter: Meter | None = None
        self._options: dict[str, Any] = {**_OPTIONS, **settings.options}
        self._url = (settings.base_url or OPENAI).rstrip("/")
        self._quirks = Quirks(settings.model)
        self._desk = Desk(Path(self._options["folder"]) / digest(self.fingerprint, self._url)[:16])
        self._held: dict[str, int] = {}

    @cached_property
    def _keys(self) -> tuple[dict[str, str], Secrets]:
        """Headers and the secrets in them, read when the first call is made: a plan needs no key."""
        return headers_of(self.settings, self._url)

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Hand in what no batch holds, then wait for all. Raises BatchWaiting where told not to wait."""
        wanted = Counter[str]()
        s = self.settings
        self._meter = meter(lambda: price_of("openai_batch", s.model, s.base_url, self._options["price"]))
        try:
            capped = self._hand_in(requests, wanted)
            for intent in self._desk.intents():
                if any(key in wanted for key in intent.keys):
                    yield from self._collect(intent, wanted)
        finally:
            for held in self._held.values():  # handed in and not back: the provider may charge for all of it
                if self._meter is not None:
                    self._meter.settle(held, None, sent=True)
            self._held = {}
        if capped:
            raise CapReached("the spending cap leaves no room for the next call: raise `cap_usd`, or stop here")

    def handed_in(self) -> Set[bytes]:
        """Return the keys that an open batch holds or that have come back: paid for, whether remembered yet or not."""
        return {bytes.fromhex(key) for key in self._known()}

    def _known(self) -> set[str]:
        return {key for i in self._desk.intents() for key in (i.keys if i.is_open else self._desk.results(i))}

    def _hand_in(self, requests: Iterable[Request], wanted: Counter[str]) -> bool:
        """Gather requests into batches and upload them; tells whether the cap cut them short."""
        for intent in self._desk.intents():
            if intent.status == "intended":
                self._upload(intent)
        known = self._known()
        lines: list[bytes] = []
        keys: list[str] = []
        size, capped = 0, False
        for request in requests:
            key = request.key(self.fingerprint).hex()
            if key in wanted:
                wanted[key] += 1
                continue
            if key not in known:
                if self._meter is not None:
                    held = self._meter.reserve(request)
                    if held is None:
                        capped = True
                        break
                    self._held[key] = held
                line = self._line(key, request)
                if lines and (
                    len(lines) >= self._options["max_lines"] or size + len(line) > self._options["max_bytes"]
                ):
                    self._upload(self._desk.intend(lines, keys))
                    lines, keys, size = [], [], 0
                lines.append(line)
                keys.append(key)
                size += len(line) + 1
            wanted[key] = 1
        if lines:
            self._upload(self._desk.intend(lines, keys))
        return capped

    def _line(self, key: str, request: Request) -> bytes:
        if request.token_ids is not None:
            raise RecipeError("a batch API takes messages only: a student of yours needs `openai_compatible`")
        body = self._quirks.apply(body_of(request, self.settings.model, self.settings.body))
        return orjson.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body})

    def _upload(self, intent: Intent) -> None:
        """Make the batch of an intent, or find it where a crash came between making it and writing that down."""
        batch = self._find(intent.nonce)
        if batch is None:
            if (content := self._desk.lines(intent)) is None:
                self._desk.drop(intent)
                return
            file = self._call("POST", "/files", upload=(f"orcamath-{intent.nonce}.jsonl", content))
            body = {
                "input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h",
                "metadata": {"orcamath_nonce": intent.nonce},
            }  # fmt: skip
            batch = self._call("POST", "/batches", json=body)
        intent.batch_id, intent.status = batch["id"], "open"
        self._desk.save(intent)

    def _find(self, nonce: str) -> dict[str, Any] | None:
        after = ""
        while True:
            page = self._call("GET", f"/batches?limit=100{after}")
            for batch in page["data"]:
                if (batch.get("metadata") or {}).get("orcamath_nonce") == nonce:
                    found: dict[str, Any] = batch
                    return found
            if not page.get("has_more") or not page["data"]:
                return None
            after = f"&after={page['data'][-1]['id']}"

    def _collect(self, intent: Intent, wanted: Counter[str]) -> Iterator[Reply]:
        """Wait for one batch, keep its results, and hand on those that are asked for now.

        What a batch that ended before this run left out is in a newer batch, and not reported here.
        """
        was_open = intent.is_open
        while intent.is_open:
            batch = self._call("GET", f"/batches/{intent.batch_id}")
            if batch["status"] in _ENDED:
                files = [batch[name] for name in ("output_file_id", "error_file_id") if batch.get(name)]
                content = b"\n".join(self._call("GET", f"/files/{name}/content", raw=True) for name in files)
                self._desk.keep_results(intent, content, batch["status"])
            elif self._options["detach"]:
                done = batch.get("request_counts") or {}
                raise BatchWaiting(
                    f"batch {intent.batch_id} of model `{self.settings.model}` is {batch['status']}: "
                    f"{done.get('completed', '?')} of {len(intent.keys)} done. Run the same command again later"
                )
            else:
                time.sleep(self._options["poll_s"])
        results = self._desk.results(intent)
        for key in intent.keys:
            if key in wanted and (was_open or key in results):
                reply = self._reply(bytes.fromhex(key), results.get(key), intent)
                yield from [reply] * wanted.pop(key)

    def _reply(self, key: bytes, line: bytes | None, intent: Intent) -> Reply:
        held, billed, sent = self._held.pop(key.hex(), None), None, False
        try:
            if line is None:
                return Reply(key, error=f"batch {intent.batch_id} ended as `{intent.status}` without this call")
            row = orjson.loads(line)
            response = row.get("response") or {"status_code": 502, "body": row.get("error")}
            payload = orjson.dumps(response.get("body"))
            if response.get("status_code") != 200:
                fault = fault_of(int(response.get("status_code") or 502), {}, payload)
                if is_refusal_of_content(fault):
                    return Reply(key, finish_reason="refused")
                return Reply(key, error=self._keys[1].hide(str(fault)))
            sent = True
            parsed = parse(key, payload)
            billed = parsed.billed
            return parsed.reply
        except Fault as fault:
            return Reply(key, error=self._keys[1].hide(str(fault)))
        finally:
            self._settle(held, billed, sent=sent)

    def _settle(self, held: int | None, billed: Usage | None, *, sent: bool) -> None:
        if self._meter is not None and held is not None:
            self._meter.settle(held, billed, sent=sent)

    def _call(
        self, method: str, path: str, *, json: Any = None, upload: tuple[str, bytes] | None = None, raw: bool = False
    ) -> Any:
        """Make one call on the batch API, with retries. Raises TeacherRefused or WireDown."""
        for attempt in range(self.settings.max_tries):
            try:
                return asyncio.run(self._once(method, path, json, upload, raw=raw))
            except Fault as fault:
                message = self._keys[1].hide(str(fault))
                if fault.kind in ("refused", "item"):
                    raise TeacherRefused(f"batch API at {self._url}: {message}") from None
                wait = max(fault.retry_after or 0, backoff(attempt, self._options["first_backoff_s"]))
            time.sleep(wait)
        raise WireDown(f"batch API at {self._url}: {message}. What is handed in is written down; run again")

    async def _once(self, method: str, path: str, json: Any, upload: tuple[str, bytes] | None, *, raw: bool) -> Any:
        data: Any = None
        headers = dict(self._keys[0])
        if upload is not None:
            data = aiohttp.FormData({"purpose": "batch"})
            data.add_field("file", upload[1], filename=upload[0], content_type="application/jsonl")
        elif json is not None:
            data = orjson.dumps(json)
            headers["Content-Type"] = "application/json"
        timeout = aiohttp.ClientTimeout(
            total=max(self.settings.timeout_s, 10 * self.settings.timeout_s * (upload is not None))
        )
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.request(method, self._url + path, data=data) as response,
            ):
                payload, status, said = await response.read(), response.status, response.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise Fault("wire", f"{method} {path}: {type(e).__name__} {e}") from e
        if status != 200:
            raise fault_of(status, said, payload)
        if raw:
            return payload
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise Fault("wire", f"{method} {path}: the answer is no JSON") from None
