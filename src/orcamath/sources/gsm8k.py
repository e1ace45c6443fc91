"""GSM8K (Cobbe et al. 2021, arXiv 2110.14168): 7,473 training and 1,319 test problems. The answer stands after `####`.

Reads the authors' `train.jsonl` / `test.jsonl`, and the same rows from the hub. The calculator notes (`<<48/2=24>>`) stay in
the solution, as published.
"""

from collections.abc import Iterator

from orcamath.records import Split
from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, problem_from

__all__ = ["LICENCE", "read", "row_of_gsm8k"]

LICENCE = "MIT (openai/grade-school-math)"


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems of the copy, in file order."""
    return each(copies(settings, ("gsm8k_*", "*")), lambda row: row_of_gsm8k(row, settings, LICENCE))


def row_of_gsm8k(
    row: Row, settings: SourceSettings, licence: str, split: Split | None = None, family: str | None = None
) -> Found:
    """Turn a row in GSM8K's form into a problem: the solution is in `answer`, and the answer in its line `####`."""
    solution = row.values.get("answer")
    _, mark, answer = solution.rpartition("####") if isinstance(solution, str) else ("", "", "")
    if not mark:
        return row.bad("no_answer", "the column `answer` has no line `#### <number>`")
    answer = answer.strip().replace(",", "")
    return problem_from(
        row,
        settings,
        row.values.get("question"),
        answer,
        licence=licence,
        solution=solution,
        split=split,
        family=family,
    )
