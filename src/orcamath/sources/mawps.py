"""The MAWPS family's form (Koncel-Kedziorski et al. 2016), shared by AddSub, MultiArith, SingleEq and SingleOp.

A JSON list of `sQuestion`, `lEquations`, `lSolutions`; copies on the hub and elsewhere call them `question` / `input`,
`equation` and `final_ans` / `target` / `answer`. None of these sets states a licence or has official splits.
"""

from collections.abc import Iterator, Sequence

from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, problem_from, text_of, unsplit

__all__ = ["LICENCE", "mawps_problems"]

LICENCE = (
    "no licence file in source; MAWPS family, public research use (copied in kojima-takeshi188/zero_shot_cot, "
    "reasoning-machines/pal [Apache-2.0], microsoft/ToRA [MIT])"
)


def mawps_problems(settings: SourceSettings, stems: Sequence[str]) -> Iterator[Found]:
    """Yield the problems of one set of the family; `stems` are its usual file names, lower case, without ending."""

    def make(row: Row) -> Found:
        value = row.values
        question = _first(row, "sQuestion", "question", "input")
        answer = _first(row, "lSolutions", "final_ans", "target", "answer")
        equations = value.get("lEquations")
        solution = "; ".join(map(str, equations)) if isinstance(equations, list) else value.get("equation")
        return unsplit(
            problem_from(row, settings, question, answer, licence=LICENCE, unofficial=True, solution=text_of(solution))
        )

    return each(copies(settings, stems), make)


def _first(row: Row, *names: str) -> object:
    return next((row.values[n] for n in names if n in row.values), None)
