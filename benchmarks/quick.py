"""The quick benchmarks at small sizes, each figure held against what docs/log.md says of it: `make bench`.

    python benchmarks/quick.py [--only cap faults …] [--json]

Ratios and counts only, since both sides of a ratio run beside each other: they hold on another or a busy machine, where seconds
do not. Small sizes give other ratios than the log's, so each has the worst that is still in order. Exit code 1
where one is worse.
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
    logged: float
    """What the log says, at the sizes it names."""
    worst: float
    """At the small size. Below what is logged: the least; above it, or equal: the most."""


CLAIMS = (
    Claim("cap", ("--trials", "3"), "overspend", 0, 0),
    Claim("faults", ("--seeds", "12"), "unaccounted", 0, 0),
    Claim("client_overhead", ("--calls", "600", "--repeats", "3"), "cpu_ratio", 1.58, 2.0),
    Claim("contamination", ("--rows", "20000"), "search_speedup", 8.6, 3.0),
    Claim("contamination", ("--rows", "20000"), "speedup", 3.8, 2.0),
    Claim("duplicates", ("--n", "2000", "--show", "0"), "thresholds.2.recall", 0.993, 0.98),
    Claim("minhash", ("--n", "5000", "--rounds", "3"), "cpu_ratio", 0.46, 0.8),
    Claim("sft", ("--lessons", "96", "--repeats", "1"), "sft_speedup", 1.8, 1.2),
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
        ok = now >= claim.worst if claim.worst < claim.logged else now <= claim.worst
        worse += not ok
        rows.append(
            {
                "figure": f"{claim.script} {claim.figure}",
                "now": now,
                "logged": claim.logged,
                "worst": claim.worst,
                "ok": ok,
            }
        )
        sys.stderr.write(
            f"  {claim.figure}: {now:g} (log {claim.logged:g}, at worst {claim.worst:g}){'' if ok else '  WORSE'}\n"
        )
    return {"worse": worse, "figures": rows}


if __name__ == "__main__":
    if report(__doc__, options, measure)["worse"]:
        sys.exit(1)
