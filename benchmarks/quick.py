"""The quick benchmarks at small sizes, each figure held against what docs/log.md says of it: `make bench`.

    python benchmarks/quick.py [--only cap faults …] [--json]

Ratios and counts only, since both sides of a ratio run beside each other: they hold on another or a busy machine, where seconds
do not. So nothing of `rows.py` is here: it gives µs a row of our side alone. What is held against is the figure of the log's
newest entry that has one, at this size where there is one; tests/unit/test_quick.py finds it there. It may be worse by a
tolerance, whose reason stands beside it. Exit code 1 where one is worse than that.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from apart import figures_of
from figures import report

HERE = Path(__file__).parent


class Claim(NamedTuple):
    """One figure of one benchmark."""

    script: str
    arguments: tuple[str, ...]
    figure: str
    """Keys of the benchmark's JSON, dots between them."""
    entry: str
    """Heading of the log's newest entry that has it, date and all."""
    words: str
    """That entry's words without marks: the figure in braces, … for what is left out. What says the like later is to be cited."""
    tolerance: float
    """The share of the logged figure by which another is still in order: below zero where less is worse, else where more is."""
    why: str
    """Reason of the tolerance."""

    @property
    def written(self) -> str:
        """The figure as the log has it."""
        return self.words.partition("{")[2].partition("}")[0]

    @property
    def logged(self) -> float:
        """The same, as a number."""
        return float(self.written)

    @property
    def worst(self) -> float:
        """What is still in order."""
        return self.logged * (1 + self.tolerance)

    def holds(self, now: float) -> bool:
        """Tell whether a figure is no worse than that."""
        return now >= self.worst if self.tolerance < 0 else now <= self.worst


ROW = "2026-11-27 · What a row costs, and what came of it"
"""Its last lines are of `make bench` itself."""
CLAIMS = (
    Claim(
        script="cap",
        arguments=("--trials", "3"),
        figure="overspend",
        entry="2026-11-28 · Killed, flipped, capped and replayed, idle cores, code of this night",
        words="overspend {0}",
        tolerance=0,
        why="a count: one is one too many",
    ),
    Claim(
        script="faults",
        arguments=("--seeds", "12"),
        figure="unaccounted",
        entry=ROW,
        words="unaccounted {0}",
        tolerance=0,
        why="a count: one is one too many",
    ),
    Claim(
        script="client_overhead",
        arguments=("--calls", "600", "--repeats", "3"),
        figure="cpu_ratio",
        entry=ROW,
        words="client CPU ratio {1.56}",
        tolerance=0.2,
        why="1.40 to 1.69 with 3,000 calls on other days, single rounds 1.01 to 1.85",
    ),
    Claim(
        script="contamination",
        arguments=("--rows", "20000"),
        figure="search_speedup",
        entry=ROW,
        words="contamination search {5.0}× at 20,000 rows",
        tolerance=-0.4,
        why="3.23 at this size on busy cores, where fixed costs weigh; at 200,000 rows 7 to 7.7, and 12.6 of made-up words",
    ),
    Claim(
        script="contamination",
        arguments=("--rows", "20000"),
        figure="speedup",
        entry="2026-11-22 · Contamination again, after the day's changes",
        words="contamination.py --rows 20000 on busy cores: search ×…, all ×{2.32}",
        tolerance=-0.2,
        why="one run a side on busy cores; at 200,000 rows 3.1 to 3.2, and 3.9 of made-up words",
    ),
    Claim(
        script="duplicates",
        arguments=("--n", "2000", "--show", "0"),
        figure="thresholds.2.recall",
        entry="2026-11-28 · The rest of the quick tests on Python 3.12, the Dockerfile built, near-duplicates by two bits",
        words="duplicates.py --n 10000: recall {1.0}",
        tolerance=-0.02,
        why="no time is in it: 0.993 with GSM8K's questions at hand, and one of 400 planted ones is 0.0025",
    ),
    Claim(
        script="minhash",
        arguments=("--n", "5000", "--rounds", "3"),
        figure="cpu_ratio",
        entry="2026-11-28 · MinHash in batches, on a processor of another kind",
        words="minhash.py --n 5000 --rounds 3…cpu_ratio {0.57}",
        tolerance=0.3,
        why="0.476 to 0.599 in six runs at this size; a pass over the sets takes a tenth of a second",
    ),
    Claim(
        script="sft",
        arguments=("--lessons", "96", "--repeats", "1"),
        figure="sft_speedup",
        entry=ROW,
        words="SFT {2.19}×",
        tolerance=-0.2,
        why="1.99 and 2.3 to 2.6 with more lessons; one run of half a second a side",
    ),
    Claim(
        script="preference_training",
        arguments=("--problems", "16", "--trl-batch", "4", "--repeats", "1", "--only", "dpo"),
        figure="dpo_speedup",
        entry="2026-11-22 · DPO against TRL by right-answer rate, and sampling",
        words="| .8 uncapped | … | {5.88} / ",
        tolerance=-0.2,
        why="5.46 to 5.91 between the least and most of three runs a side, and 5.47 of other problems; one run a side here",
    ),
)


def options(parser: argparse.ArgumentParser) -> None:
    """Which of them."""
    names = sorted({claim.script for claim in CLAIMS})
    parser.add_argument("--only", nargs="*", choices=names, default=names)


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Run each script once and look its figures up."""
    said: dict[tuple[str, ...], object] = {}
    rows, worse = [], 0
    for claim in CLAIMS:
        if claim.script not in args.only:
            continue
        command = (claim.script, *claim.arguments)
        if command not in said:
            sys.stderr.write(f"{' '.join(command)} …\n")
            said[command] = figures_of(str(HERE / f"{claim.script}.py"), *claim.arguments)
        found = said[command]
        for key in claim.figure.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]  # type: ignore[index]
        now = float(found)  # type: ignore[arg-type]
        ok = claim.holds(now)
        worse += not ok
        rows.append(
            {
                "figure": f"{claim.script} {claim.figure}",
                "now": now,
                "logged": claim.logged,
                "worst": round(claim.worst, 3),
                "entry": claim.entry,
                "why": claim.why,
                "ok": ok,
            }
        )
        sys.stderr.write(
            f"  {claim.figure}: {now:g} (log {claim.written}, at worst {claim.worst:.3g})"
            f"{'' if ok else f'  WORSE than in {claim.entry!r}; {claim.why}'}\n"
        )
    return {"worse": worse, "figures": rows}


if __name__ == "__main__":
    if report(__doc__, options, measure)["worse"]:
        sys.exit(1)
