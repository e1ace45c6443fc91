"""What others call the columns of a set of problems, first match first: GSM8K, Numina, MetaMathQA, OpenMathInstruct, …

One list for everything that reads a user's file: sources, what `init` sees, judging, the search for contamination.
"""

import re
from functools import lru_cache
from itertools import takewhile
from string import ascii_lowercase

__all__ = [
    "ANSWER_COLUMNS",
    "OPTIONS_COLUMNS",
    "PERHAPS_ANSWER",
    "PLAIN_COLUMNS",
    "QUESTION_COLUMNS",
    "SOLUTION_COLUMNS",
    "Theirs",
    "choice_columns",
    "column_of",
    "columns_in",
]

Theirs = str | tuple[str, ...]
"""A user's column, or, of choices, the columns that hold one each."""

PLAIN_COLUMNS = {
    "question": ("question", "problem", "query"),
    "answer": ("answer", "expected_answer"),
    "solution": ("solution", "generated_solution", "response"),
    "options": ("options", "choices"),
}
"""Our column → names that mean it in every set we know: a run takes these columns without being told."""
QUESTION_COLUMNS = (
    *PLAIN_COLUMNS["question"],
    "sQuestion",
    "original_text",
    "Problem",
    "input",
    "text",
    "instruction",
    "prompt",
    *"frage aufgabe énoncé pregunta problema pergunta domanda pytanie zadanie вопрос задача 问题 题目 문제 問題".split(),
)
"""The same, names that may mean something else, and those of other languages: for `init`, which shows what it takes, and for
commands that `--column` tells better."""
ANSWER_COLUMNS = (
    *PLAIN_COLUMNS["answer"],
    "final_answer",
    "target",
    "correct_answer",
    "answer_key",
    "answerKey",
    *"antwort lösung ergebnis réponse respuesta risposta resposta odpowiedź ответ 答案 정답 答え".split(),
)
"""Likewise, for a gold answer."""
PERHAPS_ANSWER = ("answers", "ans", "gold", "result")
"""Further names of one, which may as well be a model's: for who looks at what the column holds, and shows it (`init`)."""
SOLUTION_COLUMNS = (
    *PLAIN_COLUMNS["solution"],
    *"rationale explanation worked output rechenweg lösungsweg explication solución solução soluzione".split(),
    *"rozwiązanie решение 解答 解析 풀이".split(),
)
"""Likewise, for a worked solution."""
OPTIONS_COLUMNS = PLAIN_COLUMNS["options"]
"""For the choices of a problem, where one column holds them all."""
_ONE_CHOICE = re.compile(r"(choice|option|opt|op)?_?(\(?)([a-z]|[0-9]{1,2})([).:]?)")
_ORDERS = (tuple(ascii_lowercase), tuple(map(str, range(1, 27))), tuple(map(str, range(26))))
_BARE = 4
"""Columns that are called `A`, `B` and so on may as well be numbers of the problem, unless they are so many."""


@lru_cache(maxsize=256)  # every row of a file asks
def column_of(known: tuple[str, ...], present: tuple[str, ...], *, spelled: bool = False) -> str | None:
    """Return the column that has the first known name, in any case, with blanks or hyphens for `_`; of two, the one spelled so.

    `spelled`: any name that is spelled as it is known goes before all that are not, for who does not show what is taken.

    >>> column_of(QUESTION_COLUMNS, ("Nr", "Frage", "Antwort"))
    'Frage'
    """
    by_name: dict[str, str] = {}
    for name in present:
        by_name.setdefault(_plain(str(name)), name)  # a DataFrame's may be a number
    exact = set(present)
    if spelled and (found := next((k for k in known if k in exact), None)) is not None:
        return found
    return next((k if k in exact else by_name[_plain(k)] for k in known if k in exact or _plain(k) in by_name), None)


@lru_cache(maxsize=256)
def choice_columns(present: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that hold one choice each, in order: `A`, `B`, …, `choice_a`, …, `option1`, …, `A)`, …; else nothing.

    >>> choice_columns(("id", "Question", "Option B", "Option A", "Option D"))
    ('Option A', 'Option B')
    """
    families: dict[str, dict[str, str]] = {}
    for name in present:
        if found := _ONE_CHOICE.fullmatch(_plain(str(name))):
            families.setdefault(found[1] or found[2] or found[4], {}).setdefault(found[3], name)
    for alike, columns in families.items():
        for order in _ORDERS if alike else _ORDERS[:1]:
            held = tuple(columns[tail] for tail in takewhile(columns.__contains__, order))
            if len(held) >= (2 if alike else _BARE):
                return held
    return ()


def columns_in(theirs: Theirs) -> tuple[str, ...]:
    """Return the one column, or the several, that stand for one of ours."""
    return (theirs,) if isinstance(theirs, str) else theirs


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
