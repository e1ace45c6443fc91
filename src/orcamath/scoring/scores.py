"""The arithmetic of scores: what a string match says, majority votes, pass@k. Pure; strings and counts in, numbers out.

`strict` and `flexible` are what lm-evaluation-harness's task `gsm8k` computes under the filters of these names, so that a
score here and one made there stand side by side; the judged score is our own and the one to go by.
"""

import re
from collections.abc import Sequence
from math import comb
from typing import NamedTuple

from orcamath.answers import alike
from orcamath.ports import Reply
from orcamath.records import AnswerKind

__all__ = ["Sample", "flexible", "majority", "pass_at_k", "sizes", "strict", "tokens_of"]

_STRICT = re.compile(r"#### (-?[0-9.,]+)")
_FLEXIBLE = re.compile(r"-?[$0-9.,]{2,}|-?[0-9]+")


def _bare(text: str) -> str:
    bare = text.strip().replace(",", "").replace("$", "").rpartition("#### ")[2]
    return bare.removesuffix(".").lower()


def strict(response: str, gold: str) -> bool:
    """Tell whether the first `#### number` is the gold answer, character by character after commas, $ and a last dot."""
    found = _STRICT.search(response)
    return found is not None and _bare(found[1]) == _bare(gold)


def flexible(response: str, gold: str) -> bool:
    """Tell whether the last number anywhere is the gold answer, character by character as in `strict`."""
    found = _FLEXIBLE.findall(response)
    return bool(found) and _bare(found[-1]) == _bare(gold)


class Sample(NamedTuple):
    """One answer to a problem: its short answer and whether the judge calls it right."""

    answer: str | None
    right: bool


def majority(
    samples: Sequence[Sample], kind: AnswerKind = "number", question: str = "", options: tuple[str, ...] = ()
) -> bool:
    """Tell whether the answer most samples give is right. Ties go to the answer given first; silence has no vote."""
    spoken = [sample for sample in samples if sample.answer is not None]
    groups = alike(kind, [sample.answer or "" for sample in spoken], question, options)
    if not groups:
        return False
    winner = [spoken[i] for i in max(groups, key=len)]  # max keeps the first of equals
    # one answer is right or wrong as a whole, but a judge may have left some of its wordings open
    return 2 * sum(s.right for s in winner) >= len(winner)


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that at least one of k samples drawn from these n is right, without bias: 1 − C(n−c, k) / C(n, k).

    Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code, equation 1. Raises ValueError for k > n.
    """
    if not (0 <= right <= n and 1 <= k <= n):
        raise ValueError(f"pass@{k} needs {k} samples or more, not {n} (with {right} right)")
    return 1.0 - comb(n - right, k) / comb(n, k)


def sizes(samples: int) -> list[int]:
    """Return the k that are reported for so many samples: powers of two, and all of them."""
    return sorted({samples, *(2**i for i in range(samples.bit_length()) if 2**i <= samples)})


def tokens_of(reply: Reply) -> int | None:
    """Return the tokens a reply took, as billed or else as counted; None where nobody tells."""
    return reply.usage.completion_tokens or (len(reply.token_ids) if reply.token_ids is not None else None)
