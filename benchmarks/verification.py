"""How far each way of verification can be trusted: a careless textbook errs at known rates, the grammar knows the truth.

    python benchmarks/verification.py [--seeds 300]

For every method: precision, the share of lessons it verifies that are right; recall, the share of right lessons that it verifies.
`right` is the share of right lessons before any check. Errors per draw are independent; errors per problem are the same in every
draw, which agreement cannot see. Misstated problems (Ask-Me-Anything changes a number) test the hidden number itself.
"""

import argparse
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

from figures import report
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.classroom.grammar import parse_story, render
from orcamath.classroom.growing import stories
from orcamath.classroom.solving import solve
from orcamath.classroom.textbook import open_chat
from orcamath.records import Lesson, Problem
from orcamath.settings import ModelSettings
from orcamath.stages.ask import ask
from orcamath.stages.collect import CollectSettings, collect
from orcamath.stages.edit import EditSettings, edit
from orcamath.stages.teach import TeachSettings, teach
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.verify import VerifySettings
from sealing import sealed

METHODS = {
    "gold (seeds)": (1, VerifySettings(agreement="off"), {"seed"}),
    "hidden number": (1, VerifySettings(agreement="off"), {"ask_me_anything"}),
    "3 of 4 agree": (4, VerifySettings(gold="off", hidden_number="off", agreement_share=0.75), None),
    "4 of 4 agree": (4, VerifySettings(gold="off", hidden_number="off", agreement_share=1.0), None),
    "6 of 8 agree": (8, VerifySettings(gold="off", hidden_number="off", agreement_share=0.75), None),
}


def right(lesson: Lesson) -> bool:
    """Tell by the grammar whether a lesson's answer is right; a problem that it cannot read has no right answer."""
    try:
        return lesson.final_answer == str(solve(parse_story(lesson.question)).answer)
    except ValueError:
        return False


def scores(lessons: Iterable[Lesson], origins: set[str] | None) -> dict[str, float]:
    """Return base rate, precision and recall of `verified` among lessons of these origins."""
    table = [(right(x), x.verified != "unverified") for x in lessons if origins is None or x.origin in origins]
    good, marked = sum(r for r, _ in table), sum(v for _, v in table)
    both = sum(r and v for r, v in table)
    precision, recall = both / max(marked, 1), both / max(good, 1)
    rates = {"right": good / max(len(table), 1), "precision": precision, "recall": recall}
    return {"n": len(table), **{name: round(rate, 4) for name, rate in rates.items()}}


def grown(store: Store, n: int, careless: dict[str, float]) -> Artifact:
    """Return collected problems: seeds, Ask-Me-Anything's and the editor's, written by a textbook as careless as told."""
    grammar = stories(random.Random(0), max_steps=3)
    seeds = []
    for _ in range(n):
        story = next(grammar)
        question, answer = render(story), str(solve(story).answer)
        seeds.append(Problem.make(question, "seed", "classroom", answer=answer, answer_from="gold"))

    chat = Remembered(
        open_chat(ModelSettings(backend="textbook", options={"careless": careless})), Ledger(store.root / "ledger")
    )
    source = sealed(store, "seeds", [str(n)], problems=seeds)
    asked = store.stage("ask", 1, None, [source, chat], lambda out: ask(out, AskSettings(), source, chat))
    edited = store.stage("edit", 1, None, [source, chat], lambda out: edit(out, EditSettings(), source, chat))
    parts = [source, asked, edited]
    return store.stage("collect", 1, None, parts, lambda out: collect(out, CollectSettings(), parts))


def lessons(
    store: Store, problems: Artifact, careless: dict[str, float], n: int, verify: VerifySettings
) -> list[Lesson]:
    """Let a textbook solve the problems n times each."""
    chat = Remembered(
        open_chat(ModelSettings(backend="textbook", options={"careless": careless})), Ledger(store.root / "ledger")
    )
    settings = TeachSettings(solutions=n, temperature=0.7, verify=verify)
    made = store.stage("teach", 1, settings, [problems, chat], lambda out: teach(out, settings, problems, chat))
    chat.ledger.close()
    return list(made.read(Lesson))


def options(parser: argparse.ArgumentParser) -> None:
    """How many seeds."""
    parser.add_argument("--seeds", type=int, default=300)


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Return one row a method, rate and kind of error."""
    with tempfile.TemporaryDirectory() as folder:
        return tables(Store(Path(folder)), args.seeds)


def tables(store: Store, n: int) -> dict[str, object]:
    """Return the same in a store of its own."""
    agreement, hidden = [], []
    clean = grown(store, n, {})
    for rate in (0.05, 0.10, 0.20):
        for kind in ({"draw": rate}, {"problem": rate}, {"draw": rate / 2, "problem": rate / 2}):
            for name, (k, rules, origins) in METHODS.items():
                found = scores(lessons(store, clean, kind, k, rules), origins)
                agreement.append({"teacher_errs": kind, "method": name, **found})
    for rate in (0.05, 0.10, 0.20):
        problems = grown(store, n, {"misstate": rate, "ill_posed": rate})
        made = lessons(store, problems, {"draw": rate}, 1, VerifySettings(agreement="off"))
        hidden.append({"writer_and_teacher_err": rate, **scores(made, {"ask_me_anything"})})
    return {"methods": agreement, "hidden_number_with_careless_writer": hidden}


if __name__ == "__main__":
    report(__doc__, options, measure)
