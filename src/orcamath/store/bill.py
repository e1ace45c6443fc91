"""What a call may cost at most, from the body that is sent, and what it is booked at: its endpoint's claim, or our own count."""

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import orjson

from orcamath.ports import Request, Usage

__all__ = ["NOTHING", "Price", "believed", "limits", "most_tokens", "plain_name", "prompt_bytes"]

NOTHING: Mapping[str, object] = MappingProxyType({})
TOKENS_A_MESSAGE = 16
"""What a chat template may add around one message."""
_LIMITS = re.compile(r"max\w*(?:tokens?|len|length)|max\w*tokens\w+|n(?:um)?predict|\w*budget(?:tokens)?")


class Price(NamedTuple):
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def nano(self, usage: Usage) -> int:
        """Return what a call costs, in nano-dollars, rounded up."""
        return math.ceil((usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) * 1000 - 1e-6)

    def usd(self, usage: Usage) -> float:
        """Return what a call costs, in dollars."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1e6


def most_tokens(request: Request, extra: Mapping[str, object] = NOTHING) -> Usage:
    """Return the most tokens that a call can be billed for: a token is at least one UTF-8 byte; thinking counts as output.

    `extra`: further fields of the body that is sent. A limit of tokens among them counts, the rest may be read as prompt.
    """
    n, found = prompt_bytes(request) + TOKENS_A_MESSAGE, {}
    if extra:
        n += len(orjson.dumps(dict(extra)))
        found = {name: limit for name, limit in limits(extra) if type(limit) is int}
    own = found.pop("max_tokens", request.sampling.max_tokens)  # sent in any case, and who knows which one is kept to
    own = max(own, found.pop("max_completion_tokens", 0))
    return Usage(n, own + sum(found.values()))


def prompt_bytes(request: Request) -> int:
    """Return a prompt's UTF-8 bytes (ids: their number), with what a chat template may add around each message."""
    if request.token_ids is not None:
        return len(request.token_ids) + TOKENS_A_MESSAGE
    return sum(len(m.content.encode("utf-8", "surrogatepass")) + TOKENS_A_MESSAGE for m in request.messages)


def limits(extra: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every limit of tokens in a body, however deep and however its name is spelled, whatever it is."""
    if isinstance(extra, Mapping):
        for name, value in extra.items():
            if not isinstance(value, Mapping | list | tuple) and _LIMITS.fullmatch(plain_name(name)):
                yield path + name, value
            yield from limits(value, f"{path}{name}.")
    elif isinstance(extra, list | tuple):
        for i, value in enumerate(extra):
            yield from limits(value, f"{path}{i}.")


def plain_name(field: str) -> str:
    """Return a field's name as the least careful endpoint compares it: `maxTokens`, `max-tokens` and `Max_Tokens` are one."""
    return field.casefold().replace("_", "").replace("-", "")


def believed(claim: object, n_bytes: int, most: int) -> tuple[int, bool]:
    """Return how many tokens to book for so many bytes, and whether the endpoint's claim was replaced.

    Replaced, by half the bytes and at most `most`: no whole number from 0 to 2⁶³, nothing for something, or no more than a
    tenth of a quarter of the bytes. Anything else is believed, also where it is more than was reserved.
    """
    own = min(n_bytes / 4, most)
    if type(claim) is int and 0 <= claim < 2**63 and (claim * 10 > own or not n_bytes):
        return claim, False
    return min(math.ceil(n_bytes / 2), most), True
