"""How far labels can be trusted: what real writers wrote, solved k times by real solvers, held against what a reader says.

    python benchmarks/labels.py write --out DIR --model NAME --base-url URL --size small [--first 0 --seeds 40 --agents ask]
    python benchmarks/labels.py solve --out DIR --model NAME --base-url URL --solutions 4 [--solution-tokens 220]
    python benchmarks/labels.py score --out DIR --marks MARKS.jsonl

Without --base-url the model is a folder or a GGUF file, and runs in this process: what prompts begin with is run once then.

`write` runs Ask-Me-Anything and Suggester & Editor on GSM8K train seeds, `first` to `first + seeds` in hashed order, from the
folder that ORCAMATH_TEST_DATA names, and writes DIR/results-….jsonl: one problem a line, with its seed; those that a rule
rejected as well, with the rule. Seeds 0 to 199 are to develop on, and so are 200 to 333, which have been read; later ones are
for the next measurement. `solve` adds DIR/answers-NAME.jsonl. Marks are written by a reader: {"id": …, "truth": "48" or null
where the problem has no single answer, "harder": true or false where it is an edit}. The same command goes on where it was
broken off.

A rule earns its place where few of those that it rejects are good, and solvers would have confirmed the others' labels.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from figures import report
from orcamath.agents import solver as solvers
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.driver import examine, fill, fold_replies
from orcamath.agents.small_writer.ask_each import Asker, Teller, targets
from orcamath.agents.solver import Assignment, SolverSettings
from orcamath.answers import same
from orcamath.intervals import wilson
from orcamath.ports import Silent
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem, Rejected
from orcamath.stages.ask import ask
from orcamath.stages.edit import edit
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.verify import VerifySettings, verify
from real_agents import elsewhere, here, seeds_of
from sealing import sealed

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
    """Open the model, here or where it is served, with the folder's own memory."""
    at_once = args.concurrency
    chat = elsewhere(args.model, args.base_url, at_once) if args.base_url else here(args.model, at_once, "float32")
    return Remembered(chat, Ledger(args.out / "ledger"))


def _called(args: argparse.Namespace) -> str:
    return args.model if args.base_url else Path(args.model).stem


def write(args: argparse.Namespace) -> dict[str, Any]:
    """Run the agents and write down what they keep."""
    recipe = Recipe.model_validate({"name": "labels", "writer_size": args.size, **SHORT})
    store, chat = Store(args.out), opened(args)
    part = {s.id: s for s in islice(seeds_of(args.first + args.seeds), args.first, None)}
    source = sealed(store, "seeds", [str(sorted(part))], problems=part.values())
    asking, editing = recipe.ask_me_anything, recipe.suggester_editor
    assert asking is not None
    assert editing is not None
    made: dict[str, Artifact] = {}
    found: list[tuple[str | None, Problem]] = []
    if "ask" in args.agents:
        inputs = [source, chat, *asking.contents()]
        made["ask"] = store.stage("ask", ask.version, asking, inputs, lambda o: ask(o, asking, source, chat))
        found += mismatched(asking, list(part.values()), chat) if asking.calls == "each" else []
    if "edit" in args.agents:
        inputs = [source, chat, *editing.contents()]
        made["edit"] = store.stage("edit", edit.version, editing, inputs, lambda o: edit(o, editing, source, chat))
        found += edits_rejected(made["edit"], part)
    found = [(None, p) for m in made.values() for p in m.read(Problem)] + found
    name = f"results-{_called(args)}-{args.size}-{'-'.join(args.agents)}-{args.first}.jsonl"
    with (args.out / name).open("w", encoding="utf-8") as file:
        for rule, problem in found:
            seed = part[problem.parents[0]]
            row = {
                "writer": f"{_called(args)} {args.size}",
                "rule": rule,
                "seed": seed.question,
                "seed_answer": seed.answer,
            }
            file.write(json.dumps(row | problem.model_dump(mode="json"), ensure_ascii=False) + "\n")
    rejected = {name: {**m.balance["rejected"], **m.facts["failed_calls"]} for name, m in made.items()}
    return {"seeds": len(part), "kept": {k: m.count("problems") for k, m in made.items()}, "not kept": rejected}


