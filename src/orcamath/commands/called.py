"""Calls from Python: arguments of a wrong kind are told before anything begins, and messages name arguments, not options.

In: a function of the library. Out: the same, which raises UsageError for such an argument.
"""

import re
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from os import PathLike
from typing import NamedTuple, ParamSpec, TypeVar, get_args

from orcamath.errors import OrcamathError, UsageError, nearest
from orcamath.student.settings import Dtype

__all__ = ["called"]

P = ParamSpec("P")
R = TypeVar("R")


class _Kind(NamedTuple):
    kinds: tuple[type, ...]
    said: str


_TEXT = _Kind((str,), "a text")
_PLACE = _Kind((str, PathLike), "a path")
_COUNT = _Kind((Integral,), "a whole number")
_NUMBER = _Kind((Real,), "a number")
_KINDS = {
    "recipe": _Kind((str, PathLike, Mapping), "a shipped name, a file or a dict"),
    "settings": _Kind((Mapping,), "a dict, such as {'learn.beta': 0.2}"),
    "columns": _Kind((Mapping,), "a dict of our name and yours, such as {'answer': 'result'}"),
    "price": _Kind((tuple, list), "two numbers, such as (2.5, 10)"),
    **dict.fromkeys(("name", "until", "model", "compare", "judge", "judge_model"), _TEXT),
    **dict.fromkeys(("base_url", "api_key_env", "column", "by", "dtype"), _TEXT),
    **dict.fromkeys(("runs", "store", "data"), _PLACE),
    **dict.fromkeys(("limit", "samples", "sample_limit", "few_shot", "max_new_tokens"), _COUNT),
    **dict.fromkeys(("cap_usd", "threshold"), _NUMBER),
}
_OPTION = re.compile(r"`--([a-z][a-z-]*)(?:[ =]([^`]+))?`|--([a-z][a-z-]*)")


def called(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its arguments looked at first, and its errors in the words of a call."""
    parameters = signature(function).parameters

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            for name, value in signature(function).bind(*args, **kwargs).arguments.items():
                _look_at(name, value, parameters[name])
            return function(*args, **kwargs)
        except OrcamathError as e:
            e.args = (_OPTION.sub(lambda found: _as_argument(found, parameters), str(e)), *e.args[1:])
            raise

    return checked


def _look_at(name: str, value: object, parameter: Parameter) -> None:
    wanted = _KINDS.get(name)
    if wanted is None or (value is None and parameter.default is None):
        return
    if not isinstance(value, wanted.kinds) or isinstance(value, bool):
        shown = f"{value!r:.60}" if isinstance(value, str | Real | None) else f"a {type(value).__name__}"
        raise UsageError(f"`{name}` is {shown}: give {wanted.said}")
    if isinstance(value, Integral) and value < 1 and name == "limit":
        raise UsageError(f"`limit` is {value}: give a whole number from 1 on, or leave it out for all")
    if name == "dtype" and value not in get_args(Dtype):
        raise UsageError(f"there is no dtype `{value}`; {nearest(str(value), get_args(Dtype))}")


def _as_argument(found: re.Match[str], parameters: Mapping[str, Parameter]) -> str:
    """Write an option as the argument that it is here, or as it stands where there is none."""
    option = (found[1] or found[3]).replace("-", "_")
    plural = {"set": "settings", "column": "columns" if "columns" in parameters else "column"}.get(option, option)
    if plural not in parameters:
        return found[0]
    key, sign, inner = (found[2] or "").partition("=")
    if found[2] is None:
        return f"`{plural}=True`" if parameters[plural].default is False else f"`{plural}`"
    if plural in {"settings", "columns"} and sign:
        return f"`{plural}={{{key!r}: {inner if plural == 'settings' else repr(inner)}}}`"
    if plural == "price":
        return f"`price=({found[2].replace(',', ', ')})`"
    number = re.fullmatch(r"[\d.]+|…", found[2])
    return f"`{plural}={found[2] if number else repr(found[2])}`"
