"""How far labels can be trusted: what real writers wrote, solved k times by real solvers, held against what a reader says.

    python benchmarks/labels.py write --out DIR --model NAME --base-url URL --size small [--first 0 --seeds 40]
    python benchmarks/labels.py solve --out DIR --model NAME --base-url URL --solutions 4 [--solution-tokens 220]
    python benchmarks/labels.py score --out DIR --marks MARKS.jsonl

`write` runs Ask-Me-Anything and Suggester & Editor on GSM8K train seeds, `first` to `first + seeds` in hashed order, from the
folder that ORCAMATH_TEST_DATA names, and writes DIR/results-NAME.jsonl: one kept problem a line, with its seed. `solve` adds
DIR/answers-NAME.jsonl. Marks are written by a reader: {"id": …, "truth": "48" or null where the problem has no single
answer, "harder": true or false where it is an edit}. The same command goes on where it was broken off.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from figures import report
from orcamath.agents import solver as solvers
from orcamath.agents.driver import fill, fold_replies
from orcamath.agents.solver import Assignment, SolverSettings
from orcamath.answers import same
from orcamath.backends import openai_compatible
from orcamath.intervals import wilson
from orcamath.ports import Silent
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem
from orcamath.settings import ModelSettings
from orcamath.stages.ask import ask
from orcamath.stages.edit import edit
from orcamath.store.artifacts import Output, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.verify import VerifySettings, verify
from real_agents import gsm8k

SHORT = {
    "ask_me_anything": {
        "max_new_tokens": 700,
        "statement": {"max_new_tokens": 80},
        "question": {"max_new_tokens": 50},
        "questions": {"max_new_tokens": 500},
    },
    "suggester_editor": {
        "rounds": 1,
        "suggester": {"max_new_tokens": 100},
        "editor": {"max_new_tokens": 160},
    },
}
"""What the agents' replies come to on a machine without a GPU."""


def opened(args: argparse.Namespace) -> Remembered:
    """Open the model that is served, with the folder's own memory."""
    wire = {"concurrency": args.concurrency, "timeout_s": 3600.0, "api_key_env": None}
    settings = ModelSettings.model_validate({"model": args.model, "base_url": args.base_url, **wire})
    return Remembered(openai_compatible.open_chat(settings), Ledger(args.out / "ledger"))


def write(args: argparse.Namespace) -> dict[str, Any]:
    """Run the agents and write down what they keep."""
    recipe = Recipe.model_validate({"name": "labels", "writer_size": args.size, **SHORT})
    store, chat = Store(args.out), opened(args)
    part = {s.id: s for s in islice(gsm8k(args.first + args.seeds), args.first, None)}

    def seeds(out: Output) -> None:
        out.write("problems", part.values())

    source = store.stage("seeds", 1, None, [str(sorted(part))], seeds)
    asking, editing = recipe.ask_me_anything, recipe.suggester_editor
    assert asking is not None
    assert editing is not None
    asked = store.stage("ask", 4, asking, [source, chat, *asking.contents()], lambda o: ask(o, asking, source, chat))
    edited = store.stage(
        "edit", 3, editing, [source, chat, *editing.contents()], lambda o: edit(o, editing, source, chat)
    )
    kept = [p for made in (asked, edited) for p in made.read(Problem)]
    with (args.out / f"results-{args.model}-{args.size}-{args.first}.jsonl").open("w", encoding="utf-8") as file:
        for problem in kept:
            seed = part[problem.parents[0]]
            row = {"writer": f"{args.model} {args.size}", "seed": seed.question, "seed_answer": seed.answer}
            file.write(json.dumps(row | problem.model_dump(mode="json"), ensure_ascii=False) + "\n")
    rejected = {m.stage: {**m.balance["rejected"], **m.facts["failed_calls"]} for m in (asked, edited)}
    return {"seeds": len(part), "kept": {m.stage: m.count("problems") for m in (asked, edited)}, "not kept": rejected}


