"""Editor: writes one harder problem out of a problem and suggestions (paper, section 2.3).

The paper's own example shows edits without a question and with lost numbers; whatever cannot be a word problem is rejected
here, with the reason.
"""

from collections.abc import Sequence

from orcamath.agents.driver import CallSettings
from orcamath.agents.replies import failed, said, tagged
from orcamath.agents.suggester import Suggested
from orcamath.agents.wellformed import ask_of, content_words, contradiction, flaw, normal, numbers
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block
from orcamath.records import Problem, Rejected

__all__ = ["Editor", "EditorSettings", "make"]


class EditorSettings(CallSettings):
    """Settings of the editor."""

    PROMPT = "editor"
    max_new_tokens: int = 700


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
            "suggestions": block("suggestions", "\n".join(f"- {s}" for s in item.suggestions)),
        }
        return Request(self.prompt.messages(values), sampling=self.settings.sampling(), draw=draw)

    def parse(self, reply: Reply, item: Suggested) -> Sequence[Problem | Rejected] | Rejected:
        """Return the problem, or the reason why the text is none."""
        words = said(reply)
        pieces = tagged(words.text, "edited_problem")
        if not pieces:
            return failed(item.id, words, reply)
        if len({normal(p.text) for p in pieces}) > 1:
            return Rejected(item=item.id, reason="several_problems", text=reply.text)
        text, parent = pieces[0].text, item.problem
        if reason := self._wrong(text, pieces[0].whole or not words.cut_off, item):
            detail = (contradiction(text) or "") if reason == "contradicts_itself" else ""
            return [Rejected(item=item.id, reason=reason, detail=detail, text=text)]
        return [
            Problem.make(
                text, "suggester_editor", parent.source, split=parent.split, licence=parent.licence, cluster=parent.cluster,
                parents=(parent.id,), round=parent.round + 1,
            )
        ]  # fmt: skip

    def _wrong(self, text: str, whole: bool, item: Suggested) -> str | None:
        if not whole:
            return "cut_off"
        if normal(text) == normal(item.problem.question):
            return "unchanged"
        if wrong := flaw(text):
            return wrong
        if _reworded(text, item.problem.question):
            return "unchanged"
        return None if numbers(text) else "no_number"


def make(settings: EditorSettings) -> Editor:
    """Build the agent with its prompt."""
    return Editor(settings, settings.loaded())


def _reworded(text: str, before: str) -> bool:
    """Tell whether an edit adds nothing: no number, hardly a word, and it asks for the same."""
    if numbers(text) - numbers(before):
        return False
    ours, theirs = content_words(text), content_words(before)
    asked, before_asked = content_words(ask_of(text)), content_words(ask_of(before))
    same_ask = len(asked & before_asked) >= 0.6 * len(asked | before_asked)
    return same_ask and len(ours & theirs) >= 0.9 * len(ours)
