"""What the classroom's base scores before any lesson: greedy, on the problems of the recipe's test split (or dev).

    python benchmarks/classroom_base.py [--split test] [--limit N] [--json]

The demo's students must be read beside this: M1 is the base after its lessons.
"""

import argparse
import tempfile
from pathlib import Path

from figures import report
from orcamath.assemble import Assembled
from orcamath.intervals import wilson
from orcamath.recipe_file import load
from orcamath.records import Scored
from orcamath.sources.choosing import together
from orcamath.stages.benchmarks import benchmarks
from orcamath.stages.evaluate import evaluate
from orcamath.store.artifacts import Store


def options(parser: argparse.ArgumentParser) -> None:
    """Which problems, and how many of them."""
    parser.add_argument("--split", default="test", choices=["dev", "test"])
    parser.add_argument("--limit", type=int, help="only the first so many problems")


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Evaluate the base that ships."""
    overrides = [] if args.limit is None else [f"benchmarks.limit={args.limit}"]
    recipe = load("classroom", [f"benchmarks.sources.0.split={args.split}", *overrides])
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        tools = Assembled(store)
        readers = tools.readers([*recipe.seeds.sources, *recipe.benchmarks.sources])
        _, wanted = together(recipe.seeds, recipe.benchmarks, readers)
        tests = store.stage("benchmarks", 1, wanted, [], lambda out: benchmarks(out, wanted, readers))
        chat, pose = tools.player(recipe.student, tools.base(recipe.student))
        judge, settings = tools.judge(recipe, on_benchmarks=True), recipe.evaluate
        made = store.stage(
            "evaluate", 1, settings, [tests, chat],
            lambda out: evaluate(out, settings, tests, chat, pose=pose, judge=judge),
        )  # fmt: skip
        right = [row.outcome == "agrees" for row in made.read(Scored) if row.draw == 0]
        tools.ledger.close()
    score, low, high = wilson(sum(right), len(right))
    return {"split": args.split, "n": len(right), "score": score, "low": low, "high": high}


if __name__ == "__main__":
    report(__doc__, options, measure)
