"""Verification: who is believed, who is listed as disagreeing, who is dropped."""

import pytest

from orcamath.records import Problem
from orcamath.verify import VerifySettings, verify
from scripted import seed

QUESTION = "Ann has 3 pens and buys 4. How many pens has she?"


def hidden(answer: str) -> Problem:
    return Problem.make(QUESTION, "ask_me_anything", "test", answer=answer, answer_from="hidden_number", target=answer)


UNKNOWN = Problem.make(QUESTION, "suggester_editor", "test")


@pytest.mark.parametrize(
    ("problem", "answer", "rules", "verified", "agrees", "dropped"),
    [
        (seed(QUESTION, "7"), "7", {}, "gold", True, None),
        (seed(QUESTION, "7"), "7.0", {}, "gold", True, None),
        (seed(QUESTION, "7"), "8", {}, "unverified", False, None),
        (seed(QUESTION, "7"), "8", {"gold": "drop"}, "unverified", False, "disagrees_with_gold"),
        (seed(QUESTION, "7"), "8", {"gold": "off"}, "unverified", None, None),
        (hidden("7"), "7 pens", {}, "hidden_number", True, None),
        (hidden("1200"), "1,200", {}, "hidden_number", True, None),
        (hidden("25%"), "25%", {}, "hidden_number", True, None),
        (hidden("0.5"), "1/2", {}, "hidden_number", True, None),
        (hidden("7"), "8", {}, "unverified", False, None),
        (hidden("7"), "8", {"hidden_number": "drop"}, "unverified", False, "disagrees_with_hidden_number"),
        (UNKNOWN, "7", {}, "unverified", None, None),
        # DMath's rule: kept only where teacher and gold agree, whatever `gold` says
        (seed(QUESTION, "7", source="dmath"), "8", {}, "unverified", False, "disagrees_with_gold"),
        (seed(QUESTION, "7", source="dmath"), "7", {"gold": "off"}, "gold", True, None),
        (seed(QUESTION, "7", source="dmath"), "8", {"gold_sources": ()}, "unverified", False, None),
    ],
)
def test_one_answer_against_a_known_one(problem, answer, rules, verified, agrees, dropped) -> None:
    (check,) = verify(problem, [answer], VerifySettings(**rules))
    assert (check.verified, check.agrees) == (verified, agrees)
    assert (check.reason if check.drop else None) == dropped


@pytest.mark.parametrize(
    ("answers", "share", "confirmed"),
    [
        (["7", "7", "7", "8"], 0.75, [True, True, True, False]),
        (["7", "7.0", "$7"], 1.0, [True, True, True]),
        (["7", "8"], 0.75, [False, False]),
        (["7", "7", "8", "9"], 0.75, [False] * 4),
        (["7"], 0.75, [None]),
    ],
)
def test_solutions_among_themselves(answers, share, confirmed) -> None:
    checks = verify(UNKNOWN, answers, VerifySettings(agreement_share=share))
    assert [c.agrees for c in checks] == confirmed
    assert [c.verified == "agreement" for c in checks] == [c is True for c in confirmed]


def test_a_known_answer_outweighs_agreement() -> None:
    checks = verify(hidden("7"), ["8", "8", "8"], VerifySettings())
    assert [c.verified for c in checks] == ["unverified"] * 3
    assert all(c.against == "hidden_number" for c in checks)


def test_agreement_can_drop_the_minority() -> None:
    checks = verify(UNKNOWN, ["7", "7", "7", "8"], VerifySettings(agreement="drop"))
    assert [c.drop for c in checks] == [False, False, False, True]
    assert checks[3].reason == "no_agreement"
