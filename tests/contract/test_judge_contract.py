"""What every judge promises. A judge found by name is covered as it is; one that needs a model gets a scripted one."""

from pathlib import Path

import pytest

from orcamath.families import find, members
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Judge, Request
from orcamath.testing import check_judge
from orcamath.testing.members import COMPARISONS
from scripted import Bench, Scripted, user_text


def teacher(request: Request) -> str:
    """A judge that looks for the reference's last word in the student's answer."""
    text = user_text(request)
    if "<reference>" not in text:
        return f"<answer>{text.rpartition('<student>')[2].removesuffix('</student>').strip()[-40:]}</answer>"
    reference = text.partition("<reference>")[2].partition("</reference>")[0].split()[-1]
    right = reference in text.rpartition("<student>")[2]
    return f"Error Analysis: none.\nFinal Verdict: {'Correct' if right else 'Incorrect'}"


@pytest.fixture(params=members("judge"))
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    made: Judge = find("judge", request.param).make(JudgeSettings(), Bench(tmp_path).model(Scripted(teacher)))
    return made


def test_a_judge_keeps_the_contract(judge: Judge) -> None:
    check_judge(judge)
    assert all(finding.reason for finding in judge(COMPARISONS))  # ours always say why
