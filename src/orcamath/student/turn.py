"""How an assistant's turn begins and ends, asked of the chat template itself by rendering a question with and without its answer.

Templates of models that think open a `<think>` block, or write an empty one: an answer of the data then closes the block first,
and what a student said before `</think>` is no part of its answer.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["Turn", "turn_of"]

_PROBE = "7"
_OPENS = re.compile(r"<think>\s*$")
_CLOSE = "</think>"


class Turn(NamedTuple):
    """What stands around an answer."""

    prompt: str
    """A short question's prompt: an answer is tokenised behind it."""
    lead: str
    """What the template puts between the prompt and an answer."""
    tail: str
    """What it puts between an answer and the end, such as a blank."""
    end: int
    """Id that ends the turn."""
    opens: bool = False
    """Whether the prompt ends within a thought."""

    @property
    def thinks(self) -> bool:
        """Whether the template has a place for thoughts."""
        return self.opens or _CLOSE in self.lead

    def led(self, answer: str) -> str:
        """Return an answer behind its lead. One that brings a thought of its own gets no second block."""
        thought, closed, rest = answer.partition(_CLOSE)
        if not closed or not self.thinks:
            return self.lead + answer
        if self.opens:
            thought = thought.removeprefix("<think>").removeprefix("\n")
        return thought + closed + rest

    def said(self, text: str) -> str:
        """Return a student's answer out of what it said: without lead and thought."""
        text = text.removeprefix(self.lead)
        if self.thinks and _CLOSE in text:
            text = text.rpartition(_CLOSE)[2].lstrip()
        return text


def turn_of(render: Callable[..., str], special: Mapping[int, str], eos: int) -> Turn:
    """Ask a template: `render(messages, generate=…)`. `special`: spelling by id of the tokens that may end a turn.

    Where it rewrites earlier turns, so that a prompt is not how the whole begins, answers stand as they are and end with `eos`.
    """
    asked = [{"role": "user", "content": "q"}]
    prompt = render(asked, generate=True)
    whole = render([*asked, {"role": "assistant", "content": _PROBE}], generate=False)
    opened = _OPENS.search(prompt)
    begun = prompt[: opened.start()] if opened else prompt
    if not whole.startswith(begun):
        return Turn(prompt, "", "", eos, bool(opened))
    lead, _, rest = whole[len(begun) :].partition(_PROBE)
    if opened:
        block = opened[0]
        gap = "\n" if block.endswith("\n") else "\n\n"
        lead = lead[len(block) :] if lead.startswith(block) else f"{gap}{_CLOSE}\n\n{lead}"
    tail, end = _end(rest, special, eos)
    return Turn(prompt, lead, tail, end, bool(opened))


def _end(rest: str, special: Mapping[int, str], eos: int) -> tuple[str, int]:
    """Return what stands before the first special token behind an answer, and its id."""
    places = [(rest.find(text), -len(text), i) for i, text in special.items() if text and text in rest]
    if not places:
        return "", eos
    at, _, end = min(places)
    return (rest[:at], end) if not rest[:at].strip() else ("", eos)
