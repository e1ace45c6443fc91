"""The one place where text becomes token ids: for sampling, training and evaluation alike.

A question is rendered through the tokenizer's chat template; a tokenizer without one is given the paper's
`USER: … / ASSISTANT: …` as its template, so there is one path and a saved model carries the template it was trained with.
Training ids are prompt ids + answer ids, joined as ids: the sampling prefix is the training prefix, token for token.

Answers keep the ids that were sampled. EOS is trained only where it was emitted, or where a teacher's text ended; a sample
that was cut off gets none. Text from data cannot smuggle in control tokens: their spelling is broken up first.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self

from orcamath.errors import ModelError
from orcamath.ports import Message, Request, Sampling
from orcamath.student.model import ModelFolder, load_tokenizer

__all__ = ["BASE_TEMPLATE", "Encoded", "Encoder"]

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

_PROBE = "7"


class Encoded(NamedTuple):
    """One training sequence: `ids[:n_prompt]` is the prompt, the rest is what counts."""

    ids: tuple[int, ...]
    n_prompt: int
    truncated: bool
    """True where the answer was cut to fit `max_tokens`; it then has no EOS."""


class _Turn(NamedTuple):
    lead: str
    """What the template puts between the generation prompt and an answer."""
    end: int
    """Id that ends the assistant's turn."""


class Encoder:
    """Encodes for one tokenizer. `max_tokens` bounds prompt + answer; longer answers are cut, longer prompts refused."""

    def __init__(self, tokenizer: Any, max_tokens: int = 2048) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        if not tokenizer.chat_template:
            bos = "{{ bos_token }}" if _adds_bos(tokenizer) else ""
            tokenizer.chat_template = bos + BASE_TEMPLATE
        if tokenizer.eos_token_id is None:
            raise ModelError("the tokenizer has no eos_token, so answers could not end; set one and save it again")
        self._special = sorted((t for t in tokenizer.all_special_tokens if t), key=len, reverse=True)

    @classmethod
    def of(cls, folder: ModelFolder, max_tokens: int = 2048) -> Self:
        """Return the encoder of a model on disk. Raises ModelError where its tokenizer cannot be read."""
        return cls(load_tokenizer(folder.path), max_tokens)

    @property
    def eos_id(self) -> int:
        """The id that ends an answer, in training and in sampling."""
        return self._turn.end

    @property
    def pad_id(self) -> int:
        """An id for filling up rows. Masks go by length, so it may be any id; it is never EOS where there is another."""
        pad: int | None = self.tokenizer.pad_token_id
        return pad if pad is not None and pad != self.eos_id else (0 if self.eos_id != 0 else 1)

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Every id that ends a generation."""
        return frozenset({self.eos_id, int(self.tokenizer.eos_token_id)})

    @cached_property
    def _turn(self) -> _Turn:
        """Ask the template itself how an answer begins and ends."""
        asked = [{"role": "user", "content": "q"}]
        prompt = self._render(asked, generate=True)
        whole = self._render([*asked, {"role": "assistant", "content": _PROBE}], generate=False)
        eos = int(self.tokenizer.eos_token_id)
        if not whole.startswith(prompt):
            return _Turn("", eos)  # a template that rewrites earlier turns: take the answer as it stands
        lead, _, tail = whole[len(prompt) :].partition(_PROBE)
        tail_ids = self._ids(tail) if tail else []
        special = set(self.tokenizer.all_special_ids)
        return _Turn(lead, tail_ids[0] if tail_ids and tail_ids[0] in special else eos)

    def _render(self, messages: list[dict[str, str]], *, generate: bool) -> str:
        # a fixed date: templates that print today's would give another prompt tomorrow
        text: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=generate, date_string="26 Jul 2024"
        )
        return text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _plain(self, text: str) -> str:
        """Break up control tokens that data spells out."""
        for token in self._special:
            if token in text:
                text = text.replace(token, token[0] + " " + token[1:])
        return text

    def chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Return the prompt ids of a conversation, ready for an answer."""
        turns = [{"role": m.role, "content": self._plain(m.content)} for m in messages]
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

    def answer(self, text: str, *, finished: bool = True) -> tuple[int, ...]:
        """Return the ids of an answer that is given as text; EOS only where it is finished."""
        ids = self._ids(self._turn.lead + self._plain(text.strip()))
        return (*ids, self.eos_id) if finished else tuple(ids)

    def join(self, prompt: Sequence[int], answer: Sequence[int]) -> Encoded | None:
        """Join prompt and answer; None where the prompt alone leaves no room for one token of answer."""
        room = self.max_tokens - len(prompt)
        if room < 1 or not answer:
            return None
        return Encoded((*prompt, *answer[:room]), len(prompt), len(answer) > room)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of sampled ids, without control tokens and the blank the template puts first."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text.removeprefix(self._turn.lead)

    def pose(self, question: str, sampling: Sampling, draw: int = 0, examples: tuple[Message, ...] = ()) -> Request:
        """Turn a question into the request this student answers: its prompt ids (the port `Pose`).

        `examples`: turns that come before the question, for a base that was not trained on the form.
        """
        return Request(token_ids=self.chat([*examples, Message("user", question)]), sampling=sampling, draw=draw)


def _adds_bos(tokenizer: Any) -> bool:
    if tokenizer.bos_token_id is None:
        return False
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and ids[0] == tokenizer.bos_token_id
