"""What some models refuse: `temperature`, `max_tokens`, `seed` and the like. Learnt once a model, said once.

Known families are put right before the first call; for others a 400 or 422 that names an optional field removes or renames it,
and the call is made again. The recipe asked for something else then, so a warning says what the model really does.
"""

import logging
import re
from collections.abc import Container

import orjson

__all__ = ["Quirks"]

_log = logging.getLogger("orcamath.wire")
_OPTIONAL = (
    "max_tokens",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "top_k",
    "min_p",
    "repetition_penalty",
    "stop_token_ids",
    "return_token_ids",
)
_REASONING_FAMILY = re.compile(r"^(?:o[1-9]|gpt-5)(?:$|[-.])")
_REFUSES = re.compile(
    r"unsupported|n[o']t support|deprecated|only (?:the )?\S{1,20} (?:\S{1,20} )?(?:is|are) (?:allowed|supported)|"
    r"may only be set|unrecognized|unknown|unexpected|not permitted|not allowed|extra_forbidden|extra inputs|"
    r"cannot both|only one of|mutually exclusive",
    re.IGNORECASE,
)
_PAIR = re.compile(r"both|only one of|mutually exclusive", re.IGNORECASE)


class Quirks:
    """The fields one model refuses, as learnt so far."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.dropped: set[str] = set()
        self.completion_limit = False
        """Whether the limit must be called `max_completion_tokens`."""
        self._warned: set[str] = set()
        if _REASONING_FAMILY.match(model):
            self.completion_limit = True
            self.dropped |= {"temperature", "top_p", "stop"}

    def apply(self, body: dict[str, object]) -> dict[str, object]:
        """Return the body as this model takes it."""
        if self.completion_limit and "max_tokens" in body:
            limit = body.pop("max_tokens")
            body.setdefault("max_completion_tokens", limit)  # one that the recipe names is the recipe's
        for name in self.dropped:
            if body.pop(name, None) is not None:
                self._warn(name)
        return body

    def learn(self, sent: Container[str], payload: bytes) -> bool:
        """Read a 400 or 422; return True where the body will differ next time, so that asking again makes sense.

        `sent`: names of the fields that were sent; one that was left out already is not what is at fault.
        """
        text = payload[:4000].decode("utf-8", "replace")
        if not _REFUSES.search(text):
            return False
        name = _field(payload, text, sent)
        if name is None or name not in sent:
            return False  # left out already
        if name == "max_tokens":
            self.completion_limit = True
        else:
            self.dropped.add(name)
        return True

    def _warn(self, name: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            _log.warning(
                "model `%s` refuses `%s`: it is left out, and the model uses its own default", self.model, name
            )


def _field(payload: bytes, text: str, sent: Container[str]) -> str | None:
    """Return the optional field that an error is about, one that was sent where it speaks of several.

    Of temperature and top_p, where the two are too much together, `top_p`.
    """
    if "top_p" in text and "temperature" in text and _PAIR.search(text):
        return "top_p"
    try:
        body = orjson.loads(payload)
        error = body.get("error", body) if isinstance(body, dict) else {}
        named = error.get("param") if isinstance(error, dict) else None
        if named in _OPTIONAL:
            return str(named)
    except orjson.JSONDecodeError:
        pass
    found = [(m.start(), name) for name in _OPTIONAL if name in sent and (m := re.search(rf"\b{name}\b", text))]
    return min(found)[1] if found else None
