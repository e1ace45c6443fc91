"""For every test: our logger speaks, programs it starts can be interrupted, and drawn examples may take their time.

Libraries that configure logging when they are imported may have silenced it; a shell that runs the tests in the background
has them, and all they start, ignore SIGINT. What was imported is no garbage and is not looked through for any: letting go of
a model collects it, which took longer than all the rest of a small model's test.
"""

import gc
import logging
import signal

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a busy machine is no fault of a function
settings.load_profile("unhurried")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def our_logger_speaks() -> None:
    logging.disable(logging.NOTSET)
    log = logging.getLogger("orcamath")
    log.disabled, log.propagate = False, True
    log.setLevel(logging.NOTSET)
