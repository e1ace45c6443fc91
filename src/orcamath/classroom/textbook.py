"""The textbook: a deterministic writer, editor, teacher and judge behind the Chat port, for machines with nothing else.

It sees messages only: the `Task: …` line says what is wanted, the delimited blocks hold the problem, and the grammar reads
it back. So it gives the same replies in this process and behind an HTTP server. What it cannot read it politely refuses;
it never raises for a message. It can be made careless, at seeded rates, to test what catches mistakes.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from pydantic import Field

from orcamath.classroom.grammar import NoStory, parse_story, render, state
from orcamath.classroom.growing import asking, harden
from orcamath.classroom.solutions import STYLES, without_working, written
from orcamath.classroom.solving import StoryOperation, StorySolution, solve
from orcamath.ports import Chat, Message, Replies, Reply, Request, Usage
from orcamath.records import Settings, canonical, digest
from orcamath.settings import ModelSettings, read_options

__all__ = ["REFUSAL", "Careless", "TextbookOptions", "draw_of", "open_chat", "reply"]

_VERSION = 1
REFUSAL = "I am sorry, but I can only work on problems like those in my textbook, and I cannot read this one."

_SUGGESTIONS = {
    "+": "Let something more come in at the end.",
    "-": "Let something be taken away at the end, or let somebody have fewer.",
    "*": "Let somebody else have some times as many, or let it go on for some days.",
    "/": "Let what there is be shared out into equal parts.",
}


class Careless(Settings):
    """How often the textbook errs, each a rate between 0 and 1."""

    draw: float = Field(default=0.0, ge=0, le=1)
    """A solution goes wrong, independently for each draw."""
    problem: float = Field(default=0.0, ge=0, le=1)
    """A problem is always solved wrong, the same way in every draw (which agreement cannot see)."""
    misstate: float = Field(default=0.0, ge=0, le=1)
    """Ask-Me-Anything changes a number of the story: in the statement and all questions, or in one question."""
    ill_posed: float = Field(default=0.0, ge=0, le=1)
    """The editor's problem lacks its question, is cut off, lacks a number, or is its parent."""


class TextbookOptions(Settings):
    """What a recipe may say under `options`."""

    careless: Careless = Careless()
    seed: int = 0
    """Another seed, another choice of styles, steps and mistakes."""
    styles: int = Field(default=STYLES, ge=1, le=STYLES)
    """How many solution styles are used."""
    terse: float = Field(default=0.0, ge=0, le=1)
    """Share of the problems that ask for something given whose answer is told without working, as by a teacher who knows it:
    Ask-Me-Anything hid it. The same in every draw."""


def reply(messages: Sequence[Message], draw: int = 0, options: TextbookOptions | None = None) -> str:
    """Answer a conversation. `draw` is any integer that names the draw (see `draw_of`); 0 where sampling is greedy."""
    options = options or TextbookOptions()
    text = "\n".join(m.content for m in messages)
    named = re.search(r"^Task: *([a-z_]{1,40})", text, re.MULTILINE)
    task = named[1] if named else "solver"
    problem = _block(text, "problem") if named else (messages[-1].content if messages else "")
    try:
        return _TASKS[task](_Call(text, problem.strip(), draw, options))
    except (NoStory, KeyError):
        return REFUSAL


def draw_of(request: Request) -> int:
    """Name a request's draw by one integer: the seed that (request, draw) gives, or 0 where temperature is 0."""
    return 0 if request.sampling.temperature == 0 else request.seed()


def open_chat(settings: ModelSettings) -> Chat:
    """Open the textbook; raises RecipeError for an option it does not know."""
    own = {name: value for name, value in settings.options.items() if name != "price"}  # that one is for the meter
    return _Textbook(read_options(TextbookOptions, own, "the textbook"))


class _Textbook:
    """The Chat port over `reply`. Tokens are counted in words."""

    chunk: int | None = None

    def __init__(self, options: TextbookOptions) -> None:
        self.options = options
        self.fingerprint = digest("textbook", _VERSION, options.model_dump())

    def __call__(self, requests: Iterable[Request]) -> Replies:
        for request in requests:
            text = reply(request.messages, draw_of(request), self.options)
            n_in = sum(len(m.content.split()) for m in request.messages)
            n_out, most = len(text.split()), request.sampling.max_tokens
            if n_out > most:
                text = _first_words(text, most)
            yield Reply(
                request.key(self.fingerprint), text, "length" if n_out > most else "stop", Usage(n_in, min(n_out, most))
            )


def _first_words(text: str, n: int) -> str:
    ends = [m.end() for m in re.finditer(r"\S+", text)]
    return text[: ends[n - 1]]


class _Call:
    """One question to the textbook, and its random generators."""

    def __init__(self, text: str, problem: str, draw: int, options: TextbookOptions) -> None:
        self.text, self.problem, self.draw, self.options = text, problem, draw, options

    def dice(self, *what: object, every_draw: bool = False) -> random.Random:
        """Return a generator for one purpose; the same for all draws where asked."""
        name = [self.options.seed, self.problem, None if every_draw else self.draw, *what]
        return random.Random(blake2b(canonical(name), digest_size=8).digest())

    def errs(self, how: str, *, every_draw: bool = False) -> bool:
        rate: float = getattr(self.options.careless, how)
        return rate > 0 and self.dice("errs", how, every_draw=every_draw).random() < rate


