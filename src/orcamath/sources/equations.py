"""Algebra problems whose answer is a set of unknowns: the rows that DRAW-1K and ALG514 share."""

from collections.abc import Iterator, Sequence

from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, problem_from, text_of, unsplit

__all__ = ["equation_problems"]


def equation_problems(
    settings: SourceSettings, stems: Sequence[str], licence: str, *, unofficial: bool = False
) -> Iterator[Found]:
    """Yield the problems; where a file names no split and the set may lack one (`unofficial`), it is drawn later."""

    def make(row: Row) -> Found:
        inner = row.values.get("original")
        value = inner if isinstance(inner, dict) else row.values
        question = value.get("sQuestion", value.get("original_text"))
        answers = value.get("lSolutions", value.get("ans"))
        equation = value.get("lEquations", value.get("equation"))
        solution = "; ".join(map(str, equation)) if isinstance(equation, list) else text_of(equation)
        several = isinstance(answers, list) and len(answers) > 1
        found = problem_from(
            row,
            settings,
            question,
            answers,
            licence=licence,
            unofficial=unofficial,
            solution=solution,
            answer_kind="set" if several else "number",
        )
        return unsplit(found) if unofficial and (row.split or settings.split) is None else found

    return each(copies(settings, stems), make)
