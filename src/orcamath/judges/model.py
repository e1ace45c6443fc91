"""A language model as judge, in the paper's two forms, strict about what it must write.

`verdict` (practice; GPT4-based-Exact-Match): problem, setter's solution and student's answer in; one sentence `Error
Analysis: …` and a last line `Final Verdict: Correct` or `Final Verdict: Incorrect` out. `extract` (benchmarks): the model
copies the student's short answer into `<answer>…</answer>` and the rules compare it. Anything else the model writes, a reply
that was cut off or refused, and a call that never came through are `unjudged`, which is never a negative.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal

from orcamath.errors import RecipeError
from orcamath.judges.rules import RULES_VERSION, rule, short_reference
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Comparison, Finding, Message, Reply, Request, Sampling
from orcamath.prompts import Prompt, block, load_prompt
from orcamath.records import digest
from orcamath.store.ledger import Remembered
from orcamath.text.choices import letter_of
from orcamath.text.spoken import spoken
from orcamath.visible import sendable

__all__ = ["JudgeForm", "ModelJudge", "make", "read_extract", "read_verdict"]

JudgeForm = Literal["verdict", "extract"]
WINDOW = 4096
BATCH = 50_000
"""Comparisons that are gathered where a batch API is asked: as many calls as a batch of most providers holds."""
_VERDICT = re.compile(r"[ \t*_#>-]*final verdict[ \t*_]*:[ \t*_]*(correct|incorrect)[ \t*_.!]*", re.IGNORECASE)
_SPELLED = re.compile(r"(final)([ \t*_]+)(?=verdict)|(<)(?=/?answer\s*>)", re.IGNORECASE)
"""What is read out of a reply, spelled by those who are judged."""
_ANSWER = re.compile(r"<answer>([^<]{0,500})</answer>", re.IGNORECASE)


def read_verdict(text: str) -> bool | None:
    """Read the verdict; None unless the last line, and no other line differently, says `Final Verdict: …`."""
    lines = [line for line in text.split("\n") if line.strip()]
    said = [m[1].lower() for line in lines if (m := _VERDICT.fullmatch(line.strip()[:200]))]
    if not said or len(set(said)) > 1 or not _VERDICT.fullmatch(lines[-1].strip()[:200]):
        return None
    return said[-1] == "correct"


def read_extract(text: str) -> str | None:
    """Read the one extracted answer; None where there is none or several differ."""
    said = {m[1].strip() for m in _ANSWER.finditer(text)}
    return said.pop() if len(said) == 1 else None


class ModelJudge:
    """Asks a model about every comparison; equal questions are asked once (by the ledger)."""

    def __init__(
        self, model: Remembered, form: JudgeForm = "verdict", prompt: Prompt | None = None, max_tokens: int = 300
    ) -> None:
        self.model = model
        self.form: JudgeForm = form
        self.prompt = prompt or load_prompt(f"judge_{form}")
        self.sampling = Sampling(temperature=0.0, max_tokens=max_tokens)

    @property
    def fingerprint(self) -> str:
        """Model, form, prompt and token limit; and the rules, where these compare what it extracts."""
        made_of = ("model", self.model.fingerprint, self.form, self.prompt.fingerprint, self.sampling.max_tokens)
        return digest(*made_of) if self.form == "verdict" else digest(*made_of, RULES_VERSION)

    @property
    def by(self) -> str:
        """How its verdicts are signed."""
        return f"model:{self.model.fingerprint}"

    @property
    def window(self) -> int:
        """How many comparisons are asked about at a time."""
        return BATCH if self.model.batched else WINDOW

    def request(self, comparison: Comparison) -> Request:
        """Ask about one comparison."""
        values = {
            "problem": block("problem", _disarmed(_whole_question(comparison))),
            "reference": block("reference", _disarmed(comparison.reference)),
            "student": block("student", _disarmed(comparison.response)),
        }
        messages: tuple[Message, ...] = self.prompt.messages(values)
        return Request(messages=messages, sampling=self.sampling)

    def __call__(self, comparisons: Iterable[Comparison]) -> Iterator[Finding]:
        """Judge in order, a window at a time: bring the window's calls into the ledger, then read them back."""
        source, size = iter(comparisons), self.window
        while window := list(islice(source, size)):
            requests = [self.request(c) for c in window]
            self.model.fill(requests)
            for comparison, request in zip(window, requests, strict=True):
                yield self.read(comparison, self.model.reply(request))

    def read(self, comparison: Comparison, reply: Reply | None) -> Finding:
        """Turn a reply into a finding; whatever is not plainly a verdict is `unjudged`."""
        if reply is None:
            return Finding("unjudged", self.by, "no_reply")
        if reply.finish_reason != "stop":
            return Finding("unjudged", self.by, f"reply_{'cut_off' if reply.finish_reason == 'length' else 'refused'}")
        text = spoken(reply.text)
        if text is None:
            return Finding("unjudged", self.by, "reply_cut_off")
        if self.form == "verdict":
            verdict = read_verdict(text)
            if verdict is None:
                return Finding("unjudged", self.by, "verdict_unreadable")
            return Finding("agrees" if verdict else "disagrees", self.by, "final_verdict")
        return self._compare(comparison, read_extract(text))

    def _compare(self, comparison: Comparison, extracted: str | None) -> Finding:
        if extracted is None:
            return Finding("unjudged", self.by, "extract_unreadable")
        if not extracted or extracted.lower().strip(" .") == "none":
            return Finding("disagrees", self.by, "no_answer")
        if short_reference(comparison) is None:
            return Finding("unjudged", self.by, "reference_unreadable")
        # the yardstick as it is written: read twice, a decimal comma would be one of thousands as well
        ruling = rule(comparison._replace(response=extracted, finished=True))
        return Finding(ruling.outcome, self.by, f"extracted_{ruling.reason}")


def _disarmed(text: str) -> str:
    """Make text fit to be judged: a verdict that it spells cannot be read as one where the model repeats it.

    Half characters are replaced.
    """
    return _SPELLED.sub(lambda m: f"{m[1]}-" if m[1] else "< ", sendable(text))


def _whole_question(comparison: Comparison) -> str:
    if not comparison.options:
        return comparison.question
    return "\n".join([comparison.question, *(f"({letter_of(i)}) {o}" for i, o in enumerate(comparison.options))])


def make(settings: JudgeSettings, model: Remembered | None) -> ModelJudge:
    """Return the model alone as judge; raises RecipeError where no model is given."""
    if model is None:
        raise RecipeError(
            "the judge `model` needs a model: name a `judge_model` in the recipe (on the command line `--model` or "
            "`--judge-model`), or use `rules`"
        )
    prompt = load_prompt(f"judge_{settings.form}", settings.prompt)
    return ModelJudge(model, settings.form, prompt, settings.max_tokens)
