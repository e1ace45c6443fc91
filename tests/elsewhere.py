"""Work on blocks as another machine does it: from copies by value, the last block first, results in the blocks' order."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cloudpickle


def elsewhere(work: Callable[[Any], Any], blocks: Iterable[Any], /) -> Iterator[Any]:
    """Play the port `InBlocks`."""
    sent = [cloudpickle.dumps((work, block)) for block in blocks]
    done = {i: _done(sent[i]) for i in reversed(range(len(sent)))}
    yield from (done[i] for i in range(len(sent)))


def _done(sent: bytes) -> Any:
    work, block = pickle.loads(sent)
    return pickle.loads(pickle.dumps(work(block)))
