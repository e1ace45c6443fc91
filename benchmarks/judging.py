"""How right and how fast the rules are on real labelled answers.

    python benchmarks/judging.py FOLDER [--json] [--rows]

FOLDER holds `*.jsonl.gz` files with question, gold, response, label (real model answers, judged by someone else); each
file is a group. `answers_per_cpu_second` is measured over all rows, in CPU time, one thread, with empty caches.
"""

import argparse
import json
import time
from pathlib import Path

from orcamath.answers.readings import read
from orcamath.answers.units import asked
from orcamath.answers.wording import letter
from orcamath.judges.file import Summary, judge_rows, read_rows
from orcamath.judges.rules import RulesJudge, rule


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument(
        "--rows", action="store_true", help="list every row where judge and label differ, or no verdict"
    )
    arguments = parser.parse_args()
    pooled, groups, every = Summary(), {}, []
    for path in sorted(arguments.folder.glob("*.jsonl*")):
        rows, group = list(read_rows(path)), Summary()
        for judged in judge_rows(rows, RulesJudge(), summary=group, keep=True, where=path.name):
            pooled.add(judged, keep=True)
            every.append(judged.comparison)
        groups[path.name.split(".")[0]] = group
    for cache in (read, asked, letter):
        cache.cache_clear()  # no answer may be cheap because it was judged above
    began = time.process_time()
    for comparison in every:
        rule(comparison)
    rate = len(every) / max(time.process_time() - began, 1e-9)
    figures = {"pooled": pooled.plain(), "groups": {name: group.plain() for name, group in groups.items()}}
    figures |= pooled.plain() | {"answers_per_cpu_second": round(rate)}
    if arguments.rows:
        for name, group in groups.items():
            for j in group.offending:
                print(f"{name}:{j.row} label={j.label} {j.finding} guess={j.guess} gold={j.comparison.reference!r}")
                print("    …" + repr(j.comparison.response[-200:]))
    print(json.dumps(figures, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
