"""Suggester: says how a problem could be made harder, without writing the harder problem (paper, section 2.3)."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import PositiveInt

from orcamath.agents.driver import CallSettings
from orcamath.agents.replies import failed, said, tagged
from orcamath.agents.small_writer.hiding import question_of
from orcamath.agents.small_writer.ideas import idea_for
from orcamath.agents.wellformed import ask_of, asks, numbers
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block, load_prompt
from orcamath.records import Problem, Rejected

__all__ = ["Suggested", "Suggester", "SuggesterSettings", "make"]


class SuggesterSettings(CallSettings):
    """Settings of the suggester."""

    PROMPT = "suggester"
    max_new_tokens: PositiveInt = 400
    max_suggestions: PositiveInt = 3
    """Further ones are not passed on."""
    max_chars: PositiveInt = 400
    """A longer suggestion writes the problem."""
    ideas: bool = False
    """Whether each problem gets an idea of ours to build on, and only its question is shown: for small writers."""

    def loaded(self) -> Prompt:
        """Return the prompt that goes with `ideas`, or the user's own."""
        return load_prompt("suggester_idea" if self.ideas else self.PROMPT, self.prompt, self.examples)


class Suggested(NamedTuple):
    """A problem and what could be done with it: the editor's input."""

    problem: Problem
    suggestions: tuple[str, ...]

    @property
    def id(self) -> str:
        """The problem's."""
        return self.problem.id


class Suggester:
    """The agent: one call a problem, one `Suggested`."""

    def __init__(self, settings: SuggesterSettings, prompt: Prompt, name: str = "suggester") -> None:
        self.settings = settings
        self.prompt = prompt
        self.name = name

    def request(self, item: Problem, draw: int) -> Request:
        """Ask for suggestions."""
        values = {"problem": block("problem", item.question)}
        if self.settings.ideas:
            _, ask = question_of(item.question, ask_of(item.question))
            values |= {"question": block("question", ask), "idea": block("idea", idea_for(item))}
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Problem) -> Sequence[Suggested | Rejected] | Rejected:
        """Return the usable suggestions together, and a Rejected for each one that is none."""
        words = said(reply)
        pieces = tagged(words.text, "suggestion")
        if not pieces:
            return failed(item.id, words, reply)
        rejected = [
            Rejected(item=item.id, reason=r, text=p.text) for p in pieces if (r := self._wrong(p.text, p.whole))
        ]
        good = [p.text for p in pieces if not self._wrong(p.text, p.whole)]
        if not good:
            return Rejected(item=item.id, reason=rejected[0].reason, text=reply.text)
        return [Suggested(item, tuple(dict.fromkeys(good))[: self.settings.max_suggestions]), *rejected]

    def _wrong(self, text: str, whole: bool) -> str | None:
        if not whole and not text.rstrip().endswith((".", "!", "?")):
            return "cut_off"
        if len(text) > self.settings.max_chars or (
            asks(text) and text.rstrip().endswith("?") and numbers(text).total() >= 2
        ):
            return "suggestion_writes_problem"
        return "too_short" if len(text.split()) < 3 else None


def make(settings: SuggesterSettings) -> Suggester:
    """Build the agent with its prompt."""
    return Suggester(settings, settings.loaded())
