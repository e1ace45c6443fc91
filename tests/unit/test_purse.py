"""What a command outside a run may spend: one price on the command line, and which models it is of."""

import pytest

from orcamath.commands.purse import Purse, purse_of
from orcamath.errors import UsageError
from orcamath.settings import ModelSettings
from orcamath.store.prices import price_of


def endpoint(model: str, url: str) -> ModelSettings:
    return ModelSettings(backend="openai_compatible", model=model, base_url=url)


LISTED = endpoint("gpt-4.1", "https://api.openai.com/v1")


def test_a_price_for_ones_own_server_leaves_a_paid_judge_at_its_own() -> None:
    """`--price 0,0` is what the command itself advises for a server of one's own: the cap must still hold for the other model."""
    purse = purse_of(5.0, "0,0")
    own = purse.settings(endpoint("mine", "http://127.0.0.1:8000/v1"))
    assert price_of(own) == (0, 0)
    assert price_of(purse.settings(LISTED)) == price_of(LISTED) != (0, 0)


def test_a_price_is_of_models_that_no_list_has() -> None:
    purse = purse_of(None, "3,9")
    assert price_of(purse.settings(endpoint("llama", "https://gateway.example/v1"))) == (3, 9)
    assert price_of(purse.settings(endpoint("gpt-4.1", "https://gateway.example/v1"))) == (3, 9)  # another seller's
    assert price_of(purse.settings(endpoint("gpt-7", "https://api.openai.com/v1"))) == (3, 9)
    local = ModelSettings(backend="transformers_local", model="./model")
    assert purse.settings(local) == local  # nobody pays for it


def test_a_cap_on_an_endpoint_of_this_machine_wants_a_price() -> None:
    with pytest.raises(UsageError, match="--price 0,0"):
        Purse(5.0).settings(endpoint("mine", "http://localhost:8000/v1"))


def test_one_price_is_not_that_of_models_at_several_hosts() -> None:
    purse = purse_of(5.0, "0,0")
    purse.of_one_host(["http://127.0.0.1:8000/v1", None, "http://127.0.0.1:9000/v1", "https://api.openai.com/v1"])
    with pytest.raises(UsageError, match=r"`127\.0\.0\.1` and `gateway\.example`"):
        purse.of_one_host(["http://127.0.0.1:8000/v1", "https://gateway.example/v1"])
    Purse(5.0).of_one_host(["http://127.0.0.1:8000/v1", "https://gateway.example/v1"])
