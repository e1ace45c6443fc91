"""The classroom's language, both ways: `render(story)` writes a word problem, `parse(text)` reads exactly that story back.

Reading is a dictionary look-up per sentence (names and numbers replaced by marks), so no text, however hostile, makes it
slow; whatever is not of this language raises `NoStory`.
"""

import re
from functools import cache
from typing import NamedTuple

from orcamath.classroom.solving import Step, Story, Unsolvable, solve_for, values
from orcamath.classroom.words import (
    FRIENDS,
    HIDDEN,
    KINDS,
    NAMES,
    RESULT_QUESTIONS,
    RESULT_TOLD,
    START_QUESTION,
    STARTS,
    THEMES,
    UNITS,
    noun,
    verb,
)

__all__ = ["MAX_STEPS", "NoStory", "owners", "parse_story", "render", "state", "story_units", "vocabulary"]

MAX_STEPS = 6
MAX_DIGITS = 6


class NoStory(ValueError):
    """The text is not a problem of this language; the message says where it departs."""


def owners(story: Story) -> list[str]:
    """Return who owns the quantity after the start and after each step."""
    names = iter(story.names)
    found = [next(names)]
    for step in story.steps:
        owner = KINDS[step.kind].owner
        new = found[-1] if owner == "same" else next(names)
        found.append(FRIENDS if owner == "friends" else new)
    return found


def story_units(story: Story) -> list[int]:
    """Return what is counted after the start and after each step."""
    found = [story.unit]
    for step in story.steps:
        to = KINDS[step.kind].to
        found.append(found[-1] if to is None else to)
    return found


def render(story: Story) -> str:
    """Write the problem: the steps in order, the result where it is told, the question."""
    hidden = None if story.forward else story.asked
    return " ".join([*_sentences(story, hidden, result=not story.forward), _question(story)])


def state(story: Story) -> str:
    """Write the story with all its numbers, result included, and no question."""
    return " ".join(_sentences(story, None, result=True))


def parse_story(text: str) -> Story:
    """Read a problem back; raises NoStory. `parse(render(story)) == story` for every story whose numbers come out."""
    sentences = re.split(r"(?<=[.?])\s+", text.strip())
    if not 3 <= len(sentences) <= MAX_STEPS + 3:
        raise NoStory(f"{len(sentences)} sentences")
    reader = _Reader()
    for sentence in sentences[:-1]:
        reader.read(sentence)
    return reader.finish(sentences[-1])


def _sentences(story: Story, hidden: int | None, *, result: bool) -> list[str]:
    who, what, numbers = owners(story), story_units(story), [story.start, *(s.number for s in story.steps), 0]
    if result:
        numbers[-1] = values(story)[-1]
    names = iter(story.names[1:])
    written = [_fill(STARTS[story.wording], story.theme, what[0], 0, who[0], "", _number(numbers, 0, hidden))]
    for i, step in enumerate(story.steps, 1):
        kind = KINDS[step.kind]
        new = "" if kind.owner == "same" else next(names)
        number = _number(numbers, i, hidden)
        template = kind.told[step.wording]
        written.append(_fill(template, story.theme, what[i - 1], step.wording, who[i - 1], new, number))
    if result:
        written.append(_fill(RESULT_TOLD[story.told], story.theme, what[-1], 0, who[-1], "", str(numbers[-1])))
    return written


def _number(numbers: list[int], i: int, hidden: int | None) -> str:
    return HIDDEN if i == hidden else str(numbers[i])


def _question(story: Story) -> str:
    who, what, i = owners(story), story_units(story), story.asked
    if story.forward:
        return _capital(_fill(RESULT_QUESTIONS[story.question], story.theme, what[-1], 0, who[-1], "", ""))
    if i == 0:
        template, unit, wording, owner, new = START_QUESTION, what[0], 0, who[0], ""
    else:
        step = story.steps[i - 1]
        taken = sum(KINDS[s.kind].owner != "same" for s in story.steps[:i])
        new = story.names[taken] if KINDS[step.kind].owner != "same" else ""
        template, unit, wording, owner = KINDS[step.kind].asked, what[i - 1], step.wording, who[i - 1]
    asked = _fill(template, story.theme, unit, wording, owner, new, "")
    return asked if story.question == 0 else f"So {asked[0].lower()}{asked[1:]}"


@cache
def _vocabulary(theme: str, unit: int, wording: int) -> dict[str, str]:
    world, w = THEMES[theme], min(wording, 1)
    gain, lose = verb(theme, unit, w, gain=True), verb(theme, unit, w, gain=False)
    return {
        "u": noun(theme, unit).many,
        "item": world.item.one,
        "items": world.item.many,
        "case": world.container.one,
        "cases": world.container.many,
        "gain": gain.past,
        "gains": gain.stem,
        "lose": lose.past,
        "loses": lose.stem,
    }


_MARK = re.compile(r"\{(\w+)\}")


def _fill(template: str, theme: str, unit: int, wording: int, owner: str, new: str, number: str) -> str:
    filled = {**_vocabulary(theme, unit, wording), "S": owner, "P": new, "n": number}
    return _capital(_MARK.sub(lambda m: filled[m[1]], template))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


class _Form(NamedTuple):
    """What a sentence with its marks can mean."""

    theme: str
    unit: int
    kind: str
    """A kind of step, `start` or `result`."""
    wording: int
    hidden: bool
    roles: str
    """`S` and `P`, in the order of the names in the sentence."""


