"""The one place where text becomes token ids: for sampling, training and evaluation alike.

A question is rendered through the tokenizer's chat template; a tokenizer without one is given the paper's
`USER: … / ASSISTANT: …` as its template, so there is one path and a saved model carries the template it was trained with.
Training ids are prompt ids + answer ids, joined as ids: the sampling prefix is the training prefix, token for token.

Answers keep the ids that were sampled. The end is trained only where it was emitted, or where a teacher's text ended; a sample
that was cut off gets none. Which token ends a turn, the template itself says (`turn`). Text from data cannot smuggle in control
tokens: the spelling of every special token of the vocabulary, named or not, and of every added one that is markup, is broken up
first.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

from orcamath.errors import ModelError
from orcamath.ports import Message, Request, Sampling
from orcamath.records import digest
from orcamath.student.changes import declared_ends
from orcamath.student.folder import ModelFolder
from orcamath.student.model import load_tokenizer
from orcamath.student.turn import Turn, turn_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["BASE_TEMPLATE", "Encoded", "Encoder", "Shown"]

BASE_TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'assistant' %}ASSISTANT: {{ m['content'] }}{{ eos_token }}"
    "{% elif m['role'] == 'user' %}USER: {{ m['content'] }}\n"
    "{% else %}{{ m['content'] }}\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""The paper's format (section 3). The blank after `ASSISTANT:` belongs to the answer, as byte-level and sentence-piece
vocabularies have it."""

_TODAY = datetime(2024, 7, 26)
"""Templates that print today's date would give another prompt tomorrow."""
_PARTS = "".join(
    f" | replace('{p}', '{_TODAY.strftime(p)}')" for p in ("%d", "%B", "%b", "%m", "%Y", "%y", "%A", "%a", "%H", "%M")
)
_FIXED_DATE = "{%- macro strftime_now(form) -%}{{ form" + _PARTS + " }}{%- endmacro -%}"
"""In the template's own language, since transformers hands no functions to it."""


_MARKUP = re.compile(r"(<|\[|\{)\S{1,60}(>|\]|\})")
"""A token that was added to a vocabulary and is no word: `<tool_call>`, `<|fim_prefix|>`, `[TOOL_CALLS]`, flagged or not."""
THOUGHTS = ("<think>", "</think>")
"""Where a student's own answer thinks aloud, these are its own."""


class Encoded(NamedTuple):
    """One training sequence: `ids[:n_prompt]` is the prompt, the rest is what counts."""

    ids: tuple[int, ...]
    n_prompt: int
    truncated: bool
    """True where the answer was cut to fit `max_tokens`; it then has no EOS."""


