"""The batch half of the misbehaving server: files, batches by nonce, results after some polls, requests that expire."""

import re
from collections.abc import Callable
from typing import Any

import orjson

from orcamath.testing.http import HttpAnswer, Incoming

__all__ = ["BatchDesk"]


Body = dict[str, Any]
"""A request or an answer as JSON values."""


class BatchDesk:
    """Keeps files and batches. `answer(body)` completes one request and returns status and completion.

    A batch ends at its `polls`-th look; the last `lost` requests of every batch are then missing, as if they had expired. A
    request with one of the fields in `refuses` comes back as a 400; a batch fails as a whole where `fails` says why.
    """

    def __init__(self, *, polls: int = 1, lost: int = 0, refuses: tuple[str, ...] = (), fails: str = "") -> None:
        self.polls, self.lost, self.refuses, self.fails = polls, lost, refuses, fails
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Body] = {}
        self.looks: dict[str, int] = {}
        self.done: dict[str, list[bool]] = {}
        """Of each batch's requests that will come back: whether with a completion, not with a 400."""

    def handle(self, incoming: Incoming, answer: Callable[[Body], object]) -> HttpAnswer | None:
        """Handle a call on /v1/files or /v1/batches; None for any other path."""
        path = incoming.path.partition("?")[0].removeprefix("/v1")
        if path == "/files":
            return self._file(incoming)
        if match := re.fullmatch(r"/files/([\w-]+)/content", path):
            return HttpAnswer(body=self.files[match[1]])
        if path == "/batches" and incoming.method == "POST":
            return self._make(orjson.loads(incoming.body), answer)
        if path == "/batches":
            return HttpAnswer(body=orjson.dumps({"data": list(self.batches.values()), "has_more": False}))
        if match := re.fullmatch(r"/batches/([\w-]+)", path):
            return self._look(match[1])
        return None

    def _file(self, incoming: Incoming) -> HttpAnswer:
        boundary = incoming.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        parts = incoming.body.split(b"--" + boundary)
        content = next(p for p in parts if b'name="file"' in p).partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return HttpAnswer(body=orjson.dumps({"id": name}))

    def _make(self, body: Body, answer: Callable[[Body], object]) -> HttpAnswer:
        name = f"batch-{len(self.batches)}"
        rows = [orjson.loads(line) for line in self.files[body["input_file_id"]].splitlines() if line.strip()]
        kept = rows[: len(rows) - self.lost]
        said = [{"custom_id": r["custom_id"], "response": self._response(r["body"], answer)} for r in kept]
        self.files[f"{name}-out"] = b"\n".join(map(orjson.dumps, said))
        self.batches[name] = {
            "id": name,
            "status": "in_progress",
            "metadata": body.get("metadata"),
            "output_file_id": f"{name}-out",
            "request_counts": {"total": len(rows), "completed": 0, "failed": 0},
        }
        self.done[name] = [one["response"]["status_code"] == 200 for one in said]
        return HttpAnswer(body=orjson.dumps(self.batches[name]))

    def _response(self, body: Body, answer: Callable[[Body], object]) -> Body:
        refused = next((name for name in self.refuses if name in body), None)
        if refused is None:
            return {"status_code": 200, "body": answer(body)}
        other = " Use 'max_completion_tokens' instead." if refused == "max_tokens" else ""
        message = f"Unsupported parameter: '{refused}' is not supported with this model.{other}"
        return {"status_code": 400, "body": {"error": {"message": message, "param": refused}}}

    def _look(self, name: str) -> HttpAnswer:
        batch = self.batches[name]
        self.looks[name] = self.looks.get(name, 0) + 1
        if self.looks[name] >= self.polls:
            batch["status"] = "failed" if self.fails else "expired" if self.lost else "completed"
            if self.fails:
                batch |= {
                    "output_file_id": None,
                    "errors": {"data": [{"code": "failed", "message": self.fails, "line": None}]},
                }
        # a provider works through a batch: as much as its share of the looks is done
        ends = [] if self.fails else self.done[name]
        seen = ends if self.looks[name] >= self.polls else ends[: len(ends) * self.looks[name] // self.polls]
        batch["request_counts"] |= {"completed": sum(seen), "failed": len(seen) - sum(seen)}
        return HttpAnswer(body=orjson.dumps(batch))
