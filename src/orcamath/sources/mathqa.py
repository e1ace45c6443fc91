"""MathQA (Amini et al. 2019): AQuA-RAT cleaned and annotated; multiple choice. Train 29,837, dev 4,475, test 2,985.

The options come as one text (`a ) 24 , b ) 120 , …`). The answer is the chosen option's text, or its letter where two options
read the same. The texts are as published: lower case, tokens set apart, some rationales garbled.
"""

import re
from collections.abc import Iterator

from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, problem_from, text_of
from orcamath.text.choices import letter_of

__all__ = ["LICENCE", "options_of", "read"]

LICENCE = "Apache-2.0 (MathQA)"
_OPTION = re.compile(r"(?:^|,)\s*['\"]?([a-e])\s?\)")
_TWICE = re.compile(r"^[a-e] \) ")


def options_of(text: str) -> tuple[str, ...]:
    """Split the options, in order of their letters; empty where they are not lettered a, b, c, …"""
    text = text.strip().removeprefix("[").removesuffix("]")  # a few are a printed list, each option in quotes
    marks = list(_OPTION.finditer(text))
    letters = "".join(m[1] for m in marks)
    if not marks or letters != "abcde"[: len(letters)]:
        return ()
    ends = [*(m.start() for m in marks[1:]), len(text)]
    options = (text[m.end() : end].strip().strip("'\"") for m, end in zip(marks, ends, strict=True))
    return tuple(_TWICE.sub("", o.strip()) for o in options)  # `a ) a ) 2`


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems of the copy, in file order."""

    def make(row: Row) -> Found:
        value = row.values
        options = options_of(value["options"]) if isinstance(value.get("options"), str) else ()
        place = "abcde".find(str(value.get("correct", "?")).strip().lower()[:1] or "?")
        if not 0 <= place < len(options):
            return row.bad(
                "bad_options", f"has options that cannot be told apart, or no correct one among {len(options)}"
            )
        answer = options[place] if options.count(options[place]) == 1 else letter_of(place)
        return problem_from(
            row,
            settings,
            value.get("Problem"),
            answer,
            licence=LICENCE,
            answer_kind="choice",
            options=options,
            solution=text_of(row.values.get("Rationale")),
        )

    return each(copies(settings, ("mathqa_*", "math_qa_*", "*")), make)
