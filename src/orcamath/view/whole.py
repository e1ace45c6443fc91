"""One record, whole: read where it lies, made inert, and cut only where it is longer than anybody reads.

In: a row of the index. Out: plain values for the page. Every text goes through `inert`: nothing hidden, nothing reordered.
"""

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orcamath.errors import DataError
from orcamath.student.spelling import Spelled
from orcamath.view.calls import RememberedCall, one_call
from orcamath.view.kinds import ALL_KINDS, IndexRow
from orcamath.visible import clip, visible

__all__ = ["MAX_CHARS", "inert", "marked_as", "named", "question_behind", "raw_text", "stored", "whole"]

GROUPS_KEPT = 12
MAX_CHARS = 20_000
"""Of any one text; the whole of it is one click away."""


def inert(value: object, limit: int | None = MAX_CHARS) -> Any:
    """Make every text in a JSON value fit to be looked at; `limit` None cuts nothing."""
    if isinstance(value, str):
        shown = visible(value if limit is None else value[: limit + 1])
        return (
            shown
            if limit is None
            else clip(shown, limit, max(len(value), len(shown)) if len(value) > limit else len(shown))
        )
    if isinstance(value, Mapping):
        return {inert(str(k), limit): inert(v, limit) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [inert(v, limit) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    return value


def named(db: sqlite3.Connection, kind: str, name: str) -> list[int]:
    """Return the rows of the index that hold the records of one kind and name."""
    query = "SELECT r.id FROM shown s CROSS JOIN records r ON s.id = r.id WHERE s.name = ? AND r.kind = ? ORDER BY r.id"
    return [row[0] for row in db.execute(query, (name, ALL_KINDS.index(kind)))] if kind in ALL_KINDS else []


def marked_as(kind: str, name: str, stage: str | None) -> str:
    """Return the id under which a reader marks a record: its own, and of an answer, which all students share, the stage too."""
    return f"{name} {stage}"[:200] if kind == "answers" else name


def stored(db: sqlite3.Connection, record: int, spelling: Spelled) -> IndexRow | None:
    """Return a record as it is stored, texts as they are; None where there is no such row."""
    found = db.execute(
        """SELECT r.kind, r.row, p.path, p.stage, s.name FROM records r JOIN parts p ON p.id = r.part JOIN shown s ON s.id = r.id
           WHERE r.id = ?""",
        (record,),
    ).fetchone()
    if found is None:
        return None
    kind, row, path, stage, name = found
    if ALL_KINDS[kind] == "calls":
        call = one_call(Path(path), row)
        # after `gc` another call may have its number
        return None if call is None or call.reply.key.hex() != name else _of_call(call, spelling)
    values = _table_row(Path(path), row)
    also = db.execute(
        "SELECT p.stage FROM held h JOIN parts p ON p.id = h.part WHERE h.record = ?", (record,)
    ).fetchall()
    return values | {"stage": stage, "held_by": [s for (s,) in also]}


def question_behind(db: sqlite3.Connection, problem: str, spelling: Spelled) -> str:
    """Return a problem's text, empty where the run's tables of problems do not have it."""
    found = (stored(db, record, spelling) for record in named(db, "problems", problem))
    return next((str(values["question"]) for values in found if values is not None), "")


def whole(db: sqlite3.Connection, record: int, spelling: Spelled) -> IndexRow | None:
    """Return a record for the page."""
    values = stored(db, record, spelling)
    return None if values is None else inert(values)


def raw_text(db: sqlite3.Connection, record: int, spelling: Spelled) -> str | None:
    """Return all texts of a record uncut, a heading above each, controls made visible."""
    values = stored(db, record, spelling)
    if values is None:
        return None
    return "\n\n".join(f"== {key}\n{_plain(inert(value, None))}" for key, value in values.items()) + "\n"


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "\n\n".join(_plain(v) for v in value)
    if isinstance(value, dict):
        return "\n".join(f"{k}: {_plain(v)}" for k, v in value.items())
    return "" if value is None else str(value)


def _table_row(path: Path, row: int) -> dict[str, object]:
    """Read one row; tables are written in groups, so only its group is read, and the next rows wanted are often in it."""
    values: dict[str, object]
    try:
        changed = path.stat().st_mtime_ns
        starts = _starts(path, changed)
        group = max(i for i, start in enumerate(starts) if start <= row)
        (values,) = _group(path, changed, group).slice(row - starts[group], 1).to_pylist()
    except (
        OSError,
        ValueError,
    ) as e:  # what pyarrow raises of a damaged file is a ValueError, and so is a row too many
        raise DataError(
            f"cannot read row {row} of the table `{path}`: {e}; `orcamath fsck` finds and mends what is damaged"
        ) from e
    return values


@lru_cache(maxsize=256)
def _starts(path: Path, _changed: int) -> list[int]:
    found = pq.ParquetFile(path).metadata
    sizes = (found.row_group(i).num_rows for i in range(found.num_row_groups - 1))
    return list(accumulate(sizes, initial=0))


@lru_cache(maxsize=GROUPS_KEPT)
def _group(path: Path, _changed: int, group: int) -> pa.Table:
    file = pq.ParquetFile(path)
    wanted = [name for name in file.schema_arrow.names if name != "token_ids"]
    return file.read_row_group(group, columns=wanted)


def _of_call(call: RememberedCall, spelling: Spelled) -> dict[str, object]:
    request, reply = call.request, call.reply
    if request.token_ids is None:
        prompt: list[dict[str, str]] = [{"role": m.role, "content": m.content} for m in request.messages]
    else:
        prompt = [{"role": f"{len(request.token_ids)} token ids", "content": spelling.text(request.token_ids)}]
    sampling = request.sampling
    return {
        "model": call.model,
        "prompt": prompt,
        "reply": reply.text,
        "reasoning": reply.reasoning,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.usage.prompt_tokens,
        "completion_tokens": reply.usage.completion_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop),
        "draw": request.draw,
        "key": reply.key.hex(),
    }
