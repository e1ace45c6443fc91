"""Editor: writes one harder problem out of a problem and suggestions (paper, section 2.3).

The paper's own example shows edits without a question and with lost numbers; whatever cannot be a word problem is rejected
here, with the reason.

With `writes: added` the model writes only what is new, one sentence and the question that takes the old one's place, and the
problem is put together here. Deviation: the paper's editor always writes the whole problem; a 0.5B model that does hands
nearly every problem back as it was (docs/log.md).
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import PositiveInt

from orcamath.agents.driver import CallSettings
from orcamath.agents.replies import Piece, failed, said, tagged
from orcamath.agents.rewording import reworded
from orcamath.agents.small_writer.added import useless, with_addition
from orcamath.agents.small_writer.hiding import question_of
from orcamath.agents.suggester import Suggested
from orcamath.agents.wellformed import ask_of, contradiction, flaw, numbers
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block, load_prompt
from orcamath.records import Problem, Rejected
from orcamath.text.words import normal, normal_with_signs

__all__ = ["Editor", "EditorSettings", "make"]


class EditorSettings(CallSettings):
    """Settings of the editor."""

    PROMPT = "editor"
    max_new_tokens: PositiveInt = 700
    writes: Literal["whole", "added"] = "whole"
    """`whole`: the new problem, as in the paper; `added`: a sentence and a question that go on from it, for small writers."""

    def loaded(self) -> Prompt:
        """Return the prompt that goes with `writes`, or the user's own."""
        return load_prompt("editor_added" if self.writes == "added" else self.PROMPT, self.prompt, self.examples)


class Editor:
    """The agent: one call a `Suggested`, one problem."""

    def __init__(self, settings: EditorSettings, prompt: Prompt, name: str = "editor") -> None:
        self.settings = settings
        self.prompt = prompt
        self.name = name

    def request(self, item: Suggested, draw: int) -> Request:
        """Ask for the edited problem."""
        values = {
            "problem": block("problem", item.problem.question),
            "question": block("question", question_of(item.problem.question, ask_of(item.problem.question))[1]),
            "suggestions": block("suggestions", "\n".join(f"- {s}" for s in item.suggestions)),
        }
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Suggested) -> Sequence[Problem | Rejected] | Rejected:
        """Return the problem, or the reason why the text is none."""
        words = said(reply)
        if self.settings.writes == "added":
            pieces = tagged(words.text, "added", "question")
            if [p.tag for p in pieces[:2]] != ["added", "question"]:
                return failed(item.id, words, reply)
            added, question = pieces[0].text, pieces[1].text
            text = with_addition(added, question, item.problem.question)
            if reason := useless(added, question, item.problem.question):
                return Rejected(item=item.id, reason=reason, text=text)
            pieces = [Piece("edited_problem", text, pieces[1].whole)]
        else:
            pieces = tagged(words.text, "edited_problem")
        if not pieces:
            return failed(item.id, words, reply)
        if len({normal(p.text) for p in pieces}) > 1:
            return Rejected(item=item.id, reason="several_problems", text=reply.text)
        text, parent = pieces[0].text, item.problem
        if reason := self._wrong(text, pieces[0].whole or not words.cut_off, item):
            detail = (contradiction(text) or "") if reason == "contradicts_itself" else ""
            return Rejected(item=item.id, reason=reason, detail=detail, text=text)  # and the editor is asked once more
        return [
            Problem.make(
                text,
                "suggester_editor",
                parent.source,
                split=parent.split,
                licence=parent.licence,
                cluster=parent.cluster,
                parents=(parent.id,),
                round=parent.round + 1,
            )
        ]

    def _wrong(self, text: str, whole: bool, item: Suggested) -> str | None:
        if not whole:
            return "cut_off"
        if normal_with_signs(text) == normal_with_signs(item.problem.question):
            return "unchanged"
        if wrong := flaw(text):
            return wrong
        if not numbers(text):
            return "no_number"
        return "unchanged" if reworded(text, item.problem.question) else None


def make(settings: EditorSettings) -> Editor:
    """Build the agent with its prompt."""
    return Editor(settings, settings.loaded())
