"""Under whose terms a teacher's output stands, told by the model's name. Dated data (`terms.json`), no legal advice.

In: the fingerprint of a model. Out: one sentence, or None where its name tells nothing. It points to what has to be read.
"""

import json
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

__all__ = ["Terms", "terms_of"]


class Terms(NamedTuple):
    """What is known of the terms of one family of models."""

    said: str
    as_of: str


def terms_of(teacher: str) -> Terms | None:
    """Return the terms that hold for the output of a model; the first family that its name fits."""
    as_of, known = _known()
    # a fingerprint may begin with a backend's name, a hub name with its owner's
    names = [part for word in teacher.lower().split() for part in (word, word.rpartition("/")[2])]
    return next((Terms(said, as_of) for form, said in known if any(form.search(name) for name in names)), None)


@cache
def _known() -> tuple[str, list[tuple[re.Pattern[str], str]]]:
    content = json.loads((resources.files(__package__) / "terms.json").read_text(encoding="utf-8"))
    return content["as_of"], [(re.compile(row["models"]), row["terms"]) for row in content["terms"]]
