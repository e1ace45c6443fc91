"""Editor: writes one harder problem out of a problem and suggestions (paper, section 2.3).

The paper's own example shows edits without a question and with lost numbers; whatever cannot be a word problem is rejected
here, with the reason.

With `writes: added` the model writes only what is new, one sentence and the question that takes the old one's place, and the
problem is put together here. Deviation: the paper's editor always writes the whole problem; a 0.5B model that does hands
nearly every problem back as it was (docs/log.md).
"""

import re
from collections.abc import Sequence
from typing import Literal

from orcamath.agents.driver import CallSettings
from orcamath.agents.gaps import question_of
from orcamath.agents.replies import Piece, failed, said, tagged
from orcamath.agents.suggester import Suggested
from orcamath.agents.wellformed import ask_of, content_words, contradiction, flaw, normal, numbers, units
from orcamath.ports import Reply, Request
from orcamath.prompts import Prompt, block, load
from orcamath.records import Problem, Rejected

__all__ = ["Editor", "EditorSettings", "make"]


class EditorSettings(CallSettings):
    """Settings of the editor."""

    PROMPT = "editor"
    max_new_tokens: int = 700
    writes: Literal["whole", "added"] = "whole"
    """`whole`: the new problem, as in the paper; `added`: a sentence and a question that go on from it, for small writers."""

    def loaded(self) -> Prompt:
        """Return the prompt that goes with `writes`, or the user's own."""
        return load("editor_added" if self.writes == "added" else self.PROMPT, self.prompt, self.examples)


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
            if reason := _adds_nothing(pieces[0].text, pieces[1].text, item.problem.question):
                return [Rejected(item=item.id, reason=reason, text=f"{pieces[0].text} {pieces[1].text}")]
            story, ask = question_of(item.problem.question, ask_of(item.problem.question))
            if numbers(ask) - numbers(f"{story} {pieces[0].text} {pieces[1].text}"):
                return [Rejected(item=item.id, reason="edit_lost_number", text=f"{pieces[0].text} {pieces[1].text}")]
            pieces = [Piece("edited_problem", f"{story} {pieces[0].text} {pieces[1].text}", pieces[1].whole)]
        else:
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


_RELATES = re.compile(
    r"\b(?:more|less|fewer|times|twice|half|each|every|than|away|back|left|of (?:the|them|these|those|his|her|their)|percent)\b"
    r"|%",
    re.IGNORECASE,
)


_PRONOUNS = (re.compile(r"\b(?:he|his|him)\b", re.IGNORECASE), re.compile(r"\b(?:she|hers?)\b", re.IGNORECASE))


def _adds_nothing(added: str, question: str, before: str) -> str | None:
    """Say why an addition makes no harder problem: nothing new is told, the old question is answered or asked again."""
    old = content_words(ask_of(before))
    told, asked = content_words(added), content_words(question)
    if "?" in added or "=" in added:
        return "several_questions" if "?" in added else "answer_given_away"
    if not numbers(added):
        return "adds_no_number"
    if normal(added) in normal(before):
        return "unchanged"
    if len(asked & old) >= 0.7 * len(asked | old):
        return "unchanged"
    if len(told & old) >= 0.6 * len(told) and not _RELATES.search(added):
        return "answer_given_away"  # of the old question, and most likely another than it has
    if units(question) - units(f"{before} {added}"):
        return "asks_something_else"
    for someone in _PRONOUNS:
        if someone.search(f"{added} {question}") and not someone.search(before):
            return "unclear_who"
    names = set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", f"{question} {added}"))
    return "asks_something_else" if names - set(re.findall(r"[A-Za-z]+", f"{before} {added[:30]}")) else None
