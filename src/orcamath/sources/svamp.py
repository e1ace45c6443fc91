"""SVAMP (Patel et al. 2021): 1,000 problems varied from others so that shallow patterns fail. `Body` and `Question`.

Deviation: the hub's copy has a split, the authors' file has none; here it has none, so that both give the same data.
"""

from collections.abc import Iterator

from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, problem_from, text_of, unsplit

__all__ = ["LICENCE", "joined_text", "read"]

LICENCE = "MIT (arkilpatel/SVAMP)"


def joined_text(body: object, question: object) -> str | None:
    """Put a story and its question into one text; a story that ends without a full stop gets one. None where either lacks."""
    if not isinstance(body, str) or not isinstance(question, str) or not question.strip():
        return None
    story = body.strip()
    stop = "" if not story or story.rstrip("\"'”’)")[-1:] in tuple(".?!,") else "."
    return f"{story}{stop} {question.strip()}".strip()


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order; the set has no official split."""

    def make(row: Row) -> Found:
        value = row.values
        question, solution = joined_text(value.get("Body"), value.get("Question")), text_of(value.get("Equation"))
        return unsplit(
            problem_from(
                row, settings, question, value.get("Answer"), licence=LICENCE, unofficial=True, solution=solution
            )
        )

    return each(copies(settings, ("svamp", "*")), make)
