"""What a model's tokens cost: from the recipe, or from the dated file `prices.json`. A price nobody knows is refused.

Free without being told: backends that are no service (a local model, recorded replies, one of your own). An endpoint on this
machine is booked as free too, which is said, since it may lead on to one that is paid; under a cap a recipe has to say so.
"""

import json
import logging
import re
from functools import cache
from importlib import resources
from typing import Any

from orcamath.errors import RecipeError, nearest
from orcamath.settings import ModelSettings
from orcamath.store.budget import Price
from orcamath.store.hosts import OPENAI, belongs, host_named, is_loopback

__all__ = ["PAID_BACKENDS", "declared_price", "is_unpriced", "listed_price", "price_of", "prices"]

MAX_PRICE = 1e9
"""US dollars per million tokens: below it no bill is too large to be counted."""
FREE = Price(0.0, 0.0)
PAID_BACKENDS = ("openai_compatible", "openai_batch")
log = logging.getLogger("orcamath")
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$|-\d{4}$")


@cache
def prices() -> dict[str, Any]:
    """Return the shipped price list: `as_of`, `batch_factor`, `models`."""
    text = resources.files("orcamath.store").joinpath("prices.json").read_text(encoding="utf-8")
    found: dict[str, object] = json.loads(text)
    return found


def price_of(settings: ModelSettings, backend: str | None = None) -> Price:
    """Return the price of one model: the recipe's `options.price: [prompt, completion]`, or else the shipped list's.

    `backend`: the wire that is spoken, where `settings` name a backend of the user's own that speaks it. Raises RecipeError where
    the price is not known, the declared one makes no sense, or one of 0 is declared of what the list has.
    """
    told, listed = declared_price(settings), listed_price(settings, backend)
    model, host = settings.model, host_named(settings.base_url or OPENAI)
    if told is not None and listed is not None and 0 in told:
        raise RecipeError(
            f"`options.price` of model `{model}` is {settings.options['price']}, and {host} takes {list(listed)} for it: leave "
            f"the price out, or say what you pay"
        )
    if (known := listed if told is None else told) is not None:
        return known
    if (backend or settings.backend) not in PAID_BACKENDS:
        return FREE
    if is_loopback(host):
        _say_free(model, host)
        return FREE
    hint = nearest(model, prices()["models"]) if _listed(model) is None else "the list that ships is OpenAI's own"
    raise RecipeError(
        f"the price of model `{model}` at {host} is not known ({hint}). Say it in the recipe, in USD per million tokens: "
        "`options: {price: [2.5, 10]}`, or `[0, 0]` for a server of your own"
    )


def listed_price(settings: ModelSettings, backend: str | None = None) -> Price | None:
    """Return what an endpoint's model costs by the list that ships, None where it does not say. `backend`: as in `price_of`."""
    backend, listed = backend or settings.backend, _listed(settings.model)
    there = backend in PAID_BACKENDS and belongs(host_named(settings.base_url or OPENAI), "openai.com")
    if listed is None or not there:
        return None
    factor = prices()["batch_factor"] if backend == "openai_batch" else 1.0
    return Price(listed[0] * factor, listed[1] * factor)


def _listed(model: str) -> list[float] | None:
    known = prices()["models"]
    found: list[float] | None = known.get(model) or known.get(_DATED.sub("", model))
    return found


@cache
def _say_free(model: str, host: str) -> None:
    log.warning("model `%s` at %s has no `options.price`: what it costs is booked as nothing", model, host)


def is_unpriced(settings: ModelSettings) -> bool:
    """Tell whether a model is behind an endpoint on this machine whose price nobody has told."""
    paid = settings.backend in PAID_BACKENDS and settings.options.get("price") is None
    return paid and settings.base_url is not None and is_loopback(host_named(settings.base_url))


def declared_price(settings: ModelSettings) -> Price | None:
    """Return what a recipe says of a model's price, None where it says nothing. Raises RecipeError as `price_of` does."""
    declared = settings.options.get("price")
    if declared is None:
        return None
    if (
        isinstance(declared, list | tuple)
        and len(declared) == 2
        and all(isinstance(x, int | float) and 0 <= x < MAX_PRICE for x in declared)
    ):
        return Price(float(declared[0]), float(declared[1]))
    raise RecipeError(
        f"`options.price` of model `{settings.model}` is {declared!r}: "
        "give two numbers, USD per million tokens [prompt, completion]"
    )
