"""The one driver: brings an agent's calls into the ledger in any order, then reads them back in input order.

An agent is two pure halves around a call: `request(item, draw)` says what is asked, `parse(reply, item)` makes results of
what came back, or says why not. Whatever went wrong with one item is a `Rejected`, never an exception; a failure of the
wire is booked by the model itself, and asked again by the next run. A reply that was never asked for is missing by a fault of
the agent's, and raises OthersFailed.

Both balances are kept here. Calls: every draw asked was parsed or failed. Results: of a `final` agent every result is owed
when it is handed out, to be kept or rejected by the stage; of an agent whose results are only the input of another one, the
rejected ones alone are counted.

Deviation: the paper drives its agents with AutoGen. Agents here do not talk to each other but through finished results,
so batches do the same at a twentieth of the cost (docs/decisions/agents.md).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, Protocol, TypeVar, runtime_checkable

from pydantic import Field, NonNegativeFloat, PositiveInt

from orcamath.errors import OthersFailed
from orcamath.extend import contract_of
from orcamath.ports import Progress, Reply, Request, Sampling
from orcamath.prompts import Prompt, load_prompt
from orcamath.records import Problem, Rejected, Settings, outside_digest
from orcamath.store.artifacts import Output
from orcamath.store.ledger import Remembered
from orcamath.store.under_way import under_way

__all__ = ["Agent", "CallSettings", "Item", "TopP", "came_through", "drive", "examine", "fill", "fold_replies", "write"]


class Item(Protocol):
    """Anything an agent works on; its id names it among the rejected."""

    @property
    def id(self) -> str:
        """Content hash of the item."""
        ...


In = TypeVar("In", bound=Item)
Made = TypeVar("Made")
In_contra = TypeVar("In_contra", bound=Item, contravariant=True)
Made_co = TypeVar("Made_co", covariant=True)


@runtime_checkable
class Agent(Protocol[In_contra, Made_co]):
    """Two pure halves around a model call."""

    @property
    def name(self) -> str:
        """What tables and progress bars call it."""
        ...

    def request(self, item: In_contra, draw: int) -> Request:
        """Say what is asked about an item; `draw` tells repeated calls apart."""
        ...

    def parse(self, reply: Reply, item: In_contra) -> Iterable[Made_co | Rejected] | Rejected:
        """Read a reply: results and rejected results, or one Rejected for a reply that cannot be used at all.

        Results may be made as they are taken: whether to ask again is known before the first of them.
        """
        ...


TopP = Annotated[float, Field(gt=0, le=1)]


class CallSettings(Settings):
    """How an agent calls its model.

    Bounds stand in the types, so that a subclass with another default repeats them.
    """

    temperature: NonNegativeFloat = 0.7
    """At 0 a call is asked once only: asking again would bring the same reply."""
    top_p: TopP = 0.95
    max_new_tokens: PositiveInt = 2048
    tries: PositiveInt = 2
    """How often a call is asked at most, where the reply could not be read; more than one needs a temperature above 0."""
    prompt: str | None = outside_digest(None)
    """Path of your own prompt file; what it says enters the digest, where it lies does not."""
    examples: str | None = outside_digest(None)
    """Path of your own worked examples."""

    PROMPT: ClassVar[str] = ""
    """Name of the prompt that ships."""

    def tries_in_vain(self) -> bool:
        """Tell whether more tries are asked for than will be made: at temperature 0 they would bring the same text."""
        return self.temperature == 0 and self.tries > type(self).model_fields["tries"].default

    def loaded(self) -> Prompt:
        """Return the prompt: ours, or the user's own; raises RecipeError for a file that is not there."""
        return load_prompt(self.PROMPT, self.prompt, self.examples)

    def contents(self) -> list[str]:
        """Return the hash of the prompt's text, which enters the digest of the stage."""
        return [self.loaded().fingerprint]

    def sampling(self) -> Sampling:
        """Return the settings as a request carries them."""
        return Sampling(self.temperature, self.top_p, self.max_new_tokens)


def drive(
    agent: Agent[In, Made],
    items: Callable[[], Iterable[In]],
    chat: Remembered,
    out: Output,
    *,
    tries: int = 1,
    final: bool = True,
    total: int | None = None,
) -> Iterator[tuple[In, Made]]:
    """Fill now, then hand out the folded results lazily, in input order. `items()` starts over from the first item.

    `total`: how many items there are, for the progress bar.
    """
    fill(agent, items, chat, out.progress, tries=tries, total=total)
    return fold_replies(agent, items, chat, out, tries=tries, final=final)


def fill(
    agent: Agent[In, Made],
    items: Callable[[], Iterable[In]],
    chat: Remembered,
    progress: Progress,
    *,
    tries: int = 1,
    total: int | None = None,
) -> None:
    """Bring all calls into the ledger; what could not be read is asked again with the next draw."""
    progress.begin(agent.name, total)
    chat.fill((agent.request(item, 0) for item in items()), progress)
    for draw in range(1, tries):
        again = [r for item in items() if (r := _again(agent, item, chat, draw)) is not None]
        if not again:
            break
        progress.begin(f"{agent.name}, try {draw + 1}", len(again))
        chat.fill(again, progress)
    progress.end()


