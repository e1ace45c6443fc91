"""Money: what a token costs, and the meter that a paid call goes through.

`Meter.reserve` holds the most that a call can cost before it is sent; `settle` gives back what it did not. (The hard cap
that stands behind it comes with this room's next change.)
"""

from typing import NamedTuple, Protocol

from orcamath.ports import Request, Usage

__all__ = ["Meter", "Price", "most_tokens"]

TOKENS_A_MESSAGE = 16
"""What a chat template may add around one message."""


class Price(NamedTuple):
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def usd(self, usage: Usage) -> float:
        """Return what a call cost."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1e6


def most_tokens(request: Request) -> Usage:
    """Return the most tokens that a call can be billed for: a token is at least one UTF-8 byte."""
    if request.token_ids is not None:
        n = len(request.token_ids) + TOKENS_A_MESSAGE
    else:
        n = sum(len(m.content.encode()) + TOKENS_A_MESSAGE for m in request.messages) + TOKENS_A_MESSAGE
    return Usage(n, request.sampling.max_tokens)


class Meter(Protocol):
    """What a backend that costs money asks before and tells after every call on the wire."""

    def reserve(self, request: Request) -> int | None:
        """Hold the most the call can cost, in nano-dollars; None where there is no room for it now."""
        ...

    def settle(self, held: int, billed: Usage | None, *, sent: bool) -> None:
        """Book what a call cost: `billed`; all that was held where nobody can tell; nothing where not `sent`."""
        ...
