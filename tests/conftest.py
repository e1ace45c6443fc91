"""For every test: our logger speaks. Libraries that configure logging when they are imported may have silenced it."""

import logging

import pytest


@pytest.fixture(autouse=True)
def our_logger_speaks() -> None:
    logging.disable(logging.NOTSET)
    log = logging.getLogger("orcamath")
    log.disabled, log.propagate = False, True
    log.setLevel(logging.NOTSET)
