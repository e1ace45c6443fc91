"""Members of families as the rest of the house calls them: others' are held to what their family may return.

`held(family, name)` returns a member's entry. One that ships here is returned as it is, for its family's tests hold it to its
contract; one of the user's file or of an installed package is wrapped, so that whatever it returns, yields, or answers in any
later call is looked at where it comes in, once for all who use it. What cannot be used raises OthersFailed: who returned what,
what was due, and the family's contract; so does what cannot be called as its family is, since no line of theirs would run then.
An exception out of theirs is the boundary's business (`families.py`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, get_args, overload

from orcamath.agents.driver import Agent
from orcamath.agents.settings import AgentSettings
from orcamath.extend import FAMILIES, code_of
from orcamath.families import find
from orcamath.judges.settings import JudgeSettings
from orcamath.member import Member
from orcamath.ports import (
    Batched,
    Chat,
    Closing,
    Comparison,
    Finding,
    Judge,
    Replies,
    Reply,
    Request,
    Screen,
    TrackedRun,
    Tracker,
)
from orcamath.records import Outcome, Problem, Rejected
from orcamath.settings import ModelSettings
from orcamath.sources.source import Found, Reader, SourceSettings, Unsplit
from orcamath.store.ledger import Remembered
from orcamath.visible import sendable

if TYPE_CHECKING:
    from orcamath.student.losses import LossFunction

__all__ = ["held"]

Entry = Callable[..., object]
T = TypeVar("T")
Own = Agent[Problem, Problem]


@overload
def held(family: Literal["source"], name: str) -> Reader: ...
@overload
def held(family: Literal["agent"], name: str) -> Callable[[AgentSettings], Own]: ...
@overload
def held(family: Literal["judge"], name: str) -> Callable[[JudgeSettings, Remembered | None], Judge]: ...
@overload
def held(family: Literal["loss"], name: str) -> "LossFunction": ...
@overload
def held(family: Literal["backend"], name: str) -> Callable[[ModelSettings], Chat]: ...
@overload
def held(family: Literal["screen"], name: str) -> Callable[[], Iterable[Screen]]: ...
@overload
def held(family: Literal["tracker"], name: str) -> Callable[[TrackedRun], Tracker]: ...
@overload
def held(family: Literal["base"], name: str) -> Callable[[], Path]: ...
def held(family: str, name: str) -> Entry:
    """Return the entry of a family's member. Raises what `families.find` raises."""
    entry: Entry = getattr(find(family, name), FAMILIES[family].entry)
    if code_of(family, name) is None:
        return entry
    member, (hold, takes) = Member(family, name), _HELD[family]
    member.takes(entry, member.entry, *takes)
    return wraps(entry)(hold(member, entry))


def _source(member: Member, read: Entry) -> Reader:
    wanted = "Problem, Unsplit or Rejected, one after the other"

    def yielded(settings: SourceSettings) -> Iterator[Found]:
        for found in member.many(read(settings), wanted):
            if not isinstance(found, Problem | Unsplit | Rejected):
                raise member.wrong(found, member.entry, wanted)
            yield found

    return yielded


def _agent(member: Member, make: Entry) -> Callable[[AgentSettings], Own]:
    def agent(settings: AgentSettings) -> Own:
        made = make(settings)
        if not isinstance(made, Agent):
            raise member.wrong(made, member.entry, "an Agent: `name`, `request` and `parse`")
        return _Agent(member, made)

    return agent


class _Agent:
    def __init__(self, member: Member, agent: Own) -> None:
        self.member, self.agent, self.name = member, agent, member.text(agent.name, "name")
        member.takes(agent.request, "request", "item", "draw")
        member.takes(agent.parse, "parse", "reply", "item")

    def request(self, item: Problem, draw: int) -> Request:
        return self.member.due(Request, self.agent.request(item, draw), "request", "a Request")

    def parse(self, reply: Reply, item: Problem) -> Sequence[Problem | Rejected] | Rejected:
        found: object = self.agent.parse(reply, item)
        if isinstance(found, Rejected):
            return found
        if not isinstance(found, list | tuple) or not all(isinstance(x, Problem | Rejected) for x in found):
            raise self.member.wrong(found, "parse", "a list of Problem and Rejected, or one Rejected")
        return found


def _judge(member: Member, make: Entry) -> Callable[[JudgeSettings, Remembered | None], Judge]:
    def judge(settings: JudgeSettings, model: Remembered | None) -> Judge:
        made = make(settings, model)
        if not isinstance(made, Judge):
            raise member.wrong(made, member.entry, "a Judge: it has a `fingerprint`, and is called")
        return _Judge(member, made)

    return judge


