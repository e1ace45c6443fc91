"""What a batch backend must remember on disk to survive a crash: one *intent* a batch, and the results once they are here.

An intent (nonce, keys, fingerprint) is written and synced before anything is uploaded, so that no batch can exist that
nobody knows of. Results stay as a local file: a key that is asked again is answered from it, whatever happened between the
download and the ledger's commit.

Several processes may work at one desk, as the arms of an experiment do: whoever hands in or takes up batches is alone with it.

Each is held against a hash when it is read. An intent that is damaged is put together again from its name and its keys, so that
the batch it stands for is found at the provider and not paid for again; results that are damaged are fetched again.
"""

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from orcamath.backends.wire_protocol import without_echo
from orcamath.store.locks import wait_for
from orcamath.store.placing import write_whole
from orcamath.store.seals import changed, hash_of, read_sealed, write_sealed

__all__ = ["Desk", "Intent", "reason_of", "rewritten", "unechoed"]

log = logging.getLogger("orcamath.wire")


@dataclass
class Intent:
    """One batch: what was to be sent, and how far it got."""

    nonce: str
    keys: list[str]
    """Hex keys of the requests, which are the batch's `custom_id`s."""
    batch_id: str | None = None
    status: str = "intended"
    """`intended`, `open`, or how it ended: `completed`, `expired`, `cancelled`, `failed`."""
    results: str | None = None
    """Hash of the file of results; None until there is one, or from before there were hashes."""
    lines: str | None = None
    """Hash of the request lines, likewise."""
    reason: str = ""
    """Why it failed, in the provider's words."""
    fields: list[str] = field(default_factory=list)
    """Names of all fields its lines sent; a 400 about one of them may be mended, see `Quirks.learn`."""

    @property
    def is_open(self) -> bool:
        """Whether its keys may still come."""
        return self.status in ("intended", "open")


