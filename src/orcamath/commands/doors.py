"""Commands that lead out of a run or between runs: export, the list of runs, the difference of two."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from orcamath.commands.costs import planned
from orcamath.errors import OrcamathError, UsageError, nearest
from orcamath.export.push import check_repo, dry_run, push
from orcamath.export.shapes import Stages, last_round
from orcamath.export.student import export_student
from orcamath.export.whole import Exported, default_place, export_form, export_table
from orcamath.ports import Silent
from orcamath.recipe_file import load
from orcamath.recipe_settings import Recipe
from orcamath.report.arms import ArmFolder, arms_of, artifacts_of, own
from orcamath.report.differing import Differing, differing, reads_otherwise
from orcamath.report.fold import students_of
from orcamath.report.measures import percent
from orcamath.report.rows import score_table
from orcamath.report.standing import Standing, standing
from orcamath.store.artifacts import Store
from orcamath.store.history import reached_in
from orcamath.store.stage import StageLabel
from orcamath.text.money import dollars

__all__ = ["Handout", "compared", "export_from", "runs_listed"]


class Handout(NamedTuple):
    """What is to be exported, how, and where to."""

    what: str
    form: str | None = None
    out: Path | None = None
    arm: str | None = None
    number: int | None = None
    replace: bool = False


def export_from(
    run: Path, store: Path, door: Handout, *, push_to: str | None = None, really: bool = False, public: bool = False
) -> str:
    """Write what `door` says, then show what would go to the hub, or send it where `really`. Returns what to print.

    Raises UsageError naming what exists where the run, an arm, a round, a thing or a form is not there.
    """
    if push_to is not None:
        check_repo(push_to, really=really)
        if door.what != "student" and door.form not in (None, "hub"):
            raise UsageError(
                f"only folders go to the hub: `--push` with `--as hub`, or without `--as`, not `{door.form}`"
            )
        if door.what != "student":
            door = door._replace(form="hub")
    form = export_form(door.what, door.form)
    out = door.out or default_place(run.name, door.what, form)
    kept = Store(store)
    arm, stages = _chosen(run, kept, door)
    if door.what == "student":
        done = _student(run.name, kept, arm, stages, door, out)
    else:
        done = export_table(
            stages,
            door.what,
            form,
            out,
            number=door.number,
            title=f"{run.name} {door.what}",
            history=artifacts_of(run, kept),
            replace=door.replace,
        )
    unit = "files of the student" if door.what == "student" else f"{door.what} ({form})"
    of = f" of arm `{arm.name}`" if arm.name else ""
    said = f"wrote {done.n:,} {unit}{of} to {done.path}"
    if push_to is None:
        return said
    kind: Literal["model", "dataset"] = "model" if door.what == "student" else "dataset"
    if not really:
        return said + "\n" + dry_run(done.path, push_to, kind, public=public)
    sent = push(done.path, push_to, kind, public=public)
    return f"{said}\npushed {sent.n_files} files, {sent.n_bytes:,} bytes, to `{sent.repo}`"


_STAGE_OF = {"preferences": "preferences", "attempts": "judge", "student": "learn"}


def _chosen(run: Path, store: Store, door: Handout) -> tuple[ArmFolder, Stages]:
    """Return the arm that is named, or the first that has what is wanted, with its stages by label."""
    arms = list(arms_of(run))
    if door.arm is not None:
        found = [a for a in arms if door.arm in {a.name, a.folder.name}]
        if not found:
            raise UsageError(
                f"run `{run.name}` has no arm `{door.arm}`; {nearest(door.arm, [a.name for a in arms[1:]])}"
            )
        return found[0], dict(own(found[0], store))
    stage = _STAGE_OF.get(door.what)
    having = (a for a in arms if any(StageLabel.read(s["label"]).name == stage for s in a.pointers["stages"]))
    arm = next(having, arms[0]) if stage is not None else arms[0]
    return arm, dict(own(arm, store))


def _student(run: str, store: Store, arm: ArmFolder, stages: Stages, door: Handout, out: Path) -> Exported:
    students = {s["iteration"]: (s["name"], model) for s in arm.pointers["students"] if (model := s["model"])}
    if not students:
        raise UsageError(f"run `{run}` has trained no student yet; run it until `imitate`")
    number = door.number if door.number is not None else max(students)
    if number not in students:
        last_round(stages, "learn", number)  # names those there are
        raise UsageError(f"there is no student of iteration {number}; known: {', '.join(map(str, sorted(students)))}")
    name, model = students[number]
    # of these weights alone: the run's table has what other arms call by this name, and means over seeds
    rows = [r for r in score_table(list(students_of([arm], store))) if r.model == name]
    folder = store.artifacts / model / "model"
    base = str((arm.recipe.get("student") or {}).get("base"))
    return export_student(folder, out, title=f"{run} {name}", base=base, rows=rows, replace=door.replace)


def runs_listed(runs: Path, store: Path, *, as_json: bool) -> str:
    """List the run folders below `runs`, the one that changed last first."""
    found = sorted(standing(runs, Store(store)), key=lambda s: -s.changed)
    if as_json:
        return json.dumps([s.plain() for s in found], indent=1)
    if not found:
        return f"no runs below `{runs}`; start one with `orcamath run`"
    return "\n".join(_line(s) for s in found)


def _line(s: Standing) -> str:
    spent = f"what it spent is not known: {s.doubt}" if s.doubt else f"{dollars(s.spent_usd)} spent"
    if s.trouble:
        return f"{s.name:<24} cannot be read: {s.trouble}; {spent}"
    best = (
        f"best {s.best.name} {percent(s.best.score)} on {s.best.benchmark}"
        if s.best is not None
        else "not measured yet"
    )
    arms = f", {s.n_arms} arms" if s.n_arms else ""
    return f"{s.name:<24} {s.state:<28} {best}; {spent}; {s.n_stages} stages{arms}"


def compared(first: str, second: str, *, runs: Path, store: Path, as_json: bool) -> str:
    """Tell which settings differ between two runs or recipes, what the second has to make anew, and what that costs.

    Raises UsageError where a name is neither a run nor a recipe.
    """
    one, two = _recipe_of(first, runs), _recipe_of(second, runs)
    found = differing(one, two)
    try:
        plan = planned(two, Store(store), Silent())
        found = reads_otherwise(found, _made_by(first, one, found, runs=runs, store=store), plan.artifacts)
        cost = {"low": plan.usd.low, "high": plan.usd.high}
        said = f"`{second}` has still to pay {dollars(plan.usd.low)} to {dollars(plan.usd.high)}"
    except OrcamathError as e:  # files or a hub that are not here: the settings can be compared all the same
        cost, said = None, f"what `{second}` has still to pay cannot be told here: {e}"
    if as_json:
        return json.dumps(
            {"settings": [d._asdict() for d in found.settings], "remade_from": found.remade_from, "usd": cost}, indent=1
        )
    lines = [
        f"{d.key}: {d.first} → {d.second}{'' if d.matters else '   (in itself changes no result)'}"
        for d in found.settings
    ]
    remade = f"made anew from `{found.remade_from}` on" if found.remade_from else "nothing is made anew"
    if found.by_content:
        remade += f" (a file read for it differs in content from that of `{first}`, or this version makes it otherwise)"
    return "\n".join([*(lines or ["no setting differs"]), f"{remade}; {said}"])


def _made_by(name: str, recipe: Recipe, found: Differing, *, runs: Path, store: Path) -> Mapping[str, str]:
    """Return what the stages of a run made, by label; of a recipe, where another path may hold other content, what they would."""
    if (folder := _run_of(name, runs)) is not None:
        return {s["label"]: s["artifact"] for s in (reached_in(folder) or {"stages": []})["stages"]}
    if all(setting.matters for setting in found.settings):
        return {}
    return planned(recipe, Store(store), Silent()).artifacts


def _run_of(name: str, runs: Path) -> Path | None:
    return next((f for f in (Path(name), runs / name) if (f / "recipe.yaml").is_file()), None)


def _recipe_of(name: str, runs: Path) -> Recipe:
    folder = _run_of(name, runs)
    return load(name) if folder is None else load(str(folder / "recipe.yaml"), of_run=True)