class _Judge:
    def __init__(self, member: Member, judge: Judge) -> None:
        self.member, self.judge = member, judge
        self.fingerprint = member.text(judge.fingerprint, "fingerprint")
        member.takes(judge, "__call__", "comparisons")

    def __call__(self, comparisons: Iterable[Comparison]) -> Iterator[Finding]:
        wanted = "one Finding a comparison, whose outcome is `agrees`, `disagrees` or `unjudged`"
        asked, n = _Counted(comparisons), 0
        findings: object = self.judge(asked)
        if isinstance(findings, str) or not isinstance(findings, Iterable):
            raise self.member.wrong(findings, "__call__", wanted)
        for n, found in enumerate(findings, start=1):
            if not isinstance(found, Finding) or found.outcome not in get_args(Outcome) or n > asked.n:
                raise self.member.wrong(found, "__call__", wanted)
            yield found
        if n != asked.n or next(asked, None) is not None:
            raise self.member.too_few("__call__", f"after {n} findings there were comparisons left", wanted)

    def close(self) -> None:
        if isinstance(self.judge, Closing):
            self.judge.close()


class _Counted(Iterator[T]):
    """Counts what is drawn."""

    def __init__(self, items: Iterable[T]) -> None:
        self.items, self.n = iter(items), 0

    def __next__(self) -> T:
        item = next(self.items)
        self.n += 1
        return item


def _backend(member: Member, open_chat: Entry) -> Callable[[ModelSettings], Chat]:
    def chat(settings: ModelSettings) -> Chat:
        made = open_chat(settings)
        if not isinstance(made, Chat):
            raise member.wrong(made, member.entry, "a Chat: it has a `fingerprint` and a `chunk`, and is called")
        held_to = _Chat(member, made)
        if isinstance(made, Batched):  # a backend is told by it from one that answers at once
            vars(held_to)["handed_in"] = made.handed_in
        return held_to

    return chat


class _Chat:
    def __init__(self, member: Member, chat: Chat) -> None:
        self.member, self.chat = member, chat
        self.fingerprint = member.text(chat.fingerprint, "fingerprint")
        member.takes(chat, "__call__", "requests")
        self.chunk = None if chat.chunk is None else member.due(int, chat.chunk, "chunk", "None, or a number of calls")

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
                if not isinstance(found, Reply) or not waiting[found.key]:
                    raise self.member.wrong(found, "__call__", wanted)
                waiting[found.key] -= 1
                if not waiting[found.key]:  # of a long run only what is under way is kept
                    del waiting[found.key]
                text = sendable(found.text)
                yield found if text == found.text else replace(found, text=text)
        if n := waiting.total():
            raise self.member.too_few("__call__", f"requests without a reply: {n}", wanted)

    def close(self) -> None:
        if isinstance(self.chat, Closing):
            self.chat.close()


def _screens(member: Member, make: Entry) -> Callable[[], list[Screen]]:
    wanted = "Screens, one after the other: each has a `fingerprint` and a `reason`, and is called"

    def screens() -> list[Screen]:
        made: list[Screen] = []
        for screen in member.many(make(), wanted):
            if not isinstance(screen, Screen):
                raise member.wrong(screen, member.entry, wanted)
            made.append(_Screen(member, screen))
        return made

    return screens


class _Screen:
    def __init__(self, member: Member, screen: Screen) -> None:
        self.member, self.screen = member, screen
        self.fingerprint = member.text(screen.fingerprint, "fingerprint")
        self.reason = member.text(screen.reason, "reason")
        member.takes(screen, "__call__", "question")

    def __call__(self, question: str) -> str | None:
        said: object = self.screen(question)
        return None if said is None else self.member.text(said, "__call__")


def _tracker(member: Member, open_tracker: Entry) -> Callable[[TrackedRun], Tracker]:
    def tracker(run: TrackedRun) -> Tracker:
        made = open_tracker(run)
        if not isinstance(made, Tracker):
            raise member.wrong(made, member.entry, "a Tracker: `add` and `close`")
        member.takes(made.add, "add", "stage", "step", "numbers")
        member.takes(made.close, "close")
        return made

    return tracker


def _base(member: Member, folder: Entry) -> Callable[[], Path]:
    return lambda: member.due(Path, folder(), member.entry, "a Path")


def _loss(member: Member, loss: Entry) -> "LossFunction":
    from orcamath.student.losses import Batch, Loss, is_share
    from orcamath.student.settings import LossSettings

    def share(batch: Batch, settings: LossSettings) -> Loss:
        wanted = "a Loss whose `total` is a tensor without dimensions, made of `batch.logp`"
        found = member.due(Loss, loss(batch, settings), member.entry, wanted)
        if not is_share(found, batch):
            raise member.wrong(found, member.entry, wanted)
        return found

    return share


_HELD: dict[str, tuple[Callable[[Member, Entry], Entry], tuple[str, ...]]] = {
    "source": (_source, ("settings",)),
    "agent": (_agent, ("settings",)),
    "judge": (_judge, ("settings", "model")),
    "loss": (_loss, ("batch", "settings")),
    "backend": (_backend, ("settings",)),
    "screen": (_screens, ()),
    "tracker": (_tracker, ("run",)),
    "base": (_base, ()),
}
"""How the members of a family are held, and what their entry is called with."""