def results(folder: Path) -> dict[str, tuple[str, Problem]]:
    """Return what was kept, by id: who wrote it, and the problem. A problem that two writers wrote counts for the first."""
    found: dict[str, tuple[str, Problem]] = {}
    for path in sorted(folder.glob("results-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            writer = row.pop("writer")
            problem = Problem.of({k: v for k, v in row.items() if k in Problem.model_fields})
            found.setdefault(problem.id, (writer, problem))
    return found


def solve(args: argparse.Namespace) -> dict[str, Any]:
    """Solve what was kept, one more solution of each problem after the other, and write down the answers."""
    problems = [problem for _, problem in results(args.out).values()]
    settings = SolverSettings(temperature=0.7, top_p=0.95, max_new_tokens=args.solution_tokens)
    agent, chat, n = solvers.make(settings), opened(args), args.solutions
    answers: dict[str, list[str | None]] = {p.id: [None] * n for p in problems}

    def posed() -> Iterator[Assignment]:
        return (Assignment(p, draw, n) for draw in range(n) for p in problems)

    fill(agent, posed, chat, Silent())
    for item, solution in fold_replies(agent, posed, chat, None):
        answers[item.id][item.draw] = solution.final_answer
    with (args.out / f"answers-{args.model}.jsonl").open("w", encoding="utf-8") as file:
        for name, found in answers.items():
            file.write(json.dumps({"id": name, "answers": found}) + "\n")
    return {"problems": len(problems), "read": sum(a is not None for found in answers.values() for a in found)}


def label(problem: Problem, answers: list[str]) -> str | None:
    """Return the answer that k solutions verify; None where they verify none."""
    checks = verify(problem, answers, VerifySettings())
    found = (a for a, check in zip(answers, checks, strict=True) if check.verified != "unverified")
    return next(found, None)


def score(args: argparse.Namespace) -> dict[str, Any]:
    """Hold what is verified against the marks: its precision and the share that is kept, for each solver and k."""
    marks = {row["id"]: row for row in map(json.loads, args.marks.read_text(encoding="utf-8").splitlines())}
    kept = {name: found for name, found in results(args.out).items() if name in marks}
    figures: dict[str, Any] = {"marked": len(kept), "writers": _writers(kept, marks), "verified": {}}
    for path in sorted(args.out.glob("answers-*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        solver = path.stem.removeprefix("answers-")
        most = max((len(row["answers"]) for row in rows), default=0)
        for origin in ("ask_me_anything", "suggester_editor"):
            some = [row for row in rows if row["id"] in kept and kept[row["id"]][1].origin == origin]
            for k in range(1, most + 1) if some else ():
                labels = [(row["id"], label(kept[row["id"]][1], [a for a in row["answers"][:k] if a])) for row in some]
                said = [(name, found) for name, found in labels if found is not None]
                right = sum(_right(kept[name][1], found, marks[name]["truth"]) for name, found in said)
                figures["verified"][f"{origin}, {solver}, k = {k}"] = {
                    "kept": _share(len(said), len(labels)),
                    "precision": _share(right, len(said)),
                }
    return figures


def _right(problem: Problem, found: str, truth: str | None) -> bool:
    return truth is not None and same("number", found, truth, problem.question, ()) is True


def _share(n: int, of: int) -> str:
    if not of:
        return "0 of 0"
    found = wilson(n, of)
    return f"{n} of {of}: {100 * found.point:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _writers(kept: dict[str, tuple[str, Problem]], marks: dict[str, Any]) -> dict[str, Any]:
    """Count, for each writer and agent, what is well-posed, what has the right label, and what is harder than before."""
    groups: dict[str, list[tuple[Problem, dict[str, Any]]]] = defaultdict(list)
    for name, (writer, problem) in kept.items():
        groups[f"{writer}, {problem.origin}"].append((problem, marks[name]))
    return {
        group: {
            "well-posed": _share(sum(mark["truth"] is not None for _, mark in rows), len(rows)),
            "known answer right": _share(
                sum(_right(p, p.answer, mark["truth"]) for p, mark in rows if p.answer is not None),
                sum(p.answer is not None for p, _ in rows),
            ),
            "well-posed and harder": _share(
                sum(mark["truth"] is not None and bool(mark.get("harder")) for _, mark in rows), len(rows)
            ),
        }
        for group, rows in sorted(groups.items())
    }


def options(parser: argparse.ArgumentParser) -> None:
    """What is done, with which model, and how much."""
    parser.add_argument("step", choices=["write", "solve", "score"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--base-url")
    parser.add_argument("--size", choices=["small", "medium", "large"], default="small")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--solutions", type=int, default=4)
    parser.add_argument("--solution-tokens", type=int, default=220)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--marks", type=Path)


if __name__ == "__main__":
    report(__doc__, options, lambda args: {"write": write, "solve": solve, "score": score}[args.step](args))
