"""How the ledger looks inside: tables, versions, and how a call becomes bytes and back.

What a call says is parted in two. Its *prefix* (every message but the last, and the sampling parameters) is the same for
thousands of calls and stored once. Its *body* (the last message, or the prompt ids) is stored once for all draws. A reply is
one deflated blob; the reply to a message is deflated with that message as its dictionary, since solutions repeat their
problem's words. Before it stands a checksum of key, prompt and reply, so that damage anywhere on the way is noticed (replies of
version 2 and before have none, and are read as they are).

Version 1 kept everything in one table; `open_shard` migrates it. To look inside with `sqlite3`: `SELECT fingerprint,
count(*) FROM calls JOIN models ON models.id = model GROUP BY model`.
"""

import sqlite3
import sys
import zlib
from array import array
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import orjson

from orcamath.errors import SchemaTooNew
from orcamath.ports import Message, Reply, Request, Sampling, Usage
from orcamath.store.sqlite_errors import connect, explained, transaction

__all__ = [
    "LEDGER_VERSION",
    "Parts",
    "Unreadable",
    "join",
    "open_shard",
    "pack_body",
    "pack_reply",
    "prefix_id",
    "split_prompt",
    "unpack_body",
    "unpack_reply",
]

LEDGER_VERSION = 3
PAGE_BYTES = 8192
LEVEL = 6
CHECKED, CHECKED_SLOWLY = b"\x07", b"\x06"
"""First byte of a reply with a checksum: a block type that deflate does not have, so no older reply begins with it. The first
files of version 3 have another checksum, which took three microseconds a reply."""
SUM_BYTES = 4

_TABLES = """
CREATE TABLE models (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE prefixes (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE);
CREATE TABLE prompts (id INTEGER PRIMARY KEY, prefix INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE calls (id INTEGER PRIMARY KEY, key BLOB NOT NULL, model INTEGER NOT NULL, prompt INTEGER NOT NULL,
                    draw INTEGER NOT NULL, reply BLOB NOT NULL);
CREATE UNIQUE INDEX calls_key ON calls(key);
"""