class Encoder:
    """Encodes for one tokenizer. `max_tokens` bounds prompt + answer; longer answers are cut, longer prompts refused.

    `ends`: further ids that end a generation, as a model's generation_config lists them.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", max_tokens: int = 2048, ends: Iterable[int] = ()) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self._declared = frozenset(ends)
        if not tokenizer.chat_template:
            bos = "{{ bos_token }}" if _adds_bos(tokenizer) else ""
            tokenizer.chat_template = bos + BASE_TEMPLATE
        if tokenizer.eos_token_id is None:
            raise ModelError("the tokenizer has no eos_token, so answers could not end; set one and save it again")
        special = {i: t.content for i, t in tokenizer.added_tokens_decoder.items() if t.special}
        named = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
        self._special = special | {i: t for i, t in named if t}
        spelled = sorted(set(self._special.values()), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, spelled)))
        added = {t.content for t in tokenizer.added_tokens_decoder.values() if _MARKUP.fullmatch(t.content)}
        every = sorted({*spelled, *added}, key=len, reverse=True)
        self._spelled = re.compile("|".join(map(re.escape, every)))
        self._spelled_in_answers = re.compile(
            "|".join(re.escape(t) for t in every if t not in THOUGHTS or t in spelled)
        )

    @classmethod
    def of(cls, folder: ModelFolder, max_tokens: int = 2048) -> Self:
        """Return the encoder of a model on disk. Raises ModelError where its tokenizer cannot be read."""
        return cls(load_tokenizer(folder.path), max_tokens, declared_ends(folder.path))

    @property
    def eos_id(self) -> int:
        """The id that ends an answer, in training and in sampling."""
        return self._turn.end

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Every id that ends a generation."""
        return frozenset(self.ends)

    @property
    def ends(self) -> tuple[int, ...]:
        """The ids that end a generation, the one that is trained first."""
        others = {int(self.tokenizer.eos_token_id), *self._declared} - {self.eos_id}
        return (self.eos_id, *sorted(others))

    @cached_property
    def _turn(self) -> Turn:
        return turn_of(self._render, self._special, int(self.tokenizer.eos_token_id))

    def _render(self, messages: list[dict[str, str]], *, generate: bool) -> str:
        template = self.tokenizer.get_chat_template()
        if "strftime_now" in template:
            template = _FIXED_DATE + template
        text: str = self.tokenizer.apply_chat_template(
            messages,
            chat_template=template,
            tokenize=False,
            add_generation_prompt=generate,
            date_string=_TODAY.strftime("%d %b %Y"),
        )
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _plain(self, text: str, *, answer: bool = False) -> str:
        """Break up control tokens that data spells out."""
        spelled = self._spelled_in_answers if answer else self._spelled
        return spelled.sub(lambda found: found[0][0] + " " + found[0][1:], text)

    def chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Return the prompt ids of a conversation, ready for an answer."""
        turns = [{"role": m.role, "content": self._plain(m.content, answer=m.role == "assistant")} for m in messages]
        try:
            text = self._render(turns, generate=True)
        except Exception as e:
            if not turns or turns[0]["role"] != "system" or len(turns) < 2:
                raise ModelError(f"the model's chat template refuses the conversation: {e}") from e
            # some templates know no system turn: it then opens the first question
            first = {"role": "user", "content": turns[0]["content"] + "\n\n" + turns[1]["content"]}
            text = self._render([first, *turns[2:]], generate=True)
        return tuple(self._ids(text))

    def prompt(self, question: str) -> tuple[int, ...]:
        """Return the ids a student sees before it answers `question`."""
        return self.chat([Message("user", question)])

    def templated(self, question: str, answer: str) -> tuple[int, ...]:
        """Return the ids of a question and its answer as the template itself writes them: what training ids are held against."""
        turns = [
            {"role": "user", "content": self._plain(question)},
            {"role": "assistant", "content": self._plain(answer, answer=True)},
        ]
        return tuple(self._ids(self._render(turns, generate=False)))

    def answer(self, text: str, *, finished: bool = True) -> tuple[int, ...]:
        """Return the ids of an answer that is given as text; the end only where it is finished."""
        said = self._turn.led(self._plain(text.strip(), answer=True))
        if finished:
            said += self._turn.tail
        ids = self._after_prompt(said)
        return (*ids, self.eos_id) if finished else tuple(ids)

    def _after_prompt(self, text: str) -> list[int]:
        """Tokenise what stands behind a prompt, in one piece with it: some vocabularies put a blank before each piece (`▁`)."""
        before, ids = self._turn.prompt, self._turn_ids
        both = self._ids(before + text)
        return both[len(ids) :] if both[: len(ids)] == ids else self._ids(text)

    @cached_property
    def _turn_ids(self) -> list[int]:
        return self._ids(self._turn.prompt)

    def join(self, prompt: Sequence[int], answer: Sequence[int]) -> Encoded | None:
        """Join prompt and answer; None where the prompt alone leaves no room for one token of answer."""
        room = self.max_tokens - len(prompt)
        if room < 1 or not answer:
            return None
        return Encoded((*prompt, *answer[:room]), len(prompt), len(answer) > room)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of sampled ids, without control tokens, a thought in front, and what the template puts first."""
        lead = self._turn.lead
        if self._control.search(lead):  # a lead with control tokens of its own: what stands before it is no answer
            raw = self._text(ids, skip=False)
            if lead.strip() in raw:
                return self._control.sub("", raw.rpartition(lead.strip())[2])
        return self._turn.said(self._text(ids, skip=True))

    def _text(self, ids: Sequence[int], *, skip: bool) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=skip, clean_up_tokenization_spaces=False)
        return text

    def pose(self, question: str, sampling: Sampling, draw: int = 0, examples: tuple[Message, ...] = ()) -> Request:
        """Turn a question into the request this student answers: its prompt ids (the port `Pose`).

        `examples`: turns that come before the question, for a base that was not trained on the form.
        """
        return Request(token_ids=self.chat([*examples, Message("user", question)]), sampling=sampling, draw=draw)


class Shown:
    """A student's pose after worked examples, for a base that was not trained on the form. They are part of what is asked."""

    def __init__(self, encoder: Encoder, examples: tuple[Message, ...]) -> None:
        self.encoder, self.examples = encoder, examples

    @property
    def fingerprint(self) -> str:
        """Hash of the examples."""
        return digest("shown", [[m.role, m.content] for m in self.examples])

    def __call__(self, question: str, sampling: Sampling, draw: int = 0) -> Request:
        """Pose one question."""
        return self.encoder.pose(question, sampling, draw, self.examples)


def _adds_bos(tokenizer: "PreTrainedTokenizerBase") -> bool:
    if tokenizer.bos_token_id is None:
        return False
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and ids[0] == tokenizer.bos_token_id
