"""A model that only repeats what a file holds: for tests, for worked examples, and for replies made elsewhere.

The file is JSON lines, one prompt each: `{"messages": [["system", "…"], ["user", "…"]], "replies": ["…", …]}`, or
`"token_ids": [...]` instead of messages. The n-th reply answers draw n; sampling parameters are not compared. A reply is
text, or an object with `text`, `finish_reason`, `prompt_tokens`, `completion_tokens`, `token_ids`, `reasoning`.

A request that the file does not hold is a failure of that call (`Reply.error`), never a made-up answer, so its stage stays
unsealed and says which prompt is missing. `record` writes such a file.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from orcamath.errors import DataError, RecipeError
from orcamath.ports import Replies, Reply, Request, Usage
from orcamath.reading import MAX_LINE, Overlong, bounded_lines, open_file
from orcamath.records import canonical
from orcamath.settings import ModelSettings

__all__ = ["Recorded", "open_chat", "record"]

_KNOWN = {"text", "finish_reason", "prompt_tokens", "completion_tokens", "token_ids", "reasoning"}
_SHOWN = 60


class Recorded:
    """The Chat: replies by prompt and draw."""

    chunk: int | None = None

    def __init__(self, fingerprint: str, path: Path, replies: dict[bytes, list[dict[str, Any]]]) -> None:
        self.fingerprint = fingerprint
        self._path = path
        self._replies = replies

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer the requests, in order."""
        for request in requests:
            yield self._answer(request, request.key(self.fingerprint))

    def _answer(self, request: Request, key: bytes) -> Reply:
        known = self._replies.get(canonical(_prompt(request)), [])
        draw = 0 if request.sampling.temperature == 0 else request.draw
        if draw >= len(known):
            shown = (
                request.messages[-1].content[-_SHOWN:] if request.messages else f"{len(request.token_ids or ())} ids"
            )
            have = f"only {len(known)} replies" if known else "no reply"
            return Reply(key, error=f"`{self._path}` has {have} for draw {draw} of the prompt ending in {shown!r}")
        r = known[draw]
        ids = r.get("token_ids")
        return Reply(
            key,
            r["text"],
            r.get("finish_reason", "stop"),
            Usage(r.get("prompt_tokens", 0), r.get("completion_tokens", 0)),
            None if ids is None else tuple(ids),
            None,
            r.get("reasoning"),
        )


def open_chat(settings: ModelSettings) -> Recorded:
    """Read the file that `model` names. Raises RecipeError where there is none, DataError on a malformed line."""
    path = Path(settings.model)
    if not path.is_file():
        raise RecipeError(f"the file of recorded replies `{path}` does not exist: `model` names it")
    replies: dict[bytes, list[dict[str, Any]]] = {}
    content = blake2b(digest_size=16)
    with open_file(path) as file:
        for n, line in enumerate(bounded_lines(file), 1):
            if isinstance(line, Overlong):
                raise DataError(f"{path}:{n}: the line is longer than {MAX_LINE:,} bytes; a line looks like {_EXAMPLE}")
            content.update(line)
            if line.strip():
                try:
                    prompt, said = _read(orjson.loads(line))
                except (AttributeError, KeyError, TypeError, ValueError) as e:
                    raise DataError(
                        f"{path}:{n}: no recorded reply ({e!r:.200}); a line looks like {_EXAMPLE}"
                    ) from None
                replies.setdefault(prompt, []).extend(said)
    return Recorded(f"recorded:{content.hexdigest()}", path, replies)


_EXAMPLE = '{"messages": [["user", "What is 2 + 2?"]], "replies": ["4"]}'


def _read(row: dict[str, Any]) -> tuple[bytes, list[dict[str, Any]]]:
    prompt = list(row["token_ids"]) if "token_ids" in row else [[role, text] for role, text in row["messages"]]
    said = [{"text": r} if isinstance(r, str) else dict(r) for r in row["replies"]]
    for r in said:
        if unknown := set(r) - _KNOWN:
            raise ValueError(f"unknown field {sorted(unknown)}")
        if not isinstance(r["text"], str) or r.get("finish_reason", "stop") not in ("stop", "length", "refused"):
            raise ValueError("text or finish_reason")
        numbers = [r.get("prompt_tokens", 0), r.get("completion_tokens", 0), *(r.get("token_ids") or ())]
        if not all(type(n) is int and 0 <= n < 2**32 for n in numbers) or not isinstance(
            r.get("reasoning", ""), str | None
        ):
            raise ValueError("prompt_tokens, completion_tokens, token_ids or reasoning")
    return canonical(prompt), said


def _prompt(request: Request) -> list[int] | list[list[str]]:
    if request.token_ids is not None:
        return list(request.token_ids)
    return [[m.role, m.content] for m in request.messages]


def record(path: Path, pairs: Iterable[tuple[Request, Sequence[str]]]) -> None:
    """Write prompts and their replies (draw 0, 1, …) as a file that `open_chat` reads."""
    with path.open("wb") as f:
        for request, replies in pairs:
            name = "messages" if request.token_ids is None else "token_ids"
            f.write(orjson.dumps({name: _prompt(request), "replies": list(replies)}) + b"\n")