def fold_replies(
    agent: Agent[In, Made],
    items: Callable[[], Iterable[In]],
    chat: Remembered,
    out: Output | None,
    *,
    tries: int = 1,
    final: bool = True,
) -> Iterator[tuple[In, Made]]:
    """Read remembered replies in input order and yield (item, result); `out=None` reads without keeping the books.

    Items whose call never came through are left out: the stage is not sealed then.
    """
    books = Counter[str]() if out is None else out.agents.setdefault(agent.name, Counter())
    for item in items():
        for heard in _heard(agent, item, chat, tries):
            if heard is None:
                break
            reply, parsed = heard[0], _to_its_end(heard[1])
            if out is not None:
                _book(parsed, reply, out, books, final)
            if not isinstance(parsed, Rejected):
                yield from ((item, made) for made in parsed if not isinstance(made, Rejected))


def came_through(agent: Agent[In, Made], item: In, chat: Remembered, *, tries: int = 1) -> bool:
    """Tell whether nothing more is owed of an item: a reply could be read, or every try of it came back."""
    return None not in _heard(agent, item, chat, tries)


def write(
    agent: Agent[In, Problem],
    items: Callable[[], Iterable[In]],
    chat: Remembered,
    out: Output,
    *,
    tries: int = 1,
    total: int | None = None,
) -> int:
    """Run an agent that makes problems and write the table `problems`; returns how many were kept."""

    def kept() -> Iterator[Problem]:
        for _, problem in drive(agent, items, chat, out, tries=tries, total=total):
            out.keep(owed=True)
            yield problem

    return out.write("problems", kept())


def examine(agent: Agent[In, Made], reply: Reply, item: In) -> Sequence[Made | Rejected] | Rejected:
    """Parse a reply to its end, after what no agent can use: an endpoint's refusal, an empty text."""
    return _to_its_end(_parsed(agent, reply, item))


def _to_its_end(found: Iterable[Made | Rejected] | Rejected) -> Sequence[Made | Rejected] | Rejected:
    return found if isinstance(found, Rejected) else list(found)


def _parsed(agent: Agent[In, Made], reply: Reply, item: In) -> Iterable[Made | Rejected] | Rejected:
    if reply.finish_reason == "refused":
        return Rejected(item=item.id, reason="refused", detail="by the endpoint", text=reply.text)
    if not reply.text.strip():
        return Rejected(item=item.id, reason="cut_off" if reply.finish_reason == "length" else "empty_reply")
    return agent.parse(reply, item)


def _book(parsed: Sequence[object] | Rejected, reply: Reply, out: Output, books: Counter[str], final: bool) -> None:
    books["asked"] += 1
    books["prompt_tokens"] += reply.usage.prompt_tokens
    books["completion_tokens"] += reply.usage.completion_tokens
    if isinstance(parsed, Rejected):
        books["failed"] += 1
        out.reject(parsed, of_call=True)
        return
    out.parsed()
    books["parsed"] += 1
    for made in parsed:
        if isinstance(made, Rejected):
            books["results_rejected"] += 1
            out.reject(made)
        else:
            books["results"] += 1
            if final:
                out.owe()


def _look_asked(agent: Agent[In, Made], item: In, key: bytes) -> None:
    """Look whether the reply that is missing was asked for at all, so that what was paid is not lost silently."""
    calls = under_way()
    if calls is not None and not calls.has_asked(key):
        raise OthersFailed(
            f"agent `{agent.name}`: the reply about `{item.id}` is not found again, since `request` asked something else the "
            f"second time, or `parse` read a reply in another way; both must do the same each time, without a random part. "
            f"{contract_of('agent')}"
        )


def _again(agent: Agent[In, Made], item: In, chat: Remembered, draw: int) -> Request | None:
    """Return the call to ask next where every draw before could not be read; a wire failure is not asked here."""
    if not all(found is not None and isinstance(found[1], Rejected) for found in _heard(agent, item, chat, draw)):
        return None
    request = agent.request(item, draw)
    return None if request.sampling.temperature == 0 else request


def _heard(
    agent: Agent[In, Made], item: In, chat: Remembered, tries: int
) -> Iterator[tuple[Reply, Iterable[Made | Rejected] | Rejected] | None]:
    """Yield an item's remembered replies and what each was read as, up to the first that could be; None where one is owed."""
    for draw in range(tries):
        request = agent.request(item, draw)
        if draw and request.sampling.temperature == 0:
            return
        reply = chat.reply(request)
        if reply is None:
            _look_asked(agent, item, request.key(chat.fingerprint))
            yield None
            return
        parsed = _parsed(agent, reply, item)
        yield reply, parsed
        if not isinstance(parsed, Rejected):
            return