@cache
def _forms() -> dict[str, list[_Form]]:
    """Every sentence of the language with `@` for a name and `#` for a number, and what it can mean."""
    found: dict[str, list[_Form]] = {}

    def note(template: str, theme: str, unit: int, kind: str, wording: int) -> None:
        roles = "".join(m for m in _MARK.findall(template) if m in "SP")
        for hidden in (False, True):
            text = _fill(template, theme, unit, wording, "@", "@", HIDDEN if hidden else "#")
            found.setdefault(text, []).append(_Form(theme, unit, kind, wording, hidden, roles))

    for theme in THEMES:
        for unit in range(len(UNITS)):
            for wording, template in enumerate(STARTS):
                note(template, theme, unit, "start", wording)
            for wording, template in enumerate(RESULT_TOLD):
                note(template, theme, unit, "result", wording)
            for name, kind in KINDS.items():
                for wording, template in enumerate(kind.told):
                    if unit in kind.units:
                        note(template, theme, unit, name, wording)
    return found


_NAME = re.compile(rf"\b(?:{'|'.join(NAMES)}|[Tt]{FRIENDS[1:]})\b")
_DIGITS = re.compile(rf"(?<!\d)[1-9]\d{{0,{MAX_DIGITS - 1}}}(?!\d)")


class _Reader:
    """Reads sentence after sentence and knows at every point who owns how much of what."""

    def __init__(self) -> None:
        self.theme = self.owner = ""
        self.unit = self.start_unit = self.start = self.wording = self.told = 0
        self.names: list[str] = []
        self.steps: list[Step] = []
        self.hidden: int | None = None
        self.result: int | None = None

    def read(self, sentence: str) -> None:
        people = [m[0].lower() if m[0].lower() == FRIENDS else m[0] for m in _NAME.finditer(sentence)]
        marked = _NAME.sub("@", sentence)
        numbers = [int(n) for n in _DIGITS.findall(marked)]
        if self.result is not None or len(numbers) > 1:
            raise NoStory(sentence)
        for form in _forms().get(_DIGITS.sub("#", marked), ()):
            if self._fits(form, people):
                self._take(form, people, numbers[0] if numbers else 0)
                return
        raise NoStory(sentence)

    def _fits(self, form: _Form, people: list[str]) -> bool:
        if not self.theme:
            # money is reached by selling only: it has no theme of its own
            return form.kind == "start" and form.unit != 2 and people[0] != FRIENDS
        if form.kind == "start" or (form.theme, form.unit) != (self.theme, self.unit):
            return False
        if form.hidden and (self.hidden is not None or form.kind == "result"):
            return False
        if len(self.steps) == MAX_STEPS and form.kind != "result":
            return False
        new = {p for p, role in zip(people, form.roles, strict=True) if role == "P"}
        old = {p for p, role in zip(people, form.roles, strict=True) if role == "S"}
        return old <= {self.owner} and len(new) <= 1 and not new & {*self.names, FRIENDS}

    def _take(self, form: _Form, people: list[str], number: int) -> None:
        if form.kind == "result":
            self.result, self.told = number, form.wording
            return
        if form.hidden:
            self.hidden = 0 if form.kind == "start" else len(self.steps) + 1
        if form.kind == "start":
            self.theme, self.unit, self.start_unit, self.start = form.theme, form.unit, form.unit, number
            self.owner, self.wording = people[0], form.wording
            self.names.append(self.owner)
            return
        kind = KINDS[form.kind]
        self.steps.append(Step(form.kind, number, form.wording))
        if kind.owner != "same":
            self.names.append(next(p for p, role in zip(people, form.roles, strict=True) if role == "P"))
            self.owner = FRIENDS if kind.owner == "friends" else self.names[-1]
        self.unit = self.unit if kind.to is None else kind.to

    def finish(self, question: str) -> Story:
        """Check that the question asks for what is missing, and fill that in."""
        steps = tuple(self.steps)
        if not steps or (self.hidden is None) != (self.result is None):
            raise NoStory("a number is missing, or none is")
        asked = len(steps) + 1 if self.hidden is None else self.hidden
        story = Story(
            theme=self.theme,
            names=tuple(self.names),
            unit=self.start_unit,
            start=self.start,
            steps=steps,
            asked=asked,
            wording=self.wording,
            told=self.told,
        )
        try:
            answer = solve_for(self.start, steps, asked, self.result).answer
            if asked == 0:
                story = story._replace(start=answer)
            elif not story.forward:
                filled = steps[asked - 1]._replace(number=answer)
                story = story._replace(steps=(*steps[: asked - 1], filled, *steps[asked:]))
            if not story.forward and values(story)[-1] != self.result:
                raise NoStory("the numbers contradict each other")
        except Unsolvable as e:
            raise NoStory(f"the numbers do not come out: {e}") from e
        for wording in range(2):
            if _question(story._replace(question=wording)) == question:
                return story._replace(question=wording)
        raise NoStory(question)


def vocabulary() -> list[str]:
    """Return every word and sign that a problem can hold, numbers apart, sorted."""
    forms = [*_forms(), *NAMES, _capital(FRIENDS), FRIENDS, "So"]
    for theme in THEMES:
        for unit in range(len(UNITS)):
            for wording in range(2):
                for template in (START_QUESTION, *RESULT_QUESTIONS, *(k.asked for k in KINDS.values())):
                    asked = _fill(template, theme, unit, wording, "", "", "")
                    forms += [template.split()[0], asked]
    return sorted({word for form in forms for word in re.findall(r"[^\W\d_]+|[.,?]", form)})