def mismatched(asking: AskSettings, seeds: list[Problem], chat: Remembered) -> Iterator[tuple[str, Problem]]:
    """Yield what the rules of small steps rejected, with the rule: the problem that it would have been."""
    teller = Teller(asking.statement, asking.statement.loaded())
    asker = Asker(asking.question, asking.question.loaded())
    for _, told in fold_replies(teller, lambda: seeds, chat, None, tries=asking.statement.tries, final=False):
        for target in (t for t in targets(told) if t.story is not None):
            for draw in range(asking.question.tries):
                reply = chat.reply(asker.request(target, draw))
                made = None if reply is None else examine(asker, reply, target)
                if not isinstance(made, Rejected):
                    break
                problem = asker.posed(made.text, target)
                if made.reason == "asks_something_else" and isinstance(problem, Problem):
                    yield made.detail.partition(":")[0], problem


def edits_rejected(made: Artifact, part: dict[str, Problem]) -> Iterator[tuple[str, Problem]]:
    """Yield what the editor wrote and a rule rejected, with the rule."""
    for rejected in made.read(Rejected):
        seed = part.get(rejected.item)
        if seed is not None and rejected.text and rejected.reason not in ("wrong_format", "refused", "cut_off"):
            yield (
                rejected.reason,
                Problem.make(rejected.text, "suggester_editor", seed.source, parents=(seed.id,), round=1),
            )


class Result(NamedTuple):
    """What a writer wrote."""

    writer: str
    rule: str | None
    """By which it was rejected; None where it was kept."""
    problem: Problem


def results(folder: Path) -> dict[str, Result]:
    """Return what was written, by id. A problem that two writers wrote, or that was kept another time, counts once."""
    found: dict[str, Result] = {}
    for path in sorted(folder.glob("results-*.jsonl")):
        for row in _rows(path):
            problem = Problem.of({k: v for k, v in row.items() if k in Problem.model_fields})
            new = Result(row["writer"], row["rule"], problem)
            if problem.id not in found or (found[problem.id].rule and not new.rule):
                found[problem.id] = new
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def solve(args: argparse.Namespace) -> dict[str, Any]:
    """Solve what was kept, one more solution of each problem after the other, and write down the answers.

    What an earlier call found of problems that are not solved this time stays in the file.
    """
    problems = [r.problem for r in results(args.out).values() if args.rejected or r.rule is None]
    settings = SolverSettings(temperature=0.7, top_p=0.95, max_new_tokens=args.solution_tokens)
    agent, chat, n = solvers.make(settings), opened(args), args.solutions
    answers: dict[str, list[str | None]] = {p.id: [None] * n for p in problems}

    def posed() -> Iterator[Assignment]:
        return (Assignment(p, draw, n) for draw in range(n) for p in problems)

    fill(agent, posed, chat, Silent())
    for item, solution in fold_replies(agent, posed, chat, None):
        answers[item.id][item.draw] = solution.final_answer
    path = args.out / f"answers-{_called(args)}.jsonl"
    before = {row["id"]: row["answers"] for row in _rows(path)} if path.exists() else {}
    with path.open("w", encoding="utf-8") as file:
        for name, found in (before | answers).items():
            file.write(json.dumps({"id": name, "answers": found}) + "\n")
    return {"problems": len(problems), "read": sum(a is not None for found in answers.values() for a in found)}


def label(problem: Problem, answers: list[str]) -> str | None:
    """Return the answer that k solutions verify; None where they verify none."""
    checks = verify(problem, answers, VerifySettings())
    found = (a for a, check in zip(answers, checks, strict=True) if check.verified != "unverified")
    return next(found, None)


