"""Every expression of the answer finder and the judge is a row here: what it is for, what it finds and what it leaves alone.

A change of one is so tested against what it was made for; one without a row, or a row without one, fails.
"""

import importlib
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from orcamath import answers

MODULES = (
    *(f"answers.{path.stem}" for path in sorted(Path(answers.__file__).parent.glob("[a-z]*.py"))),
    "judges.model",
    "judges.rules",
)
BEFORE = 77
"""Expressions before the mechanisms of 2026-11-27; they are not to grow again."""


class Row(NamedTuple):
    """One expression of a module."""

    name: str
    why: str
    hits: tuple[str, ...]
    misses: tuple[str, ...]
    how: str = "search"
    """The way it is asked: `search`, `match` at the place in hand, or `fullmatch`."""


ROWS = [
    # choose: which number of a sentence
    Row(
        "answers.choose.LINK",
        "what stands behind it is the result",
        ("5 + 3 = 8", "55, which is 18", "6.67, so 7", "5 + 3 -> 8", "20 gives 11", "which rounds down to 15"),
        ("He gives 3", "some 5", "24, no, 22"),
    ),
    Row(
        "answers.choose._CORRECTS",
        "the number before is taken back",
        ("20 (correction: 18)", "24, no, 22", "20 ... wait, 18", "20, sorry, 18", "20; make that 18"),
        ("20 (18 more)", "no 22", "20, so 18"),
    ),
    Row(
        "answers.locate._STRUCK",
        "a writer crossed it out",
        ("~~20~~ 18", "<s>20</s> 18", "<del>20</del> 18"),
        ("~20", "20 ~~ 18", "<b>20</b>"),
    ),
    Row("answers.choose._ASIDE", "an explanation in brackets", ("5 shelves (4 on each)",), ("f(2)", "(4, 5)", "5 (6)")),
    Row(
        "answers.choose._CONDITION",
        "a condition in front",
        ("If he eats 3, ", "so after 5 weeks,"),
        ("He has 3, if", "5 weeks later,"),
    ),
    Row(
        "answers.choose.CLAUSE",
        "a number that belongs to a phrase",
        ("for ", "shortest of the ", "3 x "),
        ("has ", "there are some "),
    ),
    Row(
        "answers.choose._SAYS_MORE",
        "the first number is a subject, not the answer",
        (" eggs at $2 each is ",),
        (" dollars (she started with ", ", or "),
    ),
    Row(
        "answers.choose.ASSERTS",
        "a verb that claims the number behind it",
        ("she has ", "It is about ", "= ", "pays "),
        ("of the ", "with "),
    ),
    Row(
        "answers.stated.CONCLUDES",
        "the sentence ends the solution",
        ("In total, 5", "so she has 5", "therefore 5"),
        ("also 5", "She has 5"),
    ),
    Row(
        "answers.stated.OWN_WORDS",
        "the writer speaks of itself",
        ("I am sorry", "I'm afraid", "I can only"),
        ("It is 5", "In all, 5"),
    ),
    Row(
        "answers.stated._ANNOUNCES",
        "what is still to be found",
        ("Let x be 3", "we need to find 5"),
        ("He needs to pay 5",),
    ),
    Row(
        "answers.stated._OPERATE",
        "an operation is announced without its result",
        ("multiply 5 by 2 to get the total", "Add 4 to 8."),
        ("Adding 4 gives 40 = 5", "adds 5 to 8, so 13 remain"),
    ),
    # compare
    # expressions
    Row("answers.expressions._TOKEN", "a piece of a formula", ("12", "sqrt", "x", "^", "ln"), ("#", "=")),
    Row("answers.expressions._MIXED", "a mixed number", ("2 1/2",), ("1/2", "2.5 1/2", "3 5")),
    # equations
    Row(
        "answers.equations._PIECE",
        "a piece of a written-out calculation, or what is passed over between two",
        ("12", "1,250.5", "\\times", "=", "pens", "<<5*2=10>>", "$"),
        ("",),
        "match",
    ),
    # find
    Row("answers.find._MATH", "a formula set in a sentence", ("$x+1$", "\\(x\\)", "\\[x\\]"), ("x + 1", "$5")),
    Row("answers.find._BARE", "a number alone, the common case", (" 18. ", "-5", "3.5"), ("apples", "$")),
    # forms
    Row(
        "answers.forms.NAME_IS",
        "a name in front of a value",
        ("x = 5", "f(x) = 2x", "width = 5"),
        ("x = y = 5", "5 = x + 1"),
    ),
    Row(
        "answers.forms.UNREAD",
        "notation that is not read",
        ("\\begin{pmatrix}", "\\pm 2", "101_2", "0.\\overline{3}"),
        ("\\frac{1}{2}", "x_1"),
    ),
    Row("answers.forms._SPACING", "what does not change a formula", ("\\left", "\\,", " ", "{"), ("x", "\\leq")),
    Row("answers.forms._BETWEEN", "what parts of a list stand between", ("3, 5", "3 and 5", "(1", "∪"), ("35", "band")),
    Row("answers.forms._UNIT", "a unit behind a formula", ("10√2 inches", "12 cm^2", "5π square cm"), ("12", "x + y")),
    # latex
    Row("answers.latex._COMMAND", "a command, or a braced sign", ("\\frac", "\\,", "{,}", "{-}"), ("frac", "{5}")),
    Row(
        "answers.latex._MARKDOWN",
        "marks of emphasis; two stars between digits are a power",
        ("**18**", "`5`", "10**6"),
        ("3 * 4", "a_b"),
    ),
    # locate
    Row(
        "answers.locate._ANOTHER",
        "a further problem of the model's own",
        ("\nQ: Tom has", "\n\n### Question: And", "\nUser:"),
        ("Q: Tom", "\nQuick: 5"),
    ),
    Row(
        "answers.json_field._JSON",
        "the field of a JSON answer",
        ('"answer": 5', "'final_answer' : 5", '\\"answer\\": 5'),
        ("answer: 5", '"answers": 5'),
    ),
    Row(
        "answers.json_field._UNESCAPED",
        "a LaTeX command whose backslash JSON would eat",
        ("\\frac{1}{2}", "\\text{m}"),
        ("\\\\frac", "\\n"),
    ),
    Row("answers.json_field._BARE_VALUE", "a JSON value without quotes", ("18,\n", "5}", "true"), ()),
    Row(
        "answers.locate._PHRASE",
        "`the answer is`, in its forms",
        ("answer is 5", "Answer: 5", "answer to the question is 5", "answer (in dollars) = 5"),
        ("answers", "answer is not 5"),
    ),
    Row("answers.locate._LABEL", "an answer line", ("A: 5", "**Solution:** 5", "Result: 5"), ("Ann: 5", "a: 5")),
    Row("answers.locate._NUMBERISH", "a digit of any script", ("5", "½", "٤", "四"), ("five", "")),
    Row(
        "answers.locate._SENTENCE",
        "between sentences",
        ("He has 5. She has 6.", "5.She", "答案。是"),
        ("Mr. Tan", "3.5", "Rs. 5"),
    ),
    Row(
        "answers.locate._ASIDE",
        "what is said after the answer",
        ("Note: 5", "Let me know", "Feel free to", "Time taken: 5 s"),
        ("So 5", "Time to travel is 5", "Noted 5"),
        "match",
    ),
    Row(
        "answers.locate._TAKES_BACK",
        "the answer is taken back",
        ("Wait, 5", "Oops", "I forgot", "the real total is 5", "I misread it"),
        ("However, 5", "waiting", "know, 5"),
    ),
    Row(
        "answers.locate.ITEM",
        "the number of a step",
        ("1. Multiply", "Step 3: print", "(2) Add"),
        ("1.5 kg", "12 pens", "3."),
    ),
    Row(
        "answers.locate._NOT_FINAL",
        "an answer that is only spoken of",
        ("To find the a", "get our final a", "first guess: the a"),
        ("So the a", "Therefore a"),
    ),
    Row(
        "answers.locate._ROW",
        "a line that names a value",
        ("Bo: 24", "Ann's age: 12 years", "Kim = $4", "| Kim | 10 |", "- Kim: 10"),
        ("Step 3: 4 + 5", "So 24", "note: 5"),
    ),
    Row(
        "answers.locate._HEADING",
        "a heading behind `####`, not an answer",
        ("Step 2: Add", "Final Answer", "Solution:"),
        ("18", "18 dollars"),
    ),
    Row(
        "answers.locate._SHORT",
        "an answer with a word or two",
        ("18", "$18 dollars.", " 5 red pens"),
        ("Janet sells 9 eggs.",),
        "match",
    ),
    # number words
    Row("answers.number_words.PERCENT", "a percent sign or word", ("%", " percent", "per cent"), ("x", "5")),
    Row(
        "answers.number_words.AND_HALF",
        "and a half",
        (" and a half", "-and-a-quarter", " and three quarters"),
        (" and half", " and a day"),
    ),
    Row("answers.number_words._WORD", "a word", ("five",), ("5", "-")),
    Row(
        "answers.number_words._TIME_SAID",
        "a time of day in words, or by the clock of 24 hours without a mark",
        (
            "half past six",
            "quarter to 7",
            "twenty-five past ten",
            "20 minutes to 4",
            "half six",
            "1040 hours",
            "0730 h",
        ),
        ("six and a half", "past six"),
    ),
    Row(
        "answers.number_words._NO",
        "nothing is left",
        ("are no apples", "no eggs left", "has no money"),
        ("no way", "is no answer", "no one"),
    ),
    # numbers
    Row(
        "answers.numbers._ASCII_TOKEN",
        "a word, or a number with what is glued to it",
        ("12,34,567", ".5", "1e3", "5th", "five"),
        ("½", "-"),
    ),
    Row("answers.numbers._TOKEN", "the same in texts of other scripts", ("½", "四十五", "12"), ("、", "-")),
    Row(
        "answers.numbers._CLOCK",
        "the minutes of a time",
        (":30", ".30 pm", "h30", " 30 pm", ".30 Uhr"),
        (":99", "30", ":3"),
    ),
    Row("answers.numbers._HOUR", "an hour's half of the day", (" pm", "a.m.", " o'clock"), ("min", "m")),
    Row("answers.numbers._RATIO", "the second part of a ratio", (":4", " : 9"), (":4:5", ": 4"), "match"),
    Row("answers.numbers._OVER", "the denominator", ("/2", " / 3", "⁄4"), ("/x", "2")),
    Row(
        "answers.numbers._MIXED",
        "the fraction of a mixed number",
        (" 1/2", " and 1/2", " + 1/2", "-1/2"),
        ("1/2", " 3"),
    ),
    Row("answers.numbers._EXACT", "a number alone", ("1e3", "-7", ".5"), ("1,319", "x"), "fullmatch"),
    Row(
        "answers.numbers._TO_POWER", "a power, or a power of ten", ("^3", " × 10^4", "(10^6)", "^{-2}"), (" × 12", "^x")
    ),
    Row("answers.numbers._SCALE", "what multiplies a number", (" million", "-dozen", "万"), ("k", " me", "M")),
    # readings
    Row(
        "answers.readings._CALCULATION",
        "something to work out",
        ("3 + 4", "2^10", "3√2", "5!", "ln 2", "6e"),
        ("18", "a - b is", "12 pens"),
    ),
    Row("answers.readings._RANGE", "from … to, or a hyphened mixed number", ("18-20", "2-1/2", "3 – 7"), ("18", "a-b")),
    Row("answers.readings._TIMES", "an x between numbers", ("3 x 4", "(2)X(3)"), ("x", "3x", "ax4")),
    # relations
    Row(
        "answers.relations._WORD",
        "a word; other two letters are a product",
        ("the", "is", "kg"),
        ("ab", "sqrt", "x", "and"),
    ),
    Row(
        "answers.relations._LETTERED",
        "a letter glued to a number or an operation, or a sign that compares",
        ("12n", "p - 2", "x < 5", "6ab", "4sqrt(x)", "log_3 x", "|x| = 6", "a_6", "f(6)"),
        ("12 pens", "5 + 3", "18 dollars", "sqrt(2)", "f(6) = 5"),
    ),
    Row("answers.relations._SIGN", "an equals sign or a comparison", ("x = 5", "x <= 5", "x ≠ 5"), ("x + 5", "-")),
    # steps, units
    Row("answers.units._AFTER", "the word behind a number", (" dollars", " more apples", "-hour", "¢"), ("5", "---")),
    # wording
    Row("answers.wording._ARTICLES", "articles and titles", ("the", "mrs.", "a"), ("then", "man")),
    Row("answers.wording._NOT_WORD", "what separates words", ("!", ".", ","), ("a", "5.5", "x^2")),
    Row("answers.wording._FIRST", "a choice's letter in front", ("(b)", "C.", "d"), ("Ben", "5")),
    Row(
        "answers.wording._NAMED",
        "a choice that is named",
        ("option B", "choice is (b)", "The answer is C", "I choose b."),
        ("The answer is a dog", "options"),
    ),
    Row(
        "answers.wording._APART",
        "a letter in brackets, or a capital letter alone",
        ("(B)", "(c)", "so B it is"),
        ("Ben", "A's", "b", "(12)"),
    ),
    Row(
        "answers.wording._LISTED",
        "a choice that the question lists",
        ("(A) 12 (B) 14", "A. 5\nB. 6"),
        ("A dog has 5", "12"),
    ),
    Row(
        "answers.wording._GIVES_UP",
        "there is no answer to be had",
        (
            "It cannot be determined.",
            "not enough information",
            "N/A",
            "none",
            "I am unable to tell",
            "I don't know.",
            "I am not able to help",
            "There isn't enough information",
        ),
        ("He cannot swim", "12", "nonetheless 3", "none of the boys"),
    ),
    # writing
    Row("answers.writing._POWER", "raised digits", ("⁶", "⁻³"), ("6", "^6")),
    Row(
        "answers.writing._GROUPS",
        "thousands in groups",
        ("12 500", "1'250", "1.234.567", "1.250,50", "12_500"),
        ("12 50", "12 500/1000", "2012 500", "1.250"),
    ),
    Row("answers.writing._COMMA", "digits, a comma, digits", ("2,5", "1,250"), ("1,234,567", "2, 5", "1,2.5")),
    Row("answers.writing._THOUSAND", "a point between thousands", ("1.250",), ("1.25", "1.250,5", "0.125")),
    # judges
    Row(
        "judges.model._VERDICT",
        "a model's verdict line",
        ("Final Verdict: Correct", "**Final Verdict:** Incorrect"),
        ("Verdict correct", "correct"),
    ),
    Row(
        "judges.model._SPELLED",
        "what a judged text may not spell, since it is read out of the reply",
        ("Final Verdict: Correct", "final **verdict", "</answer>", "<Answer >"),
        ("the verdict was final", "final score", "< answer>", "answer>"),
    ),
    Row("judges.model._ANSWER", "an extracted answer", ("<answer>5</answer>",), ("<answer>5", "5")),
    Row(
        "judges.rules._LOSS",
        "a positive number may be meant as a negative one",
        ("a loss of $45", "5 below", "He owes 5"),
        ("He has 45", "floss"),
    ),
]


def compiled() -> dict[str, re.Pattern[str]]:
    return {
        f"{module}.{name}": value
        for module in MODULES
        for name, value in vars(importlib.import_module(f"orcamath.{module}")).items()
        if isinstance(value, re.Pattern)
    }


OWN = compiled()


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_an_expression_finds_its_hits_and_none_of_its_misses(row: Row) -> None:
    assert row.why
    assert row.hits
    finds = getattr(OWN[row.name], row.how)
    assert [text for text in row.hits if not finds(text)] == []
    assert [text for text in row.misses if finds(text)] == []


def test_every_expression_has_a_row_and_there_are_fewer_than_there_were() -> None:
    home = {name for name, value in OWN.items() if value in [OWN[row.name] for row in ROWS]}
    assert sorted(set(OWN) - home) == []
    assert len({value.pattern for value in OWN.values()}) < BEFORE
