"""Members of families as the rest of the house calls them: others' are held to what their family may return.

`held(family, name)` returns a member's entry. One that ships here is returned as it is, for its family's tests hold it to its
contract; one of the user's file or of an installed package is wrapped, so that whatever it returns, yields, or answers in any
later call is looked at where it comes in, once for all who use it. What cannot be used raises OthersFailed: who returned what,
what was due, and the family's contract; so does what cannot be called as its family is, since no line of theirs would run then.
An exception out of theirs is the boundary's business (`families.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from orcamath.agents.driver import Agent
from orcamath.agents.settings import AgentSettings
from orcamath.extend import FAMILIES, code_of
from orcamath.families import find
from orcamath.fields import amiss, amiss_in_seed
from orcamath.held_backend import backend
from orcamath.judges.settings import JudgeSettings
from orcamath.member import Member
from orcamath.ports import (
    Chat,
    Closing,
    Comparison,
    Finding,
    Judge,
    Reply,
    Request,
    Screen,
    TrackedRun,
    Tracker,
)
from orcamath.records import Problem, Rejected
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
        for n, found in enumerate(member.many(read(settings), wanted), start=1):
            if isinstance(found, Rejected):
                member.sound(amiss(found), found, member.entry, wanted)
                yield found
                continue
            problem = found.problem if isinstance(found, Unsplit) else found
            if not isinstance(problem, Problem):
                raise member.wrong(found, member.entry, wanted)
            member.sound(amiss_in_seed(problem), problem, member.entry, wanted)
            yield _blank(problem, f"problem {n}") or (found if isinstance(found, Unsplit) else problem)

    return yielded


def _blank(problem: Problem, item: str) -> Rejected | None:
    """Reject a problem that asks nothing, as our own readers do: nobody is to pay for it."""
    if problem.question.strip():
        return None
    return Rejected(item=item, reason="no_question", detail="the question is empty", text=problem.question)


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
        self.steady = False

    def request(self, item: Problem, draw: int) -> Request:
        request = self._request(item, draw)
        if not self.steady:  # once, before the first call is paid for: replies are found again by what was asked
            if (again := self._request(item, draw)) != request:
                how = f"asked something else the second time: {_difference(repr(request), repr(again))}"
                raise self.member.broke("request", how, "the same for the same item and draw, without a random part")
            self.steady = True
        return request

    def _request(self, item: Problem, draw: int) -> Request:
        request, wanted = self.agent.request(item, draw), "a Request"
        self.member.due(Request, request, "request", wanted)
        self.member.sound(amiss(request), request, "request", wanted)
        return request

    def parse(self, reply: Reply, item: Problem) -> Sequence[Problem | Rejected] | Rejected:
        found: object = self.agent.parse(reply, item)
        wanted = "a list of Problem and Rejected, or one Rejected"
        made = [found] if isinstance(found, Rejected) else found
        if not isinstance(made, list | tuple) or not all(isinstance(x, Problem | Rejected) for x in made):
            raise self.member.wrong(found, "parse", wanted)
        for x in made:
            self.member.sound(amiss(x), x, "parse", wanted)
        if isinstance(found, Rejected):
            return found
        return [(_blank(x, item.id) if isinstance(x, Problem) else None) or x for x in made]


def _difference(one: str, other: str) -> str:
    """Show both texts from shortly before they differ."""
    begin = max(0, len(commonprefix([one, other])) - 20)  # noqa: RUF071 — characters are what is compared
    return f"`…{one[begin : begin + 60]}…`, then `…{other[begin : begin + 60]}…`"


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
        self.fingerprint = member.named(judge.fingerprint)
        member.takes(judge, "__call__", "comparisons")

    def __call__(self, comparisons: Iterable[Comparison]) -> Iterator[Finding]:
        wanted = "one Finding a comparison, whose outcome is `agrees`, `disagrees` or `unjudged`"
        asked, n = _Counted(comparisons), 0
        findings: object = self.judge(asked)
        if isinstance(findings, str) or not isinstance(findings, Iterable):
            raise self.member.wrong(findings, "__call__", wanted)
        for n, found in enumerate(findings, start=1):
            if not isinstance(found, Finding) or n > asked.n:
                raise self.member.wrong(found, "__call__", wanted)
            self.member.sound(amiss(found), found, "__call__", wanted)
            yield found._replace(by=sendable(found.by), reason=sendable(found.reason))
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
        self.fingerprint = member.named(screen.fingerprint)
        self.reason = member.text(screen.reason, "reason")
        member.takes(screen, "__call__", "question")

    def __call__(self, question: str) -> str | None:
        said: object = self.screen(question)
        return None if said is None else self.member.text(said, "__call__", "a text that is not empty, or None")


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
    "backend": (backend, ("settings",)),
    "screen": (_screens, ()),
    "tracker": (_tracker, ("run",)),
    "base": (_base, ()),
}
"""How the members of a family are held, and what their entry is called with."""
