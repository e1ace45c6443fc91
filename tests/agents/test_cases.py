"""Replies as models write them, each with what must become of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from orcamath.agents import ask_me_anything, editor, solver, suggester
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.driver import examine
from orcamath.agents.editor import EditorSettings
from orcamath.agents.solver import Assignment, SolverSettings
from orcamath.agents.suggester import Suggested, SuggesterSettings
from orcamath.ports import Reply
from orcamath.records import Problem, Rejected

CASES = [json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_text(encoding="utf-8").splitlines()]


def made_of(case: dict[str, Any]) -> tuple[Problem, Any]:
    """Return the problem of a case, and what its agent makes of the reply."""
    fields = {k: case[k] for k in ("answer", "answer_kind") if k in case}
    problem = Problem.make(
        case["problem"],
        "seed",
        "cases",
        licence="CC0",
        split="train",
        cluster="c1",
        options=tuple(case.get("options", ())),
        **fields,
    )
    reply = Reply(b"", case["reply"], case.get("finish", "stop"))
    agents: dict[str, tuple[Any, Any]] = {
        "ask_me_anything": (ask_me_anything.make(AskSettings()), problem),
        "suggester": (suggester.make(SuggesterSettings()), problem),
        "editor": (editor.make(EditorSettings()), Suggested(problem, ("Make it harder.",))),
        "solver": (solver.make(SolverSettings()), Assignment(problem)),
    }
    agent, item = agents[case["agent"]]
    return problem, examine(agent, reply, item)


def become_of(case: dict[str, Any]) -> tuple[list[str], list[str], str | None]:
    """Return what is kept, the reasons of what is not, and why the whole reply failed."""
    problem, made = made_of(case)
    if isinstance(made, Rejected):
        assert made.item == problem.id
        return [], [], made.reason
    kept = [m for m in made if not isinstance(m, Rejected)]
    shown = {
        "ask_me_anything": lambda: [p.answer for p in kept],
        "suggester": lambda: [s for suggested in kept for s in suggested.suggestions],
        "editor": lambda: [p.question for p in kept],
        "solver": lambda: [s.final_answer for s in kept],
    }
    return shown[case["agent"]](), [m.reason for m in made if isinstance(m, Rejected)], None


@pytest.mark.parametrize("case", CASES, ids=[f"{c['agent']}: {c['name']}" for c in CASES])
def test_a_reply_becomes_what_it_should(case: dict[str, Any]) -> None:
    kept, rejected, failed = become_of(case)
    assert (kept, rejected, failed) == (case.get("kept", []), case.get("rejected", []), case.get("failed"))


def test_there_are_enough_cases_for_every_agent() -> None:
    assert len(CASES) >= 60
    for agent in ("ask_me_anything", "suggester", "editor", "solver"):
        assert sum(c["agent"] == agent for c in CASES) >= 12


WRITTEN = [c for c in CASES if c["agent"] in ("ask_me_anything", "editor") and c.get("kept")]


@pytest.mark.parametrize("case", WRITTEN, ids=lambda c: c["name"])
def test_what_is_kept_keeps_its_lineage(case: dict[str, Any]) -> None:
    problem, made = made_of(case)
    origin = {"editor": "suggester_editor"}.get(case["agent"], case["agent"])
    kept = [m for m in made if isinstance(m, Problem)]
    assert len(kept) == len(case["kept"])
    assert {(p.parents, p.origin, p.source, p.licence, p.split, p.cluster, p.round) for p in kept} == {
        ((problem.id,), origin, "cases", "CC0", "train", "c1", 1)
    }
