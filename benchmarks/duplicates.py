"""Precision and recall of duplicate removal, with duplicates planted in 10,000 problems; time and memory at 200,000.

    python benchmarks/duplicates.py [--n 10000] [--show 5] [--scale 200000]

Base problems are GSM8K's train questions where the folder named by ORCAMATH_TEST_DATA holds them, else the classroom's.
Planted: copies (case, spaces, punctuation), renamed people, both to be dropped; changed numbers, another question about the
same story, true siblings from Ask-Me-Anything on the classroom, none of them to be dropped.
"""

import argparse
import random
import re
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from figures import report
from orcamath.agents.wellformed import ask_of
from orcamath.classroom.grammar import render
from orcamath.classroom.growing import asking, stories
from orcamath.classroom.solving import solve
from orcamath.records import Problem, Rejected
from orcamath.stages.collect import CollectSettings, collect
from orcamath.store.artifacts import Store
from orcamath.text.words import normal
from real_sets import gsm8k
from sealing import sealed

_WOMEN = "Amara Bettina Chiyo Dolores Esra Farida Greta Hanneke Ilse Jana Katrin Leila Mireille Noor Odile Pia"
_MEN = "Anton Boris Cem Dmitri Emil Farouk Goran Hamid Igor Jonas Kofi Lars Mehmet Nils Otto Pavel"
WOMEN, MEN = _WOMEN.split(), _MEN.split()
# capitalised words inside sentences that name nobody
_NOBODY = """
Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August September October
November December How What If Mrs Mr Ms Dr Table Shop Beach Point Salon Class Street School
"""
NOBODY = frozenset(_NOBODY.split())


def base(n: int, rng: random.Random) -> list[str]:
    """Return up to n distinct real questions, else the classroom's."""
    texts = [row.question for row in gsm8k("train")]
    rng.shuffle(texts)
    grammar = stories(rng)
    while len(texts) < n:
        texts.append(render(next(grammar)))
    return list({normal(t): t for t in texts}.values())[:n]


def copied(text: str, rng: random.Random) -> str:
    """Copy with other case, spaces, quotes or punctuation."""
    way = rng.randrange(4)
    if way == 0:
        return text.upper() if rng.random() < 0.3 else text.lower()
    if way == 1:
        return re.sub(r" ", lambda _: "  " if rng.random() < 0.2 else " ", text) + " "
    if way == 2:
        return text.replace(",", "").replace("'", "’")
    return text.replace(". ", ".\n").rstrip("?.") + " ?"


def renamed(text: str, rng: random.Random) -> str | None:
    """Give every person another name, other pronouns with it; None where nobody is named."""
    found = [w for w in dict.fromkeys(re.findall(r"\b[A-Z][a-z]+\b", text)) if w in names_of(text)]
    if not found:
        return None
    fresh = rng.sample([n for n in WOMEN + MEN if n not in text], len(found))
    for old, new in zip(found, fresh, strict=True):
        text = re.sub(rf"\b{old}\b", new, text)
    if fresh[0] in MEN:
        for a, b in ((r"\bshe\b", "he"), (r"\bShe\b", "He"), (r"\bher\b", "his"), (r"\bHer\b", "His")):
            text = re.sub(a, b, text)
    return text


def names_of(text: str) -> set[str]:
    """Capitalised words inside sentences: mostly names, found apart from the code that is measured."""
    return set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b", text)) - NOBODY


def renumbered(text: str, rng: random.Random) -> str | None:
    """Change one number."""
    found = list(re.finditer(r"(?<![\d.,/])\d{1,4}(?![\d.,/]*\d)", text))
    if not found:
        return None
    m = rng.choice(found)
    return text[: m.start()] + str(int(m[0]) + rng.randint(1, 9)) + text[m.end() :]


def asked_otherwise(text: str, rng: random.Random) -> str | None:
    """Keep the story, ask for something else about it."""
    ask = ask_of(text)
    others = (
        "What is the largest amount named above?",
        "How many people does the story name?",
        "How much is left for the others?",
    )
    return text.replace(ask, rng.choice(others)) if ask in text and text != ask else None


