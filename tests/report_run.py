"""A run as it lies on disk, made of real records through the real store: what the tests of the report look at."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from orcamath.records import Attempt, Exercise, Lesson, Preference, Problem, Rejected, Response, Scored, Verdict
from orcamath.stages.evaluate import EvaluateFacts
from orcamath.stages.gate import GateFacts
from orcamath.stages.judge import JudgeFacts
from orcamath.stages.practice import PracticeFacts
from orcamath.stages.preferences import PreferFacts
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.facts import Facts
from orcamath.store.run_folder import RunFolder

__all__ = ["make_run", "seal"]

KTO = {
    "practice": {"problems": "fresh", "label": "known_answer"},
    "learn": {"loss": "kto", "beta": 0.1, "nll_weight": 10.0},
}
NLL = {"practice": {"problems": "fresh", "label": "known_answer"}, "learn": {"loss": "nll"}}
ARMS: dict[str, list[dict[str, Any]]] = {
    "KTO + NLL": [KTO, KTO],
    "more SFT": [{"more_sft": {"epochs": 1}}, {"more_sft": {"epochs": 1}}],
    "NLL on right samples": [NLL, NLL],
}
SHARE = {"KTO + NLL": (0.60, 0.68), "more SFT": (0.51, 0.52), "NLL on right samples": (0.55, 0.58)}


def seal(store: Store, stage: str, make: Callable[[Output], object], *inputs: Any) -> Artifact:
    """Seal one stage made by hand; what `make` returns is its facts, where it returns some."""

    def made(out: Output) -> Facts | None:
        return said if isinstance(said := make(out), Facts) else None

    return store.stage(stage, 1, None, list(inputs), made)


def make_run(root: Path, *, n: int = 60, about: str = "A run made by hand.", hostile: str = "") -> tuple[Path, Store]:
    """Write `root/runs/trial` and its store; `hostile` goes wherever a model or a file could have written it."""
    store, folder = Store(root / "store"), root / "runs" / "trial"
    dice = random.Random(5)
    m1 = [dice.random() < 0.5 for _ in range(n)]
    stages, lessons = _taught(store, hostile)
    stages["imitate"] = seal(store, "imitate", _facts(n_tokens=90_000, n_steps=120, final_loss=0.31), lessons)
    stages["evaluate M1"] = _evaluated(store, "M1", m1, stages["imitate"], hostile)
    base = {"name": "trial", "about": about, "iterations": [], "reference": "previous", "match_tokens_of": None}
    students = [_student("M1", 1, stages["imitate"], stages["evaluate M1"], 90_000)]
    _leave(folder, {**base, "variants": {name: {} for name in ARMS}}, stages, students, [("imitate", 30)])
    for arm, steps in ARMS.items():
        recipe = {
            **base,
            "name": arm,
            "iterations": steps,
            "match_tokens_of": "KTO + NLL" if arm == "more SFT" else None,
        }
        _run_arm(store, folder / "arms" / arm.lower().replace(" ", "-"), arm, recipe, stages, students, m1, hostile)
    return folder, store


def _run_arm(
    store: Store,
    folder: Path,
    arm: str,
    recipe: dict[str, Any],
    base: dict[str, Artifact],
    students: Sequence[dict[str, Any]],
    m1: list[bool],
    hostile: str,
) -> None:
    stages, own, trained = dict(base), list(students), base["imitate"]
    plan = []
    for number, share in enumerate(SHARE[arm], start=2):
        if arm == "more SFT":
            label = f"imitate {number}"
            trained = stages[label] = seal(store, "imitate", _facts(n_tokens=60_000, n_steps=80), arm, trained)
        else:
            label = f"learn {number}"
            trained = _practised(store, stages, number, arm, trained)
        plan.append((label, 40))
        right = _moved(m1, share, arm, number)
        scored = stages[f"evaluate M{number}"] = _evaluated(store, f"{arm} M{number}", right, trained, hostile)
        own.append(_student(f"M{number}", number, trained, scored, 90_000 + 60_000 * (number - 1)))
    _leave(folder, recipe, stages, own, plan)


def _taught(store: Store, hostile: str) -> tuple[dict[str, Artifact], Artifact]:
    names = ["Ada", "Ben", "Chen", "Dina", "Eli", "Fay"]
    seeds = [
        Problem.make(
            f"{names[i % 6]} has {i} apples and buys {i + 2} more. How many?",
            "seed",
            "classroom",
            licence="CC0-1.0" if i % 3 else "MIT",
            answer=str(2 * i + 2),
            answer_from="gold",
        )
        for i in range(24)
    ]
    asked = [
        p.model_copy(update={"id": f"ask{i}", "origin": "ask_me_anything", "round": 1}) for i, p in enumerate(seeds)
    ]
    edited = [p.model_copy(update={"id": f"edit{i}", "origin": "suggester_editor"}) for i, p in enumerate(seeds[:10])]
    lessons = [
        Lesson.make(p, f"Add them.\n#### {p.answer}", p.answer, "teacher") for p in [*seeds, *asked[:18], *edited[:7]]
    ]
    stages = {"benchmarks": seal(store, "benchmarks", _problems([], licences={"classroom": {"CC0-1.0": 60}}))}
    stages["seeds"] = seal(store, "seeds", _problems(seeds))
    stages["ask"] = seal(
        store, "ask", _problems(asked, [Rejected(item="x", reason="no_question", text=hostile or "Six apples.")])
    )
    long = "Ada has seven baskets. " * 60
    stages["edit"] = seal(
        store,
        "edit",
        _problems(
            edited,
            [
                Rejected(item="y", reason="numbers_lost", detail="7, 12", text=hostile or long),
                Rejected(item="z", reason="numbers_lost", detail="3", text="Ben ran for a while. How far?"),
            ],
            failed=[Rejected(item="w", reason="empty_reply")],
        ),
    )
    repeat = Rejected(item="ask1", reason="duplicate_text", text=seeds[1].question, repeats=seeds[0].id)
    stages["collect"] = seal(store, "collect", _problems([*seeds, *asked, *edited][:-1], [repeat]))
    stages["teach"] = seal(store, "teach", _lessons(lessons, [], verified={"gold": 24, "unverified": 25}))
    stages["gate"] = seal(store, "gate", _gated(lessons[2:], hostile))
    return stages, stages["gate"]


def _problems(
    kept: Sequence[Problem], rejected: Sequence[Rejected] = (), failed: Sequence[Rejected] = (), **facts: Any
) -> Callable[[Output], Facts]:
    def make(out: Output) -> Facts:
        out.write("problems", kept)
        _book(out, len(kept), rejected, failed)
        return Facts.of(facts)

    return make


def _lessons(kept: Sequence[Lesson], rejected: Sequence[Rejected], **facts: Any) -> Callable[[Output], Facts]:
    def make(out: Output) -> Facts:
        out.write("lessons", kept)
        _book(out, len(kept), rejected)
        return Facts.of(facts)

    return make


def _book(out: Output, kept: int, rejected: Sequence[Rejected], failed: Sequence[Rejected] = ()) -> None:
    out.balance.asked = out.balance.parsed = kept
    out.keep(kept)
    for r in rejected:
        out.reject(r)
    for r in failed:
        out.reject(r, of_call=True)


def _gated(lessons: Sequence[Lesson], hostile: str) -> Callable[[Output], Facts]:
    none = {"1": {"ge": 7, "gt": 6}, "2": {"ge": 1, "gt": 0}, "3": {"ge": 0, "gt": 0}}
    words = [["Ada has", False], [hostile or " seven apples", True], [" today.", False]]

    def make(out: Output) -> Facts:
        _lessons(lessons, [Rejected(item=f"h{i}", reason="held_out_structure", text="Ada planted.") for i in range(2)])(
            out
        )
        return GateFacts.of(
            {
                "policy": "report",
                "threshold": 0.5,
                "stop_words": "NLTK's 179",
                "n_training": 49,
                "n_tests": 60,
                "flagged": none,
                "by_origin": {"seed": none, "all": none},
                "by_benchmark": {"classroom": none},
                "looks": {"paper": {"tests": 7, "rows": 21}, "masked": {"tests": 3, "rows": 4}},
                "screened": {"held_out_structure": 2},
                "colliding_rows": 21,
                "pairs": [
                    {
                        "id": "a",
                        "origin": "seed",
                        "test_id": "b",
                        "benchmark": "classroom",
                        "scores": {"paper": 0.71},
                        "texts": {"training": words, "test": words},
                    }
                ],
            }
        )

    return make


def _facts(**facts: Any) -> Callable[[Output], Facts]:
    return lambda _: Facts.of(facts)


def _practised(store: Store, stages: dict[str, Artifact], number: int, arm: str, student: Artifact) -> Artifact:
    exercise = Exercise(problem_id="p", question="6 + 7?", reference="13", label="known_answer")
    tries = [
        Attempt.make("p", d, f"#### {12 + d % 2}", "student", token_ids=None, finish_reason="stop") for d in range(4)
    ]

    def practice(out: Output) -> Facts:
        out.write("exercises", [exercise])
        out.write("attempts", tries)
        return PracticeFacts(n_sampled_tokens=4_000 * number)

    def judged(out: Output) -> Facts:
        said = [Verdict(attempt_id=t.id, problem_id="p", outcome="agrees", by="rules") for t in tries]
        out.write("verdicts", said)
        return JudgeFacts(
            outcomes={"agrees": 1700 + 90 * number, "disagrees": 2100 - 90 * number, "unjudged": 12},
            reasons={"equal_numbers": 1700, "": 4},
            by={"rules": 3812},
            model_calls=0,
        )

    def preferred(out: Output) -> Facts:
        answer = Response(text="#### 13", origin="sample")
        out.write("preferences", [Preference(problem_id="p", question="6 + 7?", positives=(answer,), negatives=())])
        return PreferFacts(
            n_problems=953,
            all_agree=301,
            mixed=402,
            none_agree=250,
            positives=1100,
            negatives=1400,
            synthetic_negatives=1204,
            pairs=3000,
            pairs_possible=5210,
            teacher_doubted=3,
        )

    key = f"practice {number}"
    stages[key] = seal(store, "practice", practice, student)
    stages[f"judge {number}"] = seal(store, "judge", judged, stages[key])
    stages[f"preferences {number}"] = seal(store, "preferences", preferred, stages[f"judge {number}"])
    told = _facts(n_tokens=60_000, n_steps=40, loss="kto", warnings=["chosen_logp_fell"] if number == 3 else [])

    def learnt(out: Output) -> Facts:
        _book(out, 900, [Rejected(item="0f1e2d", reason="no_right_answer")])
        return told(out)

    stages[f"learn {number}"] = seal(store, "learn", learnt, arm, stages[f"preferences {number}"])
    return stages[f"learn {number}"]


def _moved(first: Sequence[bool], share: float, *seed: object) -> list[bool]:
    """Change a part of the outcomes towards a share, both ways as real students do."""
    dice = random.Random(str(seed))
    return [
        dice.random() < share if dice.random() < 0.3 else was or dice.random() < (share - 0.5) * 0.8 for was in first
    ]


def _evaluated(store: Store, name: str, right: Sequence[bool], model: Artifact, hostile: str) -> Artifact:
    def make(out: Output) -> Facts:
        out.write(
            "scored",
            (
                Scored(
                    problem_id=f"t{i}",
                    benchmark="classroom",
                    draw=0,
                    text=hostile or "#### 3",
                    final_answer="3",
                    gold="3",
                    outcome="agrees" if r else "unjudged" if i % 29 == 0 else "disagrees",
                    by="rules",
                    finish_reason="length" if i % 31 == 0 else "stop",
                    n_tokens=9,
                )
                for i, r in enumerate(right)
            ),
        )
        share = sum(right) / len(right)
        judged = {"score": share, "low": share - 0.03, "high": share + 0.03}
        besides = {
            "strict": judged,
            "flexible": judged,
            "truncated": 0.012,
            "tokens_per_answer": 41.25,
            "calls_per_answer": 1,
        }
        return EvaluateFacts.of({"benchmarks": {"classroom": {**judged, "n": len(right), **besides}}})

    return seal(store, "evaluate", make, name, model)


def _student(name: str, iteration: int, model: Artifact, scored: Artifact, tokens: int) -> dict[str, Any]:
    return {
        "name": name,
        "iteration": iteration,
        "model": model.path.name,
        "scored": scored.path.name,
        "trained_tokens": tokens,
    }


def _leave(
    folder: Path,
    recipe: dict[str, Any],
    stages: dict[str, Artifact],
    students: Sequence[dict[str, Any]],
    plan: Sequence[tuple[str, int]],
) -> None:
    """Write what a run leaves in its folder. Seconds are made up, so that the same call leaves the same files."""
    with RunFolder(folder) as run:
        pointers = [
            {"label": label, "artifact": a.path.name, "seconds": 0.5 + 3.0 * i, "reused": False}
            for i, (label, a) in enumerate(stages.items())
        ]
        run.write_json("stages.json", {"stages": pointers, "students": list(students)})
        for label, steps in plan:
            for step in range(steps):
                run.metric(stage=list(stages).index(label), **_numbers(step, steps, "learn" in label))
        with (folder / "recipe.yaml").open("w", encoding="utf-8") as f:
            YAML().dump(recipe, f)


def _numbers(step: int, steps: int, preferring: bool) -> dict[str, Any]:
    done = (step + 1) / steps
    wobble = 0.04 * ((step * 7919) % 13 - 6) / 6
    numbers = {
        "step": step,
        "loss": 1.4 - done + wobble,
        "grad_norm": 1 + wobble,
        "learning_rate": 1e-3 * (1 - done),
        "z0": 0.0,
    }
    if preferring:
        numbers |= {
            "z0": 0.2 * done,
            "off_topic_share": 0.3 + wobble,
            "logp_chosen": -20 + 6 * done + wobble,
            "logp_rejected": -24 - 9 * done + wobble,
            "reward_chosen": 0.6 * done,
            "reward_rejected": -0.9 * done,
            "margin": 1.5 * done + wobble,
        }
    return numbers
