"""What can go wrong with a model endpoint, each at a set rate, drawn from (seed, request, how often it was seen).

Wire faults bring no completion: the same request asked again may succeed, and succeeds for certain once `max_per_key` of
them have hit it. Content faults are well-formed completions with something wrong in them; a request gets the same one
every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b

__all__ = ["CONTENT_FAULTS", "WIRE_FAULTS", "Faults"]

WIRE_FAULTS = (
    "throttle",  # 429 with Retry-After
    "throttle_silent",  # 429 without
    "server_error",  # 500, 502, 503
    "hang",  # takes the request and never answers
    "drop",  # closes the connection instead of answering
    "cut_body",  # closes it in the middle of the body
    "wrong_shape",  # 200 and JSON, but no completion
    "invalid_json",  # 200 and half a JSON text
)
CONTENT_FAULTS = (
    "truncated",  # half the text, finish_reason `length`
    "empty",  # no text
    "refused",  # finish_reason `content_filter`
    "absurd",  # hundreds of times too long
    "nonsense",  # text of the wrong form
)


@dataclass(frozen=True)
class Faults:
    """Rates between 0 and 1; those of the wire add up to at most 1, and so do those of content."""

    seed: int = 0
    latency_s: float = 0.0
    throttle: float = 0.0
    throttle_silent: float = 0.0
    server_error: float = 0.0
    hang: float = 0.0
    drop: float = 0.0
    cut_body: float = 0.0
    wrong_shape: float = 0.0
    invalid_json: float = 0.0
    truncated: float = 0.0
    empty: float = 0.0
    refused: float = 0.0
    absurd: float = 0.0
    nonsense: float = 0.0
    max_per_key: int | None = None
    """At most so many wire faults hit one request; None for no limit."""
    retry_after_s: float = 0.05

    def __post_init__(self) -> None:
        for names in (WIRE_FAULTS, CONTENT_FAULTS):
            if not 0 <= sum(getattr(self, n) for n in names) <= 1 + 1e-9:
                raise ValueError(f"the rates of {', '.join(names)} must add up to at most 1")

    def every_wire(self, rate: float, *, hang: bool = True) -> "Faults":
        """Spread one rate evenly over all faults of the wire."""
        return self._spread([n for n in WIRE_FAULTS if hang or n != "hang"], rate)

    def every_content(self, rate: float) -> "Faults":
        """Spread one rate evenly over all faults of content."""
        return self._spread(CONTENT_FAULTS, rate)

    def _spread(self, names: Sequence[str], rate: float) -> "Faults":
        return replace(self, **dict.fromkeys(names, rate / len(names)))  # type: ignore[arg-type] # all of these are rates

    def wire(self, key: bytes, n_before: int, n_faulted: int) -> str | None:
        """Return the wire fault that hits a request seen `n_before` times and faulted `n_faulted` times."""
        if self.max_per_key is not None and n_faulted >= self.max_per_key:
            return None
        return self._draw(WIRE_FAULTS, key, n_before)

    def content(self, key: bytes) -> str | None:
        """Return what is wrong with the completion of a request."""
        return self._draw(CONTENT_FAULTS, key, -1)

    def _draw(self, names: tuple[str, ...], key: bytes, n: int) -> str | None:
        if not any(getattr(self, name) for name in names):
            return None
        u = int.from_bytes(blake2b(b"%d %d " % (self.seed, n) + key, digest_size=8).digest(), "big") / 2**64
        for name in names:
            u -= getattr(self, name)
            if u < 0:
                return name
        return None

    def plain(self) -> dict[str, float | int | None]:
        """Return the rates as JSON values, for another process."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
