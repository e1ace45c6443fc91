"""How right and how fast the rules are on real labelled answers.

    python benchmarks/judging.py FOLDER [--json] [--rows]
    python benchmarks/judging.py FOLDER --hostile 1000000

FOLDER holds `*.jsonl.gz` files with question, gold, response, label (real model answers, judged by someone else); each
file is a group. `answers_per_cpu_second` is measured over all rows, in CPU time, one thread: the quickest of `--passes`, each
with empty caches.

`--hostile N` judges N strings instead, glued (seeded) from torn pieces of these questions and answers and from what readers of
text stumble over; the first exception ends it. They also go through the parsers of a model judge's and a verifier's replies.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from figures import report
from orcamath.judges.file import Summary, judge_rows, read_rows
from orcamath.judges.model import read_extract, read_verdict
from orcamath.judges.rules import RulesJudge, rule
from orcamath.ports import Comparison
from orcamath.stages.verifier import read_score

STUMBLES = [
    *"0123456789..,,//  \n\n--+=*^()[]{}$%\\\"':;<>|&_~`xyzabceE\t\r",
    "\\boxed{",
    "\\frac{",
    "\\frac",
    "\\text{",
    "\\sqrt{",
    "\\[",
    "\\]",
    "$$",
    "{,}",
    "^^",
    "x10^",
    "2^9999",
    "####",
    "**",
    "The answer is ",
    '{"answer":',
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
    "Final Verdict:",
    "Correct",
    "Score: ",
    "half",
    "hundred",
    "a dozen",
    "percent",
    "%%",
    "4:30 pm",
    ":99",
    "(A)",
    "A) ",
    "None",
    "null",
    "nan",
    "inf",
    "½",
    "٣",
    "²",
    "Ⅷ",
    "一",
    "𝟙",
    "İ",
    "ß",
    "😀",
    "e\u0301",
    "\x00",
    "\x1b[2J",
    "\ud800",
    "\udfff",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\u2028",
    "1e999",
    "1e-400",
    "-0",
    "+-1",
    "0/0",
    "9" * 50,
    "9" * 400,
    "{0}",
    "{{x}}",
    "%s",
    "[/foo]",
]
"""What has broken readers of numbers, LaTeX, JSON, markup and Unicode."""


def options(parser: argparse.ArgumentParser) -> None:
    """The answers, and what to do with them."""
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--rows", action="store_true", help="list every row where judge and label differ, or no verdict"
    )
    parser.add_argument("--passes", type=int, default=5, help="how often all rows are judged for the rate")
    parser.add_argument("--hostile", type=int, metavar="N", help="judge N hostile strings instead")


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Judge the answers, or hostile strings."""
    if arguments.hostile:
        files = sorted(arguments.folder.glob("*.jsonl*"))
        return hostile(arguments.hostile, [r for path in files for r in read_rows(path)])
    pooled, groups, every = Summary(), {}, []
    for path in sorted(arguments.folder.glob("*.jsonl*")):
        rows, group = list(read_rows(path)), Summary()
        for judged in judge_rows(rows, RulesJudge(), summary=group, keep=True, where=path.name):
            pooled.add(judged, keep=True)
            every.append(judged.comparison)
        groups[path.name.split(".")[0]] = group
    rate = len(every) / min(seconds(every) for _ in range(arguments.passes))
    figures = {"pooled": pooled.plain(), "groups": {name: group.plain() for name, group in groups.items()}}
    figures |= pooled.plain() | {"answers_per_cpu_second": round(rate)}
    if arguments.rows:
        for name, group in groups.items():
            for j in group.offending:
                print(f"{name}:{j.row} label={j.label} {j.finding} guess={j.guess} gold={j.comparison.reference!r}")
                print("    …" + repr(j.comparison.response[-200:]))
    return figures


def seconds(comparisons: Sequence[Comparison]) -> float:
    """Judge them all with empty caches, so that no answer is cheap because it was judged before; returns CPU seconds."""
    for name, module in list(sys.modules.items()):
        for cached in vars(module).values() if name.startswith("orcamath.answers.") else ():
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()
    began = time.process_time()
    for comparison in comparisons:
        rule(comparison)
    return max(time.process_time() - began, 1e-9)


def hostile(n: int, rows: Sequence[dict[str, object]], seed: int = 0) -> dict[str, object]:
    """Judge `n` glued strings; returns how they came out and the CPU seconds. Whatever raises ends it."""
    draw = random.Random(seed)
    texts = [str(row[key]) for row in rows for key in ("question", "gold", "response") if row.get(key)]

    def piece() -> str:
        if not texts or draw.random() < 0.7:
            return draw.choice(STUMBLES)
        text = draw.choice(texts)
        start = draw.randrange(len(text))
        return text[start : start + draw.randrange(1, 30)]

    def text() -> str:
        return "".join(piece() for _ in range(draw.randrange(40)))

    kinds = ("number", "set", "choice", "expression", "text")
    outcomes: Counter[str] = Counter()
    began = time.process_time()
    for i in range(n):
        response = text()
        options = tuple(text() for _ in range(draw.randrange(5))) if i % 8 == 0 else ()
        gold = response if i % 8 == 1 else text()
        comparison = Comparison(text() if i % 4 else "", gold, response, draw.choice(kinds), options, i % 16 > 0)
        outcomes[rule(comparison).outcome] += 1
        read_verdict(response), read_extract(response), read_score(response)
    return {"hostile": n, "exceptions": 0, **outcomes, "cpu_s": round(time.process_time() - began, 1)}


if __name__ == "__main__":
    report(__doc__, options, measure)
