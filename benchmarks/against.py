"""Is this tree as quick as another commit's? One figure of one benchmark, measured in turn on each tree's source.

    git worktree add ../before COMMIT
    python benchmarks/against.py ../before answers_per_cpu_second judging.py FOLDER
    python benchmarks/against.py --one-script ../before . sampling.py --job '{"side": "ours", "name": "pupil", "passes": 5}'

FIGURE names a number of the object that the script prints with `--json`; `.` is a script that prints a number alone. `--there`
and `--figure-there` are what the other tree's script is given, and what it calls the figure, where that is something else there;
`--one-script` runs this tree's script on the source of both.
Every run is a process of its own, of one thread; which tree begins changes by pair, so that what else the machine does falls on
both. `ratio`: median over the pairs of this tree's figure through the other's, the lowest and highest. It compares CPU seconds on
equally busy cores; how quick anything is it does not say.
"""

import argparse
import shlex
import statistics
from pathlib import Path

from apart import figures_of
from figures import report

HERE = Path(__file__).parents[1]


def options(parser: argparse.ArgumentParser) -> None:
    """What is measured, against which tree."""
    parser.add_argument("other", type=Path, help="a checkout of the other commit")
    parser.add_argument("figure", help="a number in the script's object; `.` where it prints one alone")
    parser.add_argument("script", help="a file of benchmarks/, of each tree its own")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="what the script is given; options of ours stand before"
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--there", type=shlex.split, metavar="ARGUMENTS", help="those of the other tree's script")
    parser.add_argument("--figure-there", metavar="FIGURE", help="the figure in what the other tree's script prints")
    parser.add_argument("--one-script", action="store_true", help="this tree's script for both sources")


def figure_of(tree: Path, scripts: Path, script: str, arguments: list[str], figure: str) -> float:
    """Run a script of a tree on a tree's source; returns its figure."""
    found = figures_of(str(scripts / "benchmarks" / script), *arguments, env={"PYTHONPATH": str(tree / "src")})
    return float(found if figure == "." else found[figure])


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Run both trees in turn."""
    sides = {
        "this": (HERE, HERE, args.script, args.arguments, args.figure),
        "other": (
            args.other.resolve(),
            HERE if args.one_script else args.other.resolve(),
            args.script,
            args.there or args.arguments,
            args.figure_there or args.figure,
        ),
    }
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for pair in range(args.pairs):
        for side in sorted(sides, reverse=bool(pair % 2)):
            figures[side].append(figure_of(*sides[side]))
    ratios = sorted(a / b for a, b in zip(figures["this"], figures["other"], strict=True))
    return {
        "ratio": round(statistics.median(ratios), 3),
        "low": round(ratios[0], 3),
        "high": round(ratios[-1], 3),
        "pairs": args.pairs,
        **{f"{side}_median": round(statistics.median(f), 3) for side, f in figures.items()},
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
