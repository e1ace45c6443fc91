"""How backends of others are held (see `held.py`): every reply is looked at where it comes in, before anything keeps it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import closing
from dataclasses import replace
from functools import partial

from orcamath.fields import amiss
from orcamath.member import Member
from orcamath.ports import Batched, Chat, Closing, Replies, Reply, Request
from orcamath.settings import ModelSettings
from orcamath.visible import sendable

__all__ = ["backend"]


def backend(member: Member, open_chat: Callable[..., object]) -> Callable[[ModelSettings], Chat]:
    """Return a backend's entry whose models are held."""

    def chat(settings: ModelSettings) -> Chat:
        made = open_chat(settings)
        if not isinstance(made, Chat):
            raise member.wrong(made, member.entry, "a Chat: it has a `fingerprint` and a `chunk`, and is called")
        held_to = _Chat(member, made)
        if isinstance(made, Batched):  # a backend is told by it from one that answers at once
            vars(held_to)["handed_in"] = partial(_handed_in, member, made)
        return held_to

    return chat


def _handed_in(member: Member, model: Batched) -> Set[bytes]:
    keys = model.handed_in()
    if isinstance(keys, Set):
        return keys
    raise member.wrong(keys, "handed_in", "a set of keys")


class _Chat:
    def __init__(self, member: Member, chat: Chat) -> None:
        self.member, self.chat = member, chat
        self.fingerprint = member.text(chat.fingerprint, "fingerprint")
        member.takes(chat, "__call__", "requests")
        self.chunk = chat.chunk
        if self.chunk is not None and (type(self.chunk) is not int or self.chunk < 1):
            raise member.wrong(self.chunk, "chunk", "None, or a number of calls from 1")

    def __call__(self, requests: Iterable[Request]) -> Replies:
        wanted = "one Reply a request, with the request's key, by a generator or another iterator that can be closed"
        waiting = Counter[bytes]()

        def noted() -> Iterator[Request]:
            for request in requests:
                waiting[request.key(self.fingerprint)] += 1
                yield request

        replies: object = self.chat(noted())
        if not isinstance(replies, Iterator) or not isinstance(replies, Closing):
            raise self.member.wrong(replies, "__call__", wanted)
        with closing(replies):
            for found in replies:
                if not isinstance(found, Reply):
                    raise self.member.wrong(found, "__call__", wanted)
                self.member.sound(amiss(found), found, "__call__", wanted)
                if not waiting[found.key]:
                    raise self.member.wrong(found, "__call__", wanted)
                waiting[found.key] -= 1
                if not waiting[found.key]:  # of a long run only what is under way is kept
                    del waiting[found.key]
                yield _sendable(found)
        if n := waiting.total():
            raise self.member.too_few("__call__", f"requests without a reply: {n}", wanted)

    def close(self) -> None:
        if isinstance(self.chat, Closing):
            self.chat.close()


def _sendable(reply: Reply) -> Reply:
    text = sendable(reply.text)
    error, reasoning = (x and sendable(x) for x in (reply.error, reply.reasoning))
    if (text, error, reasoning) == (reply.text, reply.error, reply.reasoning):
        return reply
    return replace(reply, text=text, error=error, reasoning=reasoning)
