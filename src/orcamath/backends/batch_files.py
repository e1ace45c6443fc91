"""What a batch backend must remember on disk to survive a crash: one *intent* a batch, and the results once they are here.

An intent (nonce, keys, fingerprint) is written and synced before anything is uploaded, so that no batch can exist that
nobody knows of. Results stay as a local file: a key that is asked again is answered from it, whatever happened between the
download and the ledger's commit.
"""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

__all__ = ["Desk", "Intent"]


@dataclass
class Intent:
    """One batch: what was to be sent, and how far it got."""

    nonce: str
    keys: list[str]
    """Hex keys of the requests, which are the batch's `custom_id`s."""
    batch_id: str | None = None
    status: str = "intended"
    """`intended`, `open`, or how it ended: `completed`, `expired`, `cancelled`, `failed`."""

    @property
    def is_open(self) -> bool:
        """Whether its keys may still come."""
        return self.status in ("intended", "open")


class Desk:
    """The folder of one model's batches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def intend(self, lines: Iterable[bytes], keys: list[str]) -> Intent:
        """Write down a batch that is about to be made: its lines, then its intent."""
        intent = Intent(secrets.token_hex(8), keys)
        _write(self.lines_of(intent), b"\n".join(lines) + b"\n")
        self.save(intent)
        return intent

    def save(self, intent: Intent) -> None:
        """Write an intent, whole and synced."""
        content = {"nonce": intent.nonce, "keys": intent.keys, "batch_id": intent.batch_id, "status": intent.status}
        _write(self.folder / f"{intent.nonce}.json", orjson.dumps(content))

    def intents(self) -> list[Intent]:
        """Return all intents."""
        return [Intent(**orjson.loads(p.read_bytes())) for p in sorted(self.folder.glob("*.json"))]

    def lines_of(self, intent: Intent) -> Path:
        """Where the request lines of a batch are."""
        return self.folder / f"{intent.nonce}.in.jsonl"

    def keep_results(self, intent: Intent, content: bytes, status: str) -> None:
        """Keep what came back and close the intent; its request lines are no longer needed."""
        _write(self.folder / f"{intent.nonce}.out.jsonl", content)
        intent.status = status
        self.save(intent)
        self.lines_of(intent).unlink(missing_ok=True)

    def results(self, intent: Intent) -> dict[str, bytes]:
        """Return the lines of a batch that settle a call, by key: a completion, or a verdict on the request itself."""
        path = self.folder / f"{intent.nonce}.out.jsonl"
        found = {}
        for line in path.read_bytes().splitlines() if path.exists() else []:
            if line.strip():
                row = orjson.loads(line)
                if (row.get("response") or {}).get("status_code") in (200, 400):
                    found[row["custom_id"]] = line
        return found


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())
    temporary.replace(path)
