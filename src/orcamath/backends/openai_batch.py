"""A model behind a batch API: files of requests, answered within a day, at half the price.

Keys are those of `openai_compatible`, so a run can switch between the two. Requests are gathered into batches up to the
provider's limits; each batch's intent is on disk before it is uploaded and its nonce is in the batch's metadata, so after a
crash it is found again instead of paid for again. Keys in an open batch are waited for, never sent twice, whichever process
handed them in. With `options.detach` the run ends (exit code 4) once everything is handed in, and the same command later picks
up the results.

What a batch left out (expired, cancelled) is an error of those calls: the next run hands in only the rest.
"""

import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from orcamath.backends.batch_api import BatchAPI, FileRefused, Gone
from orcamath.backends.batch_files import Desk, Intent, reason_of, rewritten, unechoed
from orcamath.backends.openai_compatible import fingerprint_of
from orcamath.backends.wire_calls import billed, check_body
from orcamath.backends.wire_keys import Door, door_of
from orcamath.backends.wire_protocol import Fault, body_of, fault_of, is_refusal_of_content, parse_reply
from orcamath.backends.wire_quirks import Quirks
from orcamath.errors import BatchWaiting, RecipeError, TeacherRefused
from orcamath.ports import Replies, Reply, Request, Usage
from orcamath.records import Settings, digest
from orcamath.settings import ModelSettings, read_options
from orcamath.store.budget import Meter
from orcamath.store.hosts import OPENAI
from orcamath.store.literals import refuse_literals
from orcamath.store.prices import price_of
from orcamath.store.under_way import meter

__all__ = ["BatchOptions", "OpenAIBatch", "open_chat"]

_ENDED = {"completed", "expired", "cancelled", "canceled", "failed"}


class BatchOptions(Settings):
    """What a recipe may say under `options`."""

    detach: bool = False
    """End the run (exit code 4) once everything is handed in."""
    poll_s: float = Field(default=30.0, ge=0)
    max_lines: int = Field(default=50_000, ge=1)
    max_bytes: int = Field(default=190_000_000, ge=1)
    folder: str = "store/batches"
    first_backoff_s: float = Field(default=1.0, ge=0)
    fingerprint: str | None = None
    price: object = None
    """[prompt, completion], see `store.prices`."""


