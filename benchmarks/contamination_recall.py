"""Recall of the contamination looks: test questions planted, changed in known ways, among 10,000 other problems.

    ORCAMATH_TEST_DATA=... python benchmarks/contamination_recall.py [--plants 200]

Hosts are GSM8K's training problems and other sets' (ASDiv, SVAMP, MathQA), tests are GSM8K's 1,319. Each way of changing is
planted for as many test questions, each question once. A plant counts as found where a look pairs its row with its own test
question. `unplanted_rows_paired`: how many of the 10,000 unplanted rows the look pairs with any test question.
"""

import argparse
import gzip
import json
import os
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

from figures import report
from orcamath.contamination import SearchSettings, search
from orcamath.contamination.search import LOOKS

_NAMES = """
Amara Bettina Chiyo Dolores Esra Farida Greta Hanneke Ilse Jana Katrin Leila Mireille Noor Odile Pia Anton Boris Cem Dmitri
Emil Farouk Goran Hamid Igor Jonas Kofi Lars Mehmet Nils Otto Pavel
"""
NAMES = _NAMES.split()
_CAPITAL = re.compile(r"\b[A-Z][a-z]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORDS = """
Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August September October
November December How What If Mrs Mr Ms Dr The A In On At He She They It There Each One When After Every Some Her His Two
Three For Then During Last Today Yesterday
"""
NOBODY = frozenset(_WORDS.split())


def load(name: str) -> list[str]:
    """The questions of one of the data folder's files."""
    with gzip.open(Path(os.environ["ORCAMATH_TEST_DATA"]) / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["question"] for line in lines]


def copied(text: str, _: random.Random) -> str:
    """The same text."""
    return text


def retyped(text: str, _: random.Random) -> str:
    """Other case, punctuation and white space."""
    return text.upper().replace(".", " . ").replace(",", "").replace("$", "$ ")


def renamed(text: str, rng: random.Random) -> str:
    """Every person has another name."""
    people = sorted(set(_CAPITAL.findall(text)) - NOBODY)
    fresh = dict(zip(people, rng.sample(NAMES, min(len(people), len(NAMES))), strict=False))
    return _CAPITAL.sub(lambda m: fresh.get(m[0], m[0]), text)


def renumbered(text: str, rng: random.Random) -> str:
    """Every number in digits is another."""
    return _NUMBER.sub(lambda _: str(rng.randint(2, 400)), text)


def both(text: str, rng: random.Random) -> str:
    """Other names and other numbers."""
    return renumbered(renamed(text, rng), rng)


def shuffled(text: str, rng: random.Random) -> str:
    """The sentences but for the last in another order."""
    *told, asked = re.split(r"(?<=[.?!]) ", text)
    rng.shuffle(told)
    return " ".join([*told, asked])


def asked_otherwise(text: str, _: random.Random) -> str:
    """The same story with another question at its end."""
    *told, _asked = re.split(r"(?<=[.?!]) ", text)
    return " ".join([*told, "Write down every quantity that follows from this."])


def buried(hosts: list[str]) -> Callable[[str, random.Random], str]:
    """The question in the middle of two other problems."""
    return lambda text, rng: f"{rng.choice(hosts)} {text} {rng.choice(hosts)}"


def options(parser: argparse.ArgumentParser) -> None:
    """How many plants."""
    parser.add_argument("--plants", type=int, default=150, help="test questions planted in each way")


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Plant, search, count."""
    plants = args.plants
    if "ORCAMATH_TEST_DATA" not in os.environ:
        sys.exit("set ORCAMATH_TEST_DATA to the folder with the real problem sets")
    hosts = [*load("gsm8k-train.jsonl.gz"), *load("asdiv-all.jsonl.gz"), *load("svamp-all.jsonl.gz")][:10_000]
    tests = load("gsm8k-test.jsonl.gz")
    rng = random.Random(0)
    ways = {
        "copied": copied,
        "retyped": retyped,
        "people renamed": renamed,
        "numbers changed": renumbered,
        "people and numbers": both,
        "sentences reordered": shuffled,
        "another question": asked_otherwise,
        "inside a longer text": buried(hosts),
    }
    order = rng.sample(range(len(tests)), min(len(tests), plants * len(ways)))
    rows, planted = list(hosts), []
    for i, (name, change) in enumerate(ways.items()):
        for test in order[i * plants : (i + 1) * plants]:
            planted.append((len(rows), test, name))
            rows.append(change(tests[test], rng))
    found = search(rows, tests, SearchSettings(), max_pairs=1_000_000)  # which is all of them
    hits = {look: {(p.row, p.test) for p in found.of_look(look)} for look in LOOKS}
    hits["any"] = set().union(*hits.values())  # type: ignore[index]
    found_share = {}
    for name in ways:
        own = [(row, test) for row, test, way in planted if way == name]
        found_share[name] = {look: round(sum(o in h for o in own) / len(own), 4) for look, h in hits.items()}
    return {
        "hosts": len(hosts),
        "plants_each_way": plants,
        "tests": len(tests),
        "found_share": found_share,
        "unplanted_rows_paired": {look: len({row for row, _ in h if row < len(hosts)}) for look, h in hits.items()},
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
