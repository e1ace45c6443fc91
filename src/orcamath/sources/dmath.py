"""DMath (Kim et al. 2023): 10,022 problems of five categories in Korean and English; train 7,943, test 2,079.

The authors' files are one object of numbered problems with `question_en`, `answer_en`, `solution_abst_en` (and `_ko`); copies
on the hub drop the ending. `options: {language: ko}` reads the Korean texts. The paper keeps of its training problems those
where teacher and gold agree (6,216); that is `verify`'s work, not this reader's.
"""

from collections.abc import Iterator

from orcamath.errors import DataError
from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, gold_kind, number_text, problem_from, text_of

__all__ = ["LICENCE", "read"]

LICENCE = "none found in source (JiwooKimAR/dmath); ask its authors before publishing"


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems of the copy, in file order."""
    language = settings.options.get("language", "en")
    if language not in ("en", "ko"):
        raise DataError(f"source `{settings.name}`: `language` is {language!r}; it can be `en` or `ko`")

    def make(row: Row) -> Found:
        def value(name: str) -> object:
            return row.values.get(f"{name}_{language}", row.values.get(name))

        answer = number_text(value("answer"))
        return problem_from(
            row,
            settings,
            value("question"),
            answer,
            licence=LICENCE,
            answer_kind=gold_kind(answer),
            solution=text_of(value("solution_abst")),
        )

    return each(copies(settings, ("dmath_*", "*")), make)
