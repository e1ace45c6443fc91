"""What others' records hold, field by field: looked at once where they come in (`held.py`), in few microseconds each.

In: a record whose class was seen to be right. Out: which of its fields holds what it may not, and what was due; or None.
"""

import re
from array import array
from collections.abc import Callable, Iterable
from math import isfinite
from numbers import Real
from operator import attrgetter
from typing import NamedTuple, TypeGuard, get_args

from pydantic import ValidationError

from orcamath.ports import Finding, Message, Reply, Request, Sampling, Usage
from orcamath.records import Outcome, Problem, Rejected

__all__ = ["amiss", "amiss_in_seed"]

_SLUGS = {
    "role": ("system", "user", "assistant"),
    "finish_reason": ("stop", "length", "refused"),
    "outcome": get_args(Outcome),
}


class _Field(NamedTuple):
    name: str
    get: Callable[[object], object]
    holds: Callable[[object], bool]
    due: str


def _field(name: str, holds: Callable[[object], bool], due: str) -> _Field:
    return _Field(name, attrgetter(name), holds, due)


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _one_of(name: str) -> _Field:
    known = _SLUGS[name]
    due = ", ".join(f"`{k}`" for k in known[:-1]) + f" or `{known[-1]}`"
    return _field(name, lambda value: isinstance(value, str) and value in known, due)


def _count(value: object) -> bool:
    return type(value) is int and value >= 0


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float | Real)  # in this order: only the last takes a microsecond


def _fraction(value: object) -> bool:
    return _number(value) and 0 < value <= 1


def _temperature(value: object) -> bool:
    return _number(value) and isfinite(value) and value >= 0


def _sent(value: object) -> bool:
    """Tell what is text that a wire can carry: half characters it cannot."""
    if not isinstance(value, str) or value.isascii():
        return isinstance(value, str)
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_sent, value))


def _ids(value: object) -> bool:
    if value is None:
        return True
    try:
        return isinstance(value, list | tuple) and len(array("I", value)) == len(value)
    except (TypeError, OverflowError):
        return False


def _messages(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(m, Message) for m in value)


def _or_none(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or holds(value)


_TEXT = "a text that UTF-8 can carry"
_FROM_0 = "a whole number from 0"
_IDS = "None, or token ids: whole numbers from 0"
_REPLY = (
    _field("key", _is(bytes), "the 16 bytes of its request's `key`"),
    _field("text", _is(str), "a text"),
    _one_of("finish_reason"),
    _field("usage", _is(Usage), "a Usage"),
    _field("usage.prompt_tokens", _count, _FROM_0),
    _field("usage.completion_tokens", _count, _FROM_0),
    _field("token_ids", _ids, _IDS),
    _field(
        "error",
        lambda value: value is None or (isinstance(value, str) and value != ""),
        "None, or a text that says what failed,",
    ),
    _field("reasoning", _or_none(_is(str)), "None, or a text"),
)
_REQUEST = (
    _field("messages", _messages, "a tuple of Message"),
    _field("token_ids", _ids, _IDS),
    _field("draw", _count, f"the draw that was asked for, {_FROM_0},"),
    _field("sampling", _is(Sampling), "a Sampling"),
    _field("sampling.temperature", _temperature, "a number from 0"),
    _field("sampling.top_p", _fraction, "a number above 0, at most 1,"),
    _field("sampling.max_tokens", lambda value: _count(value) and value != 0, "a whole number from 1"),
    _field("sampling.stop", _texts, "a tuple of texts"),
)
_MESSAGE = (_one_of("role"), _field("content", _sent, _TEXT))
_FINDING = (
    _one_of("outcome"),
    _field("by", lambda value: isinstance(value, str) and value != "", "a text that says who decided"),
    _field("reason", _is(str), "a text"),
)
_SEED = (
    _field(
        "id",
        lambda value: isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{16,}", value) is not None,
        "the hash that `Problem.make` gives",
    ),
)


def amiss(record: Reply | Request | Finding | Problem | Rejected) -> str | None:
    """Say which field of a record holds what it may not (``whose `text` is NoneType (None), and a text is due``), or None."""
    if isinstance(record, Reply):
        return _first(record, _REPLY)
    if isinstance(record, Finding):
        return _first(record, _FINDING)
    if isinstance(record, Request):
        return _first(record, _REQUEST) or _of_prompt(record)
    return _of_record(record)


def amiss_in_seed(problem: Problem) -> str | None:
    """Say the same of a source's problem: rows are told apart by their `id`."""
    return amiss(problem) or _first(problem, _SEED)


def _first(record: object, fields: Iterable[_Field], within: str = "") -> str | None:
    for name, get, holds, due in fields:
        value = get(record)
        if not holds(value):
            return f"whose `{within}{name}` is {_shown(value)}, and {due} is due"
    return None


def _of_prompt(request: Request) -> str | None:
    if request.token_ids is None and not request.messages:
        return "that asks nothing: `messages` is empty"
    for i, message in enumerate(request.messages):
        if (found := _first(message, _MESSAGE, f"messages[{i}].")) is not None:
            return found
    return None


def _of_record(record: Problem | Rejected) -> str | None:
    """Have pydantic look at the fields once more: `model_copy` and `model_construct` look at nothing."""
    try:
        held = {name: vars(record)[name] for name in type(record).model_fields if name in vars(record)}
        type(record).model_validate({k: tuple(v) if isinstance(v, list) else v for k, v in held.items()}, strict=True)
    except ValidationError as e:
        error = e.errors(include_url=False, include_context=False)[0]
        name = ".".join(str(part) for part in error["loc"])
        if error["type"] == "missing":
            return f"that has no `{name}`"
        return f"whose `{name}` is {_shown(error['input'])}: {error['msg']}"
    for name, value in vars(record).items():
        if isinstance(value, str) and not _sent(value):
            return f"whose `{name}` is {_shown(value)}, and {_TEXT} is due"
    return None


def _shown(value: object) -> str:
    return f"{type(value).__name__} ({value!r:.80})"