def _block(text: str, tag: str) -> str:
    """Return what stands in the last `<tag>…</tag>`, or nothing."""
    end = text.rfind(f"</{tag}>")
    start = text.rfind(f"<{tag}>", 0, max(end, 0))
    return text[start + len(tag) + 2 : end].strip() if 0 <= start < end else ""


def _ask_me_anything(call: _Call) -> str:
    story, dice = parse_story(call.problem), call.dice("questions", every_draw=True)
    last = len(story.steps) + 1
    slots = [i for i in range(last + 1) if i != story.asked] + [story.asked]
    variants = [story if i == story.asked else asking(story, i, dice) for i in slots]
    questions, statement = [render(v) for v in variants], state(variants[0]._replace(told=0))
    if call.errs("misstate"):
        dice = call.dice("misstated")
        if dice.random() < 0.5:
            i = dice.randrange(len(questions))
            questions[i] = _misstated(questions[i], dice)
        else:
            old, new = _slip(statement, dice)
            statement, *questions = (re.sub(rf"\b{old}\b", new, t) for t in [statement, *questions])
    pairs = [
        f"<target>{solve(v).answer}</target>\n<question>{q}</question>"
        for v, q in zip(variants, questions, strict=True)
    ]
    return "\n".join([f"<statement>{statement}</statement>", *pairs])


def _slip(text: str, dice: random.Random) -> tuple[str, str]:
    old = dice.choice(re.findall(r"\d+", text))
    return old, str(int(old) + dice.randint(1, 3))


def _misstated(text: str, dice: random.Random) -> str:
    old, new = _slip(text, dice)
    return re.sub(rf"\b{old}\b", new, text, count=1)


def _suggester(call: _Call) -> str:
    parse_story(call.problem)
    dice = call.dice("suggestions")
    chosen = dice.sample(sorted(_SUGGESTIONS), dice.randint(1, 3))
    return "\n".join(f"<suggestion>{_SUGGESTIONS[sign]}</suggestion>" for sign in chosen)


def _editor(call: _Call) -> str:
    story, dice, wanted = parse_story(call.problem), call.dice("edit"), _block(call.text, "suggestions")
    signs = sorted((s for s in _SUGGESTIONS if _SUGGESTIONS[s] in wanted), key=lambda s: wanted.find(_SUGGESTIONS[s]))
    longer = harden(story, dice, signs[0] if signs else None)
    if longer is None:
        return REFUSAL
    edited = render(longer)
    if call.errs("ill_posed"):
        edited = _spoilt(edited, call)
    return f"<edited_problem>{edited}</edited_problem>"


def _spoilt(text: str, call: _Call) -> str:
    dice = call.dice("spoilt")
    told = text[: text.rstrip("?").rfind(". ") + 1]
    number = dice.choice(re.findall(r"\b\d+\b", text))
    ways: list[str] = [told, text[: len(text) * 2 // 3], re.sub(rf"\b{number}\b", "many", text, count=1), call.problem]
    return dice.choice(ways)


def _solver(call: _Call) -> str:
    story = parse_story(call.problem)
    solution = solve(story)
    if call.errs("problem", every_draw=True):
        solution = _wrong(solution, call.dice("wrong", every_draw=True))
    elif call.errs("draw"):
        solution = _wrong(solution, call.dice("wrong"))
    if not story.forward and call.dice("terse", every_draw=True).random() < call.options.terse:
        return without_working(solution)
    return written(solution, call.dice("style").randrange(call.options.styles))


def _wrong(solution: StorySolution, dice: random.Random) -> StorySolution:
    """Let the last operation go wrong: a slip of the pen, or the wrong operation."""
    o = solution.operations[-1]
    other = {"+": "-", "-": "+", "*": "+", "/": "-"}[o.sign]
    result = o.left - o.right if other == "-" else o.left + o.right
    if dice.random() < 0.5 or result < 1 or result == o.result:
        other, result = o.sign, o.result + dice.randint(1, 3)
    return StorySolution(result, (*solution.operations[:-1], StoryOperation(o.left, other, o.right, result)))


def _short(text: str) -> str | None:
    """Return the final answer of a solution: after the last `####`, else the last number."""
    tail = text.rsplit("####", 1)[-1] if "####" in text else text
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", tail)
    return None if not found else (found[0] if "####" in text else found[-1]).replace(",", "").rstrip(".")


def _judge_verdict(call: _Call) -> str:
    right, said = _short(_block(call.text, "reference")), _short(_block(call.text, "student"))
    if said is None:
        return "Error Analysis: The student gives no final answer.\nFinal Verdict: Incorrect"
    if said == right:
        return f"Error Analysis: The student reaches {said}, as the reference does.\nFinal Verdict: Correct"
    return f"Error Analysis: The student reaches {said}, but the answer is {right}.\nFinal Verdict: Incorrect"


def _judge_extract(call: _Call) -> str:
    return f"<answer>{_short(_block(call.text, 'student')) or ''}</answer>"


_TASKS: dict[str, Callable[[_Call], str]] = {
    "ask_me_anything": _ask_me_anything,
    "suggester": _suggester,
    "editor": _editor,
    "solver": _solver,
    "judge_verdict": _judge_verdict,
    "judge_extract": _judge_extract,
}