class Desk:
    """The folder of one model's batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the desk; another process that wants it waits here."""
        with wait_for(self.folder / ".lock", "hand in batches"):
            yield

    def intend(self, lines: Sequence[bytes], keys: list[str]) -> Intent:
        """Write down a batch that is about to be made: its lines, then its intent."""
        fields = sorted({name for line in lines for name in orjson.loads(line).get("body", ())})
        intent = Intent(secrets.token_hex(8), keys, fields=fields)
        write_whole(path := self.lines_of(intent), b"\n".join(lines) + b"\n")
        intent.lines = hash_of(path)
        self.save(intent)
        return intent

    def save(self, intent: Intent) -> None:
        """Write an intent, whole and synced."""
        write_sealed(self.folder / f"{intent.nonce}.json", asdict(intent))

    def intents(self) -> list[Intent]:
        """Return all intents."""
        return [intent for p in sorted(self.folder.glob("*.json")) if (intent := self._intent(p)) is not None]

    def again(self, intent: Intent) -> Intent:
        """Return an intent as it stands now: another process may have taken up its batch."""
        return self._intent(self.folder / f"{intent.nonce}.json") or intent

    def _intent(self, path: Path) -> Intent | None:
        """Read an intent. One that is damaged is `intended` again: whoever uploads it looks for it at the provider first."""
        known = read_sealed(path)
        if known is not None and not {"nonce", "keys"} <= known.keys() <= {f.name for f in fields(Intent)}:
            log.warning("`%s` is damaged: it is put together again", path)
            known = None
        intent = Intent(**known) if known is not None else Intent(path.stem, [])
        lines, results = self.lines_of(intent), self._results_of(intent)
        if known is None:
            intent.status = "completed" if results.exists() else "intended"
            intent.keys = [
                str(row["custom_id"]) for p in (lines, results) for _, row in _rows(_bytes(p)) if "custom_id" in row
            ]
            if not intent.keys:
                return None  # nothing tells what it was for
        if intent.results is not None and changed(results, intent.results):
            log.warning("`%s` is damaged: the results are fetched again", results)
            intent.status, intent.results = "intended" if intent.batch_id is None else "open", None
        return intent

    def lines(self, intent: Intent) -> bytes | None:
        """Return the request lines of a batch that is not made yet; None where they are no longer what was to be sent."""
        path = self.lines_of(intent)
        if not path.exists() or (intent.lines is not None and changed(path, intent.lines)):
            return None
        return path.read_bytes()

    def drop(self, intent: Intent, why: str) -> None:
        """Forget a batch that was never made: its calls are handed in anew."""
        log.warning("`%s` %s, and no such batch was made: its calls are handed in anew", self.lines_of(intent), why)
        for path in (self.folder / f"{intent.nonce}.json", self.lines_of(intent)):
            path.unlink(missing_ok=True)

    def files_of(self, intent: Intent) -> str:
        """Return what matches all files that a batch has here."""
        return str(self.folder / f"{intent.nonce}.*")

    def lines_of(self, intent: Intent) -> Path:
        """Return where the request lines of a batch are."""
        return self.folder / f"{intent.nonce}.in.jsonl"

    def keep_results(self, intent: Intent, content: bytes, status: str, reason: str = "") -> None:
        """Keep what came back and close the intent; its request lines are no longer needed."""
        write_whole(path := self._results_of(intent), content)
        intent.status, intent.reason, intent.results = status, reason, hash_of(path)
        self.save(intent)
        self.lines_of(intent).unlink(missing_ok=True)

    def results(self, intent: Intent) -> dict[str, bytes]:
        """Return the lines of a batch that may settle a call, by key: what the endpoint said to it, the first completion of
        several."""
        found: dict[str, tuple[bool, bytes]] = {}
        for line, row in _rows(_bytes(self._results_of(intent))):
            key, status = row.get("custom_id"), _status(row)
            if (
                isinstance(key, str)
                and status is not None
                and (key not in found or (status == 200 and not found[key][0]))
            ):
                found[key] = status == 200, line
        return {key: line for key, (_, line) in found.items()}

    def _results_of(self, intent: Intent) -> Path:
        return self.folder / f"{intent.nonce}.out.jsonl"


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _rows(content: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield the lines that are JSON objects, and those; a provider may write others."""
    for line in content.splitlines():
        with suppress(ValueError):
            if isinstance(row := orjson.loads(line), dict):
                yield line, row


def _status(row: Mapping[str, object]) -> int | None:
    """Return the status of a line of results, None where it has none."""
    said = row.get("response")
    status = said.get("status_code") if isinstance(said, dict) else None
    return status if type(status) is int else None


def unechoed(came: bytes, lines: bytes) -> bytes:
    """Return a batch's results, each failure without the texts of its own call; `lines`: its requests."""
    failed = {str(row.get("custom_id")) for _, row in _rows(came) if _status(row) not in (200, None)}
    asked = (row for _, row in _rows(lines) if failed and row.get("custom_id") in failed)
    texts = {row["custom_id"]: [m["content"] for m in row["body"]["messages"]] for row in asked}
    return b"\n".join(
        line if _status(row) == 200 else without_echo(line, texts.get(str(row.get("custom_id")), ()))
        for line, row in _rows(came)
    )


def reason_of(batch: dict[str, object]) -> str:
    """Return what the provider says about a batch that failed: too many tokens enqueued, a line it cannot read, …"""
    errors = batch.get("errors")
    rows = errors.get("data") if isinstance(errors, dict) else None
    rows = [e for e in rows if isinstance(e, dict)] if isinstance(rows, list) else []
    said = [f"{e.get('message') or e.get('code')}" + (f" (line {e['line']})" if e.get("line") else "") for e in rows]
    return "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if len(said) > 3 else "")


def rewritten(lines: bytes, keys: Set[str], apply: Callable[[dict[str, object]], dict[str, object]]) -> list[bytes]:
    """Return the request lines of some keys, their bodies as `apply` makes them."""
    rows = (orjson.loads(line) for line in lines.splitlines() if line.strip())
    return [orjson.dumps(row | {"body": apply(row["body"])}) for row in rows if row["custom_id"] in keys]