def plant(n: int, rng: random.Random) -> tuple[list[Problem], dict[str, tuple[str, str]]]:
    """Return n problems in input order and, for those planted, id → (kind, id of the original)."""
    each = n // 10
    originals = [Problem.make(t, "seed", "base") for t in base(n - 5 * each, rng)]
    planted: dict[str, tuple[str, str]] = {}
    problems = list(originals)
    ways = {"copy": copied, "renamed": renamed, "changed number": renumbered, "another question": asked_otherwise}
    for kind, way in ways.items():
        left = each
        for original in rng.sample(originals, len(originals)):
            text = way(original.question, rng)
            if text is None or text == original.question:
                continue
            twin = Problem.make(text, "seed", kind)
            if twin.id in planted:
                continue
            planted[twin.id] = (kind, original.id)
            problems.append(twin)
            left -= 1
            if not left:
                break
    grammar, left = stories(rng, inverse=0.0), each
    while left > 0:
        story = next(grammar)
        parent = Problem.make(render(story), "seed", "classroom")
        for slot in range(len(story.steps) + 1):
            child = asking(story, slot, rng)
            answer = str(solve(child).answer)
            problem = Problem.make(
                render(child), "ask_me_anything", "classroom", parents=(parent.id,), target=answer, answer=answer
            )
            if left > 0 and problem.id not in planted:
                planted[problem.id] = ("sibling", parent.id)
                problems.append(problem)
                left -= 1
    return problems, planted


def dropped_of(problems: list[Problem], settings: CollectSettings) -> list[Rejected]:
    """Put problems through the stage; returns what it drops."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        source = sealed(store, "base", problems=problems)
        made = store.stage("collect", 1, settings, [source], lambda out: collect(out, settings, [source]))
        return list(made.read(Rejected))


def compare(n: int, show: int) -> dict[str, object]:
    """Return precision and recall by threshold; says `show` examples of what went wrong at the default."""
    problems, planted = plant(n, random.Random(0))
    kinds = Counter(kind for kind, _ in planted.values())
    wanted = kinds["copy"] + kinds["renamed"]
    rows = []
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        dropped = dropped_of(problems, CollectSettings(near_jaccard=threshold))
        got = Counter(planted[d.item][0] if d.item in planted else "base" for d in dropped)
        pointing = sum(d.item in planted and d.repeats == planted[d.item][1] for d in dropped)
        right = got["copy"] + got["renamed"]
        wrong = {k: got[k] for k in ("changed number", "another question", "sibling", "base")}
        shares = {
            "recall": right / wanted,
            "recall_copies": got["copy"] / kinds["copy"],
            "recall_renamed": got["renamed"] / kinds["renamed"],
            "precision": right / max(len(dropped), 1),
        }
        rounded = {name: round(share, 4) for name, share in shares.items()}
        rows.append({"jaccard": threshold, **rounded, "wrongly_dropped": wrong, "right": right, "pointing": pointing})
        if threshold == CollectSettings().near_jaccard:
            _show(problems, planted, dropped, show)
    return {"problems": len(problems), "planted": dict(kinds), "thresholds": rows}


def _show(problems: list[Problem], planted: dict[str, tuple[str, str]], dropped: list[Rejected], n: int) -> None:
    by_id = {p.id: p.question for p in problems}
    gone = {d.item: d for d in dropped}
    wrong = [(d.item, d.repeats or "") for d in dropped if planted.get(d.item, ("base",))[0] not in ("copy", "renamed")]
    missed = [(i, o) for i, (kind, o) in planted.items() if kind in ("copy", "renamed") and i not in gone]
    for label, pairs in (("wrongly dropped", wrong), ("missed", missed)):
        for item, other in pairs[:n]:
            print(f"  {label}: {by_id[item][:300]}\n     beside: {by_id[other][:300]}")


def scale(n: int) -> dict[str, object]:
    """Return time and the Python heap's peak of one run over n problems: real texts with other numbers."""
    rng = random.Random(1)
    texts = base(min(n, 7000), rng)

    def many() -> Iterator[Problem]:
        for i in range(n):
            text = texts[i % len(texts)]
            if i >= len(texts):
                text = re.sub(r"\d+", lambda _: str(rng.randint(2, 9999)), text)
            yield Problem.make(text, "seed", f"base {i}")

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        source = sealed(store, "base", problems=many())
        began = time.monotonic()
        tracemalloc.start()
        made = store.stage("collect", 1, None, [source], lambda out: collect(out, CollectSettings(), [source]))
        _, peak = tracemalloc.get_traced_memory()
        seconds = time.monotonic() - began
    heap_mb = round(peak / 1e6, 1)
    return {"problems": n, "seconds_traced": round(seconds), "heap_peak_mb": heap_mb, "kept": made.count("problems")}


def options(parser: argparse.ArgumentParser) -> None:
    """How many problems, planted and for time and memory."""
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--show", type=int, default=0, help="examples of what went wrong")
    parser.add_argument("--scale", type=int, default=0)


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Do what is asked for."""
    figures: dict[str, object] = compare(args.n, args.show) if args.n else {}
    return figures | ({"scale": scale(args.scale)} if args.scale else {})


if __name__ == "__main__":
    report(__doc__, options, measure)
