"""ASDiv (Miao et al. 2020): 2,305 problems of all school types, the answers with their units. The authors' XML, or the hub.

An answer's unit in brackets is dropped (`9 (apples)` is 9); several answers make a set (`17 (years old); 12 (years old)` is
`17, 12`); an answer without a number stays text (`Mrs. Hilt`). The XML is read by a parser that expands no entities.
"""

import re
from collections.abc import Iterator
from xml.parsers import expat

from orcamath.errors import DataError
from orcamath.reading import read_whole
from orcamath.records import Rejected
from orcamath.sources.hub_rows import copies
from orcamath.sources.rows import FORMS, files_of, form_of, rows
from orcamath.sources.source import (
    Found,
    Row,
    SourceSettings,
    each,
    gold_kind,
    number_text,
    problem_from,
    text_of,
    unsplit,
)
from orcamath.sources.svamp import joined_text

__all__ = ["LICENCE", "answer_of", "read"]

LICENCE = "CC BY-NC 4.0 (chaochun/nlu-asdiv-dataset)"
_UNIT = re.compile(r"\s*\([^()\d][^()]*\)\s*$")


def answer_of(raw: str) -> str:
    """Return the answer without units: one value, or several joined by a comma and a space."""
    return ", ".join(_UNIT.sub("", part).strip() for part in raw.split(";") if part.strip())


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order; the set has no official split (the folds of its authors are not read)."""

    def make(row: Row) -> Found:
        value = {str(k).lower(): v for k, v in row.values.items()}
        raw = number_text(value.get("answer"))
        answer = answer_of(raw) if raw else None
        question = joined_text(value.get("body"), value.get("question"))
        return unsplit(
            problem_from(
                row,
                settings,
                question,
                answer,
                licence=LICENCE,
                unofficial=True,
                answer_kind=gold_kind(answer),
                solution=text_of(value.get("formula")),
            )
        )

    return each(_rows(settings), make)


def _rows(settings: SourceSettings) -> Iterator[Row | Rejected]:
    if settings.path is None:
        yield from copies(settings, ())
        return
    for path in files_of(settings, ("asdiv", "*"), (".xml", *FORMS)):
        if form_of(path) == ".xml":
            yield from _xml(read_whole(path), path.name)
        else:
            yield from rows(path)


def _xml(content: bytes, name: str) -> Iterator[Row]:
    found: list[Row] = []
    fields: dict[str, str] | None = None
    text: list[str] = []
    line = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal fields, line
        text.clear()
        if tag == "Problem":
            fields, line = dict(attributes), parser.CurrentLineNumber

    def end(tag: str) -> None:
        nonlocal fields
        if tag == "Problem" and fields is not None:
            found.append(Row(f"{name}:{line}", fields))
            fields = None
        elif fields is not None:
            fields[tag] = "".join(text).strip()

    def no_entities(*_: object) -> None:
        raise DataError(f"`{name}` declares XML entities, which ASDiv does not; fetch the authors' file again")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text.append, no_entities
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as e:  # an unknown encoding is a LookupError
        raise DataError(f"`{name}:{parser.CurrentLineNumber}` is not XML: {e}; fetch the authors' file again") from e
    yield from found