def open_chat(settings: ModelSettings) -> "OpenAIBatch":
    """Return the model as a Chat; nothing is sent yet. Raises RecipeError on a missing key or a wrong option."""
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
        self._options = read_options(BatchOptions, settings.options, "backend `openai_batch`")
        check_body(settings.model, settings.body)
        refuse_literals(settings)
        self._url = (settings.base_url or OPENAI).rstrip("/")
        self._quirks = Quirks(settings.model)
        self._desk = Desk(Path(self._options.folder) / digest(self.fingerprint, self._url)[:16])
        self._held: dict[str, int] = {}
        self._asked: dict[str, Request] = {}
        self._handed = set[str]()

    @cached_property
    def _door(self) -> Door:
        """URL, headers and further fields with their secrets, read when the first call is made: a plan needs no key."""
        return door_of(self.settings, self._url)

    @cached_property
    def _api(self) -> BatchAPI:
        return BatchAPI(self._door, self.settings, self._url, self._options.first_backoff_s)

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Hand in what no batch holds, then wait for all. Raises BatchWaiting where told not to wait."""
        wanted = Counter[str]()
        self._meter = meter(lambda: price_of(self.settings, "openai_batch"))
        try:
            with self._desk.alone():
                capped = self._hand_in(requests, wanted)
            done = set[str]()
            while todo := self._todo(wanted, done):
                for intent in todo:  # collecting one may make another: calls that are sent again
                    done.add(intent.nonce)
                    yield from self._collect(intent, wanted)
            for key in list(wanted):  # what is left of a batch that somebody else took up: the next run hands it in
                error = "its batch ended without an answer that counts; run again to hand it in anew"
                yield from [Reply(bytes.fromhex(key), error=error)] * wanted.pop(key)
        finally:
            for key, held in self._held.items():  # handed in and not back: the provider may charge for all of it
                if self._meter is not None:
                    self._meter.settle(held, None, sent=key in self._handed)
            self._held, self._asked, self._handed = {}, {}, set()
        if capped is not None:
            assert self._meter is not None
            raise self._meter.reached(capped, self._door.body)

    def _todo(self, wanted: Container[str], done: Container[str]) -> list[Intent]:
        """Return the batches that hold a wanted call and are not done."""
        with self._desk.alone():
            return [i for i in self._intents() if i.nonce not in done and any(key in wanted for key in i.keys)]

    def _intents(self) -> list[Intent]:
        """Return all batches, those that a crash left half made taken up; for who is alone with the desk."""
        for intent in self._desk.intents():
            if intent.status == "intended":
                self._recover(intent)
        return self._desk.intents()

    def handed_in(self) -> Set[bytes]:
        """Return the keys that an open batch holds or that have come back: paid for, whether remembered yet or not."""
        return {bytes.fromhex(key) for key in self._known(self._desk.intents())}

    def _known(self, intents: Iterable[Intent]) -> set[str]:
        return {key for i in intents for key in (i.keys if i.is_open else _settled(self._desk.results(i)))}

    def _mended(self, intent: Intent, lines: Mapping[str, bytes]) -> set[str]:
        """Return the calls of which a parameter was refused that can be left out: they are sent again without it."""
        told = ((key, orjson.loads(line)["response"]) for key, line in lines.items())
        refused = ((key, orjson.dumps(said.get("body"))) for key, said in told if said.get("status_code") == 400)
        return {key for key, payload in refused if self._quirks.learn(intent.fields, payload)}

    def _hand_in(self, requests: Iterable[Request], wanted: Counter[str]) -> Request | None:
        """Gather requests into batches and upload them; returns the one that the cap left no room for."""
        known = self._known(self._intents())
        lines: list[bytes] = []
        keys: list[str] = []
        size, capped = 0, None
        for request in requests:
            key = request.key(self.fingerprint).hex()
            if key in wanted:
                wanted[key] += 1
                continue
            if key not in known:
                if self._meter is not None:
                    held = self._meter.reserve(request, self._door.body)
                    if held is None:
                        capped = request
                        break
                    self._held[key] = held
                line = self._line(key, request)
                if lines and (len(lines) >= self._options.max_lines or size + len(line) > self._options.max_bytes):
                    self._upload(lines, keys)
                    lines, keys, size = [], [], 0
                lines.append(line)
                keys.append(key)
                size += len(line) + 1
            self._asked[key] = request
            wanted[key] = 1
        if lines:
            self._upload(lines, keys)
        return capped

    def _line(self, key: str, request: Request) -> bytes:
        if request.token_ids is not None:
            raise RecipeError("a batch API takes messages only: a student of yours needs `openai_compatible`")
        body = self._quirks.apply(body_of(request, self.settings.model, self.settings.body))  # no key is written down
        return orjson.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body})

    def _recover(self, intent: Intent) -> None:
        """Take up the batch of an intent that a crash left: it may have been made, and that not written down."""
        if (batch_id := self._api.found(intent.nonce)) is not None:
            self._opened(intent, batch_id)
        elif (content := self._desk.lines(intent)) is not None:
            try:
                self._opened(intent, self._api.made(intent.nonce, content))
            except FileRefused:  # `max_lines` and `max_bytes` may have been mended since
                self._desk.drop(intent, "was not taken by the endpoint")
        else:
            self._desk.drop(intent, "is damaged")

    def _upload(self, lines: Sequence[bytes], keys: list[str]) -> None:
        """Write down a new batch's intent, then make it."""
        intent = self._desk.intend(lines, keys)
        self._handed |= {*keys}
        try:
            self._opened(intent, self._api.made(intent.nonce, b"\n".join(lines) + b"\n"))
        except FileRefused:  # nothing was made of it
            self._handed -= {*keys}
            self._desk.drop(intent, "was not taken by the endpoint")
            raise

    def _opened(self, intent: Intent, batch_id: str) -> None:
        intent.batch_id, intent.status = batch_id, "open"
        self._desk.save(intent)

    def _collect(self, intent: Intent, wanted: Counter[str]) -> Iterator[Reply]:
        """Wait for one batch, keep its results, and hand on those that are asked for now.

        What a batch that ended before this run left out is in a newer batch, and not reported here.
        """
        was_open = intent.is_open
        while intent.is_open:
            with self._gone_is_told(intent):
                batch = self._api.batch(str(intent.batch_id))
            if (status := batch["status"].casefold()) in _ENDED:
                with self._desk.alone():
                    intent = self._desk.again(intent)
                    if intent.is_open:
                        self._fetch(intent, batch, status)
            elif self._options.detach:
                counts = batch.get("request_counts")
                done = counts if isinstance(counts, dict) else {}
                raise BatchWaiting(
                    f"batch {intent.batch_id} of model `{self.settings.model}` is {status}: "
                    f"{done.get('completed', '?')} of {len(intent.keys)} done. Run the same command again later"
                )
            else:
                time.sleep(self._options.poll_s)
        lines = self._desk.results(intent)
        settled, mended = _settled(lines), self._mended(intent, lines)
        for key in intent.keys:
            if key in wanted and (key in settled or (was_open and key not in mended)):
                reply = self._reply(bytes.fromhex(key), lines.get(key), intent)
                yield from [reply] * wanted.pop(key)

    def _fetch(self, intent: Intent, batch: dict[str, Any], status: str) -> None:
        """Keep the results of a batch that ended, and hand in anew the calls of which it refused a parameter."""
        files = [str(batch[name]) for name in ("output_file_id", "error_file_id") if batch.get(name)]
        with self._gone_is_told(intent, "the results of"):
            came = [self._api.content(file, len(intent.keys)) for file in files]
        lines = self._desk.lines(intent) or b""
        results = unechoed(b"\n".join(came), lines)
        self._desk.keep_results(intent, results, status, self._door.secrets.hide(reason_of(batch)))
        mended = self._mended(intent, self._desk.results(intent))
        if again := rewritten(lines, mended, self._quirks.apply):
            self._upload(again, sorted(mended))

    @contextmanager
    def _gone_is_told(self, intent: Intent, what: str = "") -> Iterator[None]:
        """Say how to go on without a batch that the provider does not have: paying twice is its owner's to decide."""
        try:
            yield
        except Gone as e:
            raise TeacherRefused(
                f"{e}. The provider has not {f'{what} ' if what else ''}batch `{intent.batch_id}`, which was handed in: with the "
                f"key of its project the same command goes on. If it is gone for good, delete `{self._desk.files_of(intent)}`: "
                f"its {len(intent.keys):,} calls are handed in anew then, and may be paid again"
            ) from None

    def _reply(self, key: bytes, line: bytes | None, intent: Intent) -> Reply:
        held, bill, ours, sent = self._held.pop(key.hex(), None), None, False, False
        try:
            if line is None:
                why = f": {intent.reason}" if intent.reason else ""
                return Reply(key, error=f"batch {intent.batch_id} ended as `{intent.status}` without this call{why}")
            response = orjson.loads(line)["response"]  # `Desk.results` lets no other line through
            payload = orjson.dumps(response.get("body"))
            if response["status_code"] != 200:
                fault = fault_of(response["status_code"], {}, payload)
                if is_refusal_of_content(fault):
                    return Reply(key, finish_reason="refused")
                return Reply(key, error=self._door.secrets.hide(str(fault)))
            sent = True
            parsed = parse_reply(key, payload, [m.content for m in self._asked[key.hex()].messages])
            bill, ours = billed(parsed, self._asked[key.hex()], self._door.body, self.settings.model)
            return parsed.reply
        except Fault as fault:
            return Reply(key, error=self._door.secrets.hide(str(fault)))
        finally:
            self._settle(held, bill, sent=sent, replaced=ours)

    def _settle(self, held: int | None, bill: Usage | None, *, sent: bool, replaced: bool) -> None:
        if self._meter is not None and held is not None:
            self._meter.settle(held, bill, sent=sent, replaced=replaced)


def _settled(lines: Mapping[str, bytes]) -> set[str]:
    """Return what a batch settled: completions, and verdicts on a text. Any other call is handed in again."""
    return {key for key, line in lines.items() if _settles(line)}


def _settles(line: bytes) -> bool:
    """Tell whether a line says for good what became of its call: a completion, or that its text is refused."""
    response = orjson.loads(line)["response"]  # `Desk.results` lets no other line through
    payload = orjson.dumps(response.get("body"))
    if response["status_code"] != 200:
        return is_refusal_of_content(fault_of(response["status_code"], {}, payload))
    try:
        parse_reply(b"", payload)
    except Fault:
        return False
    return True