def open_shard(path: Path) -> sqlite3.Connection:
    """Open one file of the ledger, made or migrated as needed.

    Raises SchemaTooNew on one from a later version, DataError on a damaged one, DiskFull where it cannot be written.
    """
    with explained(path, "the ledger"):
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    db = connect(path)
    db.execute(f"PRAGMA page_size={PAGE_BYTES}")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")  # survives any crash of this program; a power cut may cost the last moments
    if _version(db) < LEDGER_VERSION:
        with transaction(db):
            version = _version(db)  # another process may have been quicker
            if version == 0:
                _create(db)
            elif version == 1:
                _from_version_1(db)
            db.execute(f"PRAGMA user_version={LEDGER_VERSION}")
    elif (version := _version(db)) > LEDGER_VERSION:
        db.close()
        raise SchemaTooNew(
            f"the ledger `{path}` has version {version}, this software knows up to {LEDGER_VERSION}: upgrade orcamath, or "
            "point `--store` at another folder"
        )
    return db


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _create(db: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        if statement.strip():
            db.execute(statement)


class Unreadable(Exception):
    """A stored reply is not what was written."""


class Parts(NamedTuple):
    """What a call says, parted: `prefix` is JSON text, `body` the last message's text or the packed prompt ids."""

    prefix: str
    body: bytes
    is_text: bool


def split_prompt(request: Request) -> Parts:
    """Part a request for storage; `join` undoes it."""
    s = request.sampling
    sampling = [s.temperature, s.top_p, s.max_tokens, list(s.stop)]
    if request.token_ids is not None:
        return Parts(orjson.dumps(["ids", sampling]).decode(), _pack_ids(request.token_ids), is_text=False)
    *before, (role, text) = request.messages
    return Parts(
        orjson.dumps(["messages", sampling, [list(m) for m in before], role]).decode(), text.encode(), is_text=True
    )


def join(prefix: str, body: bytes, draw: int) -> Request:
    """Return the request that was parted."""
    kind, (temperature, top_p, max_tokens, stop), *rest = orjson.loads(prefix)
    sampling = Sampling(temperature, top_p, max_tokens, tuple(stop))
    if kind == "ids":
        return Request(token_ids=_unpack_ids(body), sampling=sampling, draw=draw)
    before, role = rest
    messages = (*(Message(r, t) for r, t in before), Message(role, body.decode()))
    return Request(messages, sampling=sampling, draw=draw)


def pack_body(parts: Parts) -> bytes:
    """Deflate a body; what went before it is its dictionary."""
    return _deflate(parts.body, parts.prefix.encode())


def unpack_body(prefix: bytes, packed: bytes) -> bytes:
    """Inflate a body. Raises Unreadable."""
    try:
        return _inflate(packed, prefix)
    except (zlib.error, ValueError) as e:
        raise Unreadable(str(e)) from e


def pack_reply(reply: Reply, parts: Parts) -> bytes:
    """Turn a reply into bytes: a checksum, and the reply deflated with the prompt's text as dictionary."""
    usage, text = reply.usage, reply.text.encode("utf-8", "surrogatepass")
    head: list[object] = [reply.finish_reason, usage.prompt_tokens, usage.completion_tokens, len(text)]
    if reply.reasoning is not None:
        head.append(reply.reasoning)
    header = orjson.dumps(head)
    ids = b"" if reply.token_ids is None else b"i" + _pack_ids(reply.token_ids)
    content = b"%d " % len(header) + header + text + ids
    dictionary = parts.body if parts.is_text else b""
    return CHECKED + _sum(reply.key, dictionary, content) + _deflate(content, dictionary)


def unpack_reply(key: bytes, packed: bytes, dictionary: bytes) -> Reply:
    """Turn bytes back into the reply. Raises Unreadable where they are not what was written."""
    how = packed[:1]
    wanted = packed[1 : 1 + SUM_BYTES] if how in (CHECKED, CHECKED_SLOWLY) else None
    try:
        content = _inflate(packed if wanted is None else packed[1 + SUM_BYTES :], dictionary)
        if wanted is not None and wanted != (_sum if how == CHECKED else _slow_sum)(key, dictionary, content):
            raise Unreadable("its checksum does not fit")
        start = content.index(b" ") + 1
        middle = start + int(content[:start])
        finish, n_in, n_out, length, *reasoning = orjson.loads(content[start:middle])
        text, ids = content[middle : middle + length], content[middle + length :]
        return Reply(
            key,
            text.decode("utf-8", "surrogatepass"),
            finish,
            Usage(n_in, n_out),
            _unpack_ids(ids[1:]) if ids else None,
            None,
            reasoning[0] if reasoning else None,
        )
    except (zlib.error, ValueError, TypeError, IndexError) as e:
        raise Unreadable(str(e)) from e


def _sum(key: bytes, dictionary: bytes, content: bytes) -> bytes:
    return zlib.crc32(content, zlib.crc32(dictionary, zlib.crc32(key))).to_bytes(SUM_BYTES, "big")


def _slow_sum(key: bytes, dictionary: bytes, content: bytes) -> bytes:
    h = blake2b(dictionary, digest_size=SUM_BYTES, key=key)
    h.update(content)
    return h.digest()


def _deflate(data: bytes, dictionary: bytes) -> bytes:
    # raw: zlib's own checksum would not cover the dictionary's length, nor say whose reply it is
    packer = zlib.compressobj(LEVEL, wbits=-15, zdict=dictionary) if dictionary else zlib.compressobj(LEVEL, wbits=-15)
    return packer.compress(data) + packer.flush()


def _inflate(data: bytes, dictionary: bytes) -> bytes:
    opener = zlib.decompressobj(wbits=-15, zdict=dictionary) if dictionary else zlib.decompressobj(wbits=-15)
    content = opener.decompress(data)
    if not opener.eof or opener.unused_data:
        raise ValueError("it is cut short, or something follows it")
    return content


_SWAP = sys.byteorder == "big"


def _pack_ids(ids: tuple[int, ...]) -> bytes:
    """Two bytes an id where all fit, else four; the first byte says which. Little-endian."""
    small = max(ids, default=0) < 1 << 16
    packed = array("H" if small else "I", ids)
    if _SWAP:
        packed.byteswap()
    return (b"\x02" if small else b"\x04") + packed.tobytes()


def _unpack_ids(packed: bytes) -> tuple[int, ...]:
    ids = array("H" if packed[0] == 2 else "I", packed[1:])
    if _SWAP:
        ids.byteswap()
    return tuple(ids)


def _from_version_1(db: sqlite3.Connection) -> None:
    """Version 1: one table `calls(key, model, draw, prompt, reply)`, the whole request and reply as deflated JSON."""
    db.execute("ALTER TABLE calls RENAME TO calls_1")
    db.execute("ALTER TABLE models RENAME TO models_1")
    _create(db)
    db.execute("INSERT INTO models SELECT id, fingerprint FROM models_1")
    for key, model, draw, prompt, packed in db.execute("SELECT key, model, draw, prompt, reply FROM calls_1"):
        said, temperature, top_p, max_tokens, stop = orjson.loads(zlib.decompress(prompt))
        sampling = Sampling(temperature, top_p, max_tokens, tuple(stop))
        if said and isinstance(said[0], int):
            request = Request(token_ids=tuple(said), sampling=sampling, draw=draw)
        else:
            request = Request(tuple(Message(r, t) for r, t in said), sampling=sampling, draw=draw)
        text, finish, n_in, n_out, ids, reasoning = orjson.loads(zlib.decompress(packed))
        reply = Reply(key, text, finish, Usage(n_in, n_out), None if ids is None else tuple(ids), None, reasoning)
        parts = split_prompt(request)
        prefix = prefix_id(db, parts.prefix)
        row = db.execute("INSERT INTO prompts(prefix, body) VALUES (?,?)", (prefix, pack_body(parts)))
        db.execute(
            "INSERT INTO calls(key, model, prompt, draw, reply) VALUES (?,?,?,?,?)",
            (key, model, row.lastrowid, draw, pack_reply(reply, parts)),
        )
    db.execute("DROP TABLE calls_1")
    db.execute("DROP TABLE models_1")


def prefix_id(db: sqlite3.Connection, prefix: str) -> int:
    """Return the id of a prefix, stored now if it is new."""
    db.execute("INSERT OR IGNORE INTO prefixes(body) VALUES (?)", (prefix,))
    return int(db.execute("SELECT id FROM prefixes WHERE body=?", (prefix,)).fetchone()[0])