def score(args: argparse.Namespace) -> dict[str, Any]:
    """Hold what is verified against the marks: its precision and the share that is kept, for each solver and k."""
    marks = {row["id"]: row for row in _rows(args.marks)}
    marked = {name: r for name, r in results(args.out).items() if name in marks}
    kept = {name: r for name, r in marked.items() if r.rule is None}
    verified: dict[str, Any] = {}
    confirmed: dict[str, bool] = {}
    for path in sorted(args.out.glob("answers-*.jsonl")):
        solver = path.stem.removeprefix("answers-")
        answers = {row["id"]: row["answers"] for row in _rows(path) if row["id"] in marked}
        for origin in ("ask_me_anything", "suggester_editor"):
            some = [name for name in answers if name in kept and kept[name].problem.origin == origin]
            for k in range(1, max((len(answers[name]) for name in some), default=0) + 1):
                labels = {name: label(kept[name].problem, [a for a in answers[name][:k] if a]) for name in some}
                said = {name: found for name, found in labels.items() if found is not None}
                right = sum(_right(kept[name].problem, found, marks[name]["truth"]) for name, found in said.items())
                verified[f"{origin}, {solver}, k = {k}"] = {
                    "kept": _share(len(said), len(labels)),
                    "precision": _share(right, len(said)),
                }
        for name, found in answers.items():
            confirms = label(marked[name].problem, [a for a in found if a]) is not None
            confirmed[name] = confirmed.get(name, False) or confirms
    return {
        "marked": len(kept),
        "writers": _writers(kept, marks),
        "verified": verified,
        "rules": _rules({name: r for name, r in marked.items() if r.rule}, marks, confirmed),
    }


def _right(problem: Problem, found: str, truth: str | None) -> bool:
    return truth is not None and same("number", found, truth, problem.question, ()) is True


def _good(problem: Problem, mark: dict[str, Any]) -> bool:
    """Tell whether a reader would have kept it: the known answer is right, or the edit is well-posed and harder."""
    if problem.answer is not None:
        return _right(problem, problem.answer, mark["truth"])
    return mark["truth"] is not None and bool(mark.get("harder"))


def _share(n: int, of: int) -> str:
    if not of:
        return "0 of 0"
    found = wilson(n, of)
    return f"{n} of {of}: {100 * found.point:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _writers(kept: dict[str, Result], marks: dict[str, Any]) -> dict[str, Any]:
    """Count, for each writer and agent, what is well-posed, and what is good: the right label, or harder than before."""
    groups: dict[str, list[tuple[Problem, dict[str, Any]]]] = defaultdict(list)
    for name, (writer, _, problem) in kept.items():
        groups[f"{writer}, {problem.origin}"].append((problem, marks[name]))
    return {
        group: {
            "well-posed": _share(sum(mark["truth"] is not None for _, mark in rows), len(rows)),
            "known answer right, or well-posed and harder": _share(sum(_good(*row) for row in rows), len(rows)),
        }
        for group, rows in sorted(groups.items())
    }


def _rules(
    rejected: dict[str, Result], marks: dict[str, Any], confirmed: dict[str, bool]
) -> dict[str, dict[str, object]]:
    """Count, for each rule, how much of what it rejected is good, and how much of the rest solvers confirm, if they were asked.

    `confirmed`: whether any solver confirms a label, for the problems that solvers were given.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name, result in rejected.items():
        groups[f"{result.problem.origin}, {result.rule}"].append(name)
    table = {}
    for rule, names in sorted(groups.items()):
        bad = [name for name in names if not _good(rejected[name].problem, marks[name])]
        table[rule] = {
            "good": _share(len(names) - len(bad), len(names)),
            "bad, and confirmed by a solver": _share(
                sum(confirmed[name] for name in bad if name in confirmed), sum(name in confirmed for name in bad)
            ),
        }
    return table


def options(parser: argparse.ArgumentParser) -> None:
    """What is done, with which model, and how much."""
    parser.add_argument("step", choices=["write", "solve", "score"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--base-url")
    parser.add_argument("--size", choices=["small", "medium", "large"], default="small")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--agents", nargs="+", choices=["ask", "edit"], default=["ask", "edit"])
    parser.add_argument("--rejected", action="store_true", help="solve what a rule rejected as well")
    parser.add_argument("--solutions", type=int, default=4)
    parser.add_argument("--solution-tokens", type=int, default=220)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--marks", type=Path)


if __name__ == "__main__":
    report(__doc__, options, lambda args: {"write": write, "solve": solve, "score": score}[args.step](args))
