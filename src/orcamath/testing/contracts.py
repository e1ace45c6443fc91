"""What every backend must keep to, as one function: call it in a test of your own backend's file.

`check_chat` opens the model itself, several times, and raises AssertionError naming the law that is broken.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from orcamath.ports import Chat, Message, Request, Sampling
from orcamath.store.ledger import Ledger, Remembered

__all__ = ["HARD_TEXTS", "ask_plainly", "check_chat"]

HARD_TEXTS = ("", "{0} {name} %s \\n </problem>", "naïve ½ ≤ 三 🐑", "x" * 20_000, "\x00\x1b[0m")


def ask_plainly(i: int, draw: int = 0) -> Request:
    """Ask one of many different questions, sampled."""
    messages = (
        Message("system", "Task: solver"),
        Message("user", f"A shop has {i} pens and sells 2. How many are left?"),
    )
    return Request(messages, sampling=Sampling(0.7, 0.95, 32), draw=draw)


def check_chat(open_chat: Callable[[], Chat], ask: Callable[..., Request] = ask_plainly, n: int = 9) -> None:
    """Hold a backend against the laws of `ports.Chat`. `ask(i, draw)` returns requests that it can answer."""
    _identity(open_chat)
    _one_reply_each(open_chat(), ask, n)
    _lazy(open_chat(), ask)
    _closing(open_chat(), ask, n)
    _hard_texts(open_chat(), ask)
    _remembered(open_chat(), ask, n)


def _identity(open_chat: Callable[[], Chat]) -> None:
    first, second = open_chat(), open_chat()
    assert first.fingerprint == second.fingerprint, "the same model has one fingerprint"
    assert isinstance(first.fingerprint, str), "a fingerprint is text"
    assert first.fingerprint, "a fingerprint names something"
    assert first.chunk is None or first.chunk >= 1, "a chunk has at least one call"
    assert list(first(iter(()))) == [], "no request, no reply"


def _one_reply_each(chat: Chat, ask: Callable[..., Request], n: int) -> None:
    requests = [ask(i, d) for i in range(n) for d in range(2)]
    requests += requests[:3]  # equal requests are answered as often as they are asked
    replies = list(chat(iter(requests)))
    want = sorted(r.key(chat.fingerprint) for r in requests)
    assert sorted(r.key for r in replies) == want, "every request gets one reply, which carries its key"
    for reply in replies:
        assert reply.error is None, f"a request it can answer has no error: {reply.error}"
        assert min(reply.usage.prompt_tokens, reply.usage.completion_tokens) >= 0, "tokens are counted from 0"
    said: dict[bytes, str] = {}
    for reply in replies:
        assert said.setdefault(reply.key, reply.text) == reply.text, "within one pass, one key has one answer"


def _lazy(chat: Chat, ask: Callable[..., Request]) -> None:
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for i in range(3):
            pulled += 1
            yield ask(i)

    replies = chat(requests())
    assert pulled == 0, "nothing is pulled before the first reply is wanted"
    assert len(list(replies)) == 3, "the same model answers again"


def _closing(chat: Chat, ask: Callable[..., Request], n: int) -> None:
    replies = chat(ask(i) for i in range(n))
    next(replies)
    close = getattr(replies, "close", None)
    assert close is not None, "replies can be closed early (a generator can)"
    close()
    assert len(list(chat(ask(i) for i in range(n)))) == n, "after closing early it answers again"


def _hard_texts(chat: Chat, ask: Callable[..., Request]) -> None:
    sampling = ask(0).sampling
    for text in HARD_TEXTS:
        request = ask(0) if ask(0).token_ids is not None else Request((Message("user", text),), sampling=sampling)
        replies = list(chat([request]))
        assert [r.key for r in replies] == [request.key(chat.fingerprint)], f"it answers or says why not: {text[:40]!r}"


def _remembered(chat: Chat, ask: Callable[..., Request], n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        model = Remembered(chat, ledger)
        assert model.fill(ask(i) for i in range(n)) == [], "what it answers can be remembered"
        assert all(model.reply(ask(i)) is not None for i in range(n)), "what is remembered is found by its request"
        ledger.close()
