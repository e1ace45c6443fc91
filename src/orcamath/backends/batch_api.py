"""The calls of a batch API: upload a file of requests and make a batch of it, find it, ask how it stands, fetch what came back.

Each is tried again while the wire fails, up to the model's `max_tries`; keys of ours are hidden in what comes back. Every call
raises TeacherRefused where the endpoint refuses it for good, and WireDown where it does not come through. A batch whose making
was not answered is looked for before it is made again.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from orcamath.backends.wire_calls import at_most, fetched, join_url, sent
from orcamath.backends.wire_keys import Door
from orcamath.backends.wire_pace import backoff, bounded
from orcamath.backends.wire_protocol import Fault, fault_of
from orcamath.backends.wire_run import awaited
from orcamath.errors import TeacherRefused, WireDown
from orcamath.settings import ModelSettings

__all__ = ["BatchAPI", "FileRefused", "Gone"]

MAX_PAGES = 1_000
MAX_ANSWER_BYTES = 16_000_000
"""No batch, and no page of the list of them, says more of itself."""
MAX_LINE_BYTES = 1_000_000
"""So much a call may come back in a file of results: a quarter of a million tokens."""


class FileRefused(TeacherRefused):
    """The endpoint does not take a file of requests, or makes no batch of it: none of its calls is under way."""


class Gone(TeacherRefused):
    """The endpoint has no such batch or file (any more)."""


class BatchAPI:
    """One endpoint's batches. A batch of ours carries the nonce of its intent in its metadata."""

    def __init__(self, door: Door, settings: ModelSettings, named: str, first_backoff_s: float) -> None:
        """`named`: the address as the recipe writes it, for messages; `first_backoff_s`: see `wire_pace.backoff`."""
        self.door, self.named, self.first_backoff_s = door, named, first_backoff_s
        self.max_tries, self.timeout_s = settings.max_tries, settings.timeout_s
        told: dict[str, object] = orjson.loads(orjson.dumps(settings.body))
        self.secret_fields = {name: value for name, value in told.items() if door.body[name] != value}

    def made(self, nonce: str, content: bytes) -> str:
        """Upload the lines of a batch and make it; returns its id. Raises FileRefused: its lines will not do."""
        file = self._call("POST", "files", upload=(f"orcamath-{nonce}.jsonl", self._filled(content)))
        what = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
        mark = {"metadata": {"orcamath_nonce": nonce}}
        body = {"input_file_id": _id(file)} | what | mark
        return _id(self._call("POST", "batches", json=body, already=lambda: self.found(nonce)))

    def found(self, nonce: str) -> str | None:
        """Return the id of the batch with that nonce; None where the endpoint has none. Reads the whole list, page by page."""
        after = ""
        for _ in range(MAX_PAGES):
            page = self._call("GET", "batches", query=f"limit=100{after}")
            listed = page.get("data")
            batches = [b for b in listed if isinstance(b, dict)] if isinstance(listed, list) else []
            for batch in batches:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get("orcamath_nonce") == nonce:
                    return _id(batch)
            if not page.get("has_more") or not batches:
                return None
            after = f"&after={quote(_id(batches[-1]), safe='')}"
        raise WireDown(
            f"batch API at {self.named}: its list of batches does not end after {MAX_PAGES} pages; run again later"
        )

    def batch(self, batch_id: str) -> dict[str, Any]:
        """Return what the endpoint says of a batch, its `status` a text. Raises Gone where there is none."""
        found: dict[str, Any] = self._call("GET", f"batches/{quote(batch_id, safe='')}")
        if not isinstance(found.get("status"), str):
            raise WireDown(f"batch API at {self.named}: it does not say how batch {batch_id} stands; run again later")
        return found

    def content(self, file_id: str, n_lines: int) -> bytes:
        """Return a file of results; one that is longer than so many can be is not read to its end. Raises Gone."""
        found: bytes = self._call("GET", f"files/{quote(file_id, safe='')}/content", most_lines=n_lines)
        return found

    def _filled(self, content: bytes) -> bytes:
        """Put the environment's values into the further fields of request lines, which are written down without them."""
        if not self.secret_fields:
            return content
        rows = [orjson.loads(line) for line in content.splitlines()]
        for row in rows:
            ours = {name for name, told in self.secret_fields.items() if row["body"].get(name) == told}
            row["body"] |= {name: self.door.body[name] for name in ours}
        return b"\n".join(map(orjson.dumps, rows)) + b"\n"

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        json: object = None,
        upload: tuple[str, bytes] | None = None,
        most_lines: int | None = None,
        already: Callable[[], str | None] | None = None,
    ) -> Any:
        """Make one call, with retries; returns the answer's JSON object, or the bytes of a file of at most so many lines.

        `already` tells before each further try what an earlier one made all the same.
        """
        url = join_url(self.door.url, path, query)
        for attempt in range(1, self.max_tries + 1):
            if attempt > 1 and already is not None and (there := already()) is not None:
                return {"id": there}
            try:
                return awaited(lambda: self._once(method, url, json, upload, most_lines))
            except Fault as fault:
                message = f"batch API at {self.named}: {method} {path}: {self.door.secrets.hide(str(fault))}"
                if fault.kind in ("refused", "item"):
                    gone = Gone if fault.status in (404, 410) else TeacherRefused
                    # where an earlier try was not answered, a batch may have been made all the same
                    nothing_made = method == "POST" and (attempt == 1 or upload is not None)
                    raise (FileRefused if nothing_made else gone)(message) from None
                wait = max(bounded(fault.retry_after), backoff(attempt - 1, self.first_backoff_s))
            if attempt < self.max_tries:
                time.sleep(wait)
        raise WireDown(f"{message}. What is handed in is written down; run again")

    async def _once(
        self, method: str, url: str, json: object, upload: tuple[str, bytes] | None, most_lines: int | None
    ) -> Any:
        data: object = None
        headers = dict(self.door.headers)
        if upload is not None:
            data = aiohttp.FormData({"purpose": "batch"})
            data.add_field("file", upload[1], filename=upload[0], content_type="application/jsonl")
        elif json is not None:
            data = orjson.dumps(json)
            headers["Content-Type"] = "application/json"
        timeout = aiohttp.ClientTimeout(total=self.timeout_s * (10 if upload is not None else 1))
        if most_lines is not None:  # a day's results: however long it takes, as long as something comes
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.timeout_s, sock_read=self.timeout_s)
        try:
            async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
                if most_lines is not None:
                    read = at_most(MAX_ANSWER_BYTES + most_lines * MAX_LINE_BYTES)
                    status, said, payload = await fetched(session, url, timeout, read)
                else:
                    status, said, payload = await sent(session, method, url, data, at_most(MAX_ANSWER_BYTES))
            payload = self.door.secrets.hide_in(payload)
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise Fault("wire", f"{type(e).__name__} {e}") from e
        if status != 200:
            raise fault_of(status, said, payload)
        if most_lines is not None:
            return payload
        try:
            answer = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise Fault("wire", "the answer is no JSON") from None
        if not isinstance(answer, dict):
            raise Fault("wire", "the answer is no JSON object")
        return answer


def _id(answer: dict[str, object]) -> str:
    if not isinstance(found := answer.get("id"), str) or not found:
        raise WireDown("the batch API answers without an `id`: what is handed in is written down; run again later")
    return found
