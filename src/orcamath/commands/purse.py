"""What a command outside a run may spend: a cap and a price from the command line, and a book that is gone with the command."""

import logging
import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import UsageError
from orcamath.settings import ModelSettings
from orcamath.store.budget import Budget
from orcamath.store.hosts import belongs, host_named
from orcamath.store.prices import PAID_BACKENDS, is_unpriced, listed_price

__all__ = ["UNLIMITED", "Purse", "purse_of"]


class Purse(NamedTuple):
    """A cap in US dollars, and a price per million tokens [prompt, completion]; None where nothing was said."""

    cap_usd: float | None = None
    price: tuple[float, float] | None = None

    def settings(self, model: ModelSettings) -> ModelSettings:
        """Return a model's settings with the price, which is of endpoints whose models the list that ships does not have.

        Raises UsageError where there is a cap and nobody says what calls cost.
        """
        if self.price is not None and listed_price(model) is not None:
            log.warning("`%s` is booked at its listed price: `--price` is of models that are in no list", model.model)
        elif self.price is not None and model.backend in PAID_BACKENDS:
            return model.model_copy(update={"options": {**model.options, "price": list(self.price)}})
        elif self.cap_usd is not None and is_unpriced(model):
            raise UsageError(
                f"`--cap-usd` needs to know what `{model.model}` at {model.base_url} costs: `--price 2.5,10` (US dollars per "
                f"million tokens, in and out), or `--price 0,0` for a server of your own"
            )
        return model

    def of_one_host(self, urls: Iterable[str | None]) -> None:
        """Raise UsageError where one price would be that of several hosts' models, of which one may be free and another not."""
        hosts = sorted({host for url in urls if url and not belongs(host := host_named(url), "openai.com")})
        if self.price is not None and len(hosts) > 1:
            raise UsageError(
                f"`--price` is one price, and models are served at {' and '.join(f'`{h}`' for h in hosts)}; name models of one "
                f"host, or measure in a recipe, where each has its own `options.price`"
            )

    @contextmanager
    def opened(self) -> Iterator[Budget | None]:
        """Open the book while the block lasts; None where there is no cap."""
        if self.cap_usd is None:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="orcamath-") as folder:
            budget = Budget(Path(folder) / "budget.sqlite", self.cap_usd)
            try:
                yield budget
            finally:
                budget.close()


UNLIMITED = Purse()
log = logging.getLogger("orcamath")


def purse_of(cap_usd: float | None, price: str | None) -> Purse:
    """Read what the command line says. Raises UsageError."""
    if cap_usd is not None and not math.isfinite(cap_usd):
        raise UsageError(f"--cap-usd {cap_usd}: give a number of dollars, or leave it out for no cap")
    if price is None:
        return Purse(cap_usd)
    parts = price.split(",")
    try:
        found = (float(parts[0]), float(parts[1]))
    except (ValueError, IndexError):
        found = (math.nan, math.nan)
    if len(parts) != 2 or not all(0 <= p < math.inf for p in found):
        raise UsageError(
            f"--price {price}: give two numbers such as 2.5,10 (US dollars per million tokens, in and out)"
        )
    return Purse(cap_usd, found)
