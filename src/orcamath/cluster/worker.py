"""What runs in an actor: one model, a ledger shard on the node's own disk, and a purse that the driver fills.

A reply is in the shard before it is on its way, so what was paid for is not paid again where worker, network or driver fail:
the next worker of the run on this node finds it. Shards lie in a folder of the user's own until the driver has all.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from orcamath import __version__
from orcamath.cluster.purse import Leased
from orcamath.errors import DiskFull, ModelError, OrcamathError
from orcamath.ports import Chat, Closing, Reply, Request
from orcamath.settings import ModelSettings
from orcamath.store.budget import Price
from orcamath.store.ledger import Ledger
from orcamath.store.room import own_folder
from orcamath.store.under_way import stage_under_way, under_way

__all__ = ["NodeFull", "Worker", "shards_of"]

MESSAGE_S, MESSAGE_N = 0.25, 64
"""A message goes to the driver after so many seconds or replies."""


class NodeFull(DiskFull):
    """The disk of a worker's node has no room for its shard; those of other nodes may."""


@contextmanager
def _this_node() -> Iterator[None]:
    """Say of which machine the system said no, or a disk is full: the driver's has a budget to write."""
    try:
        yield
    except DiskFull as e:
        raise NodeFull(f"on the node {socket.gethostname()}: {e}") from e
    except OSError as e:
        raise ModelError(f"on the node {socket.gethostname()}: {e}") from e


def shards_of(name: str) -> Path:
    """Return this node's folder for shards of that name, closed to others. Raises ModelError where it is another's."""
    return own_folder() / name


class Worker:
    """One actor. Its methods are called one at a time, but for `halt`."""

    def __init__(
        self,
        open_chat: Callable[[ModelSettings], Chat],
        shards: str,
        version: str,
        folder: str,
        ask: Callable[..., object] | None,
    ) -> None:
        """`shards` names what lies on the node, `folder` is where the driver stands, `ask` reaches its purse, if any."""
        self._where = (shards, version, folder)
        self.ask = ask
        self._open_chat = open_chat
        self._halted = threading.Event()
        self._chat: Chat | None = None
        self._stage = ExitStack()

    def here(self) -> None:
        """Return at once: this worker has found a place."""

    def open(self, settings: ModelSettings, fingerprint: str) -> int:
        """Open model and shard, and return this process's number.

        Raises what opening raises, ModelError where the node has another version or model.
        """
        shards, version, folder = self._where
        if version != __version__:
            raise ModelError(
                f"this node has orcamath {__version__}, the driver {version}: install the same one on all nodes"
            )
        if os.path.isdir(folder):  # noqa: PTH112 (a path of another machine)
            os.chdir(folder)
        with ExitStack() as undone, _this_node():
            self.ledger = Ledger(shards_of(shards))
            undone.callback(self.ledger.close)
            chat = self._open_chat(settings)
            if isinstance(chat, Closing):
                undone.callback(chat.close)
            if chat.fingerprint != fingerprint:
                raise ModelError(
                    f"`{settings.model or settings.backend}` on this node is another model than the driver's"
                )
            undone.pop_all()
        self._chat = chat
        return os.getpid()

    def begin(self, stage: str | None, price: Price | None) -> None:
        """Book on this stage from now on; `price` is what the recipe says of the model's."""
        self.end()
        self._halted.clear()
        if stage is not None:
            calls = self._stage.enter_context(
                stage_under_way(stage, Leased(self.ask) if self.ask is not None else None)
            )
            self._stage.enter_context(calls.priced(price))

    def answer(self, requests: list[Request]) -> Iterator[list[Reply] | OrcamathError]:
        """Yield replies, a few at a time, those that the shard has first; an error of ours is the last that is yielded.

        What is leased and not spent is given back at the end: the other workers may need it.
        """
        assert self._chat is not None
        try:
            for message in _messages(self._replies(self._chat, requests)):
                yield message
                if self._halted.is_set():
                    return
        except OrcamathError as e:
            self._hand_back()
            yield e
        finally:
            with _this_node():
                self.ledger.commit()
            self._hand_back()

    def _hand_back(self) -> None:
        if (calls := under_way()) is not None:
            calls.close()

    def _replies(self, chat: Chat, requests: list[Request]) -> Iterator[Reply]:
        by_key = {request.key(chat.fingerprint): request for request in requests}
        with _this_node():
            known = {key: reply for key in by_key if (reply := self.ledger.get(key)) is not None}
        if chat.chunk is not None and len(known) < len(by_key):
            known = {}  # a chunk is answered whole
        keys = [request.key(chat.fingerprint) for request in requests]
        yield from (known[key] for key in keys if key in known)  # as often as it was asked
        missing = [request for request in requests if request.key(chat.fingerprint) not in known]
        if not missing:
            return
        came = []
        with closing(chat(missing)) as replies:
            for reply in replies:
                if reply.error is None and chat.chunk is None:
                    with _this_node():
                        self.ledger.put(by_key[reply.key], chat.fingerprint, reply)
                came.append(reply)
                yield reply
        if chat.chunk is not None and all(reply.error is None for reply in came):
            with _this_node():
                self.ledger.put_together(chat.fingerprint, [(by_key[reply.key], reply) for reply in came])

    def halt(self) -> None:
        """Let `answer` end after its next message: what is in flight is cancelled and settled."""
        self._halted.set()

    def end(self) -> None:
        """Give back what is left of the lease."""
        self._stage.close()

    def leave(self, *, done: bool) -> None:
        """Close everything; where `done`, remove what lies on the node too, since the driver has it."""
        self.end()
        if isinstance(self._chat, Closing):
            self._chat.close()
        self.ledger.close()
        if done:
            shutil.rmtree(self.ledger.folder, ignore_errors=True)


def _messages(replies: Iterator[Reply]) -> Iterator[list[Reply]]:
    together: list[Reply] = []
    since = time.monotonic()
    try:
        for reply in replies:
            together.append(reply)
            if len(together) >= MESSAGE_N or time.monotonic() - since > MESSAGE_S:
                yield together
                together, since = [], time.monotonic()
    except OrcamathError:
        yield together  # what came before the cap was reached is paid for
        raise
    if together:
        yield together
