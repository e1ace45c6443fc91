"""Verbs on runs: make one, plan it, look at it, compare it, clean up after it."""

from typing import Annotated, Literal

import typer

from orcamath.commands.ending import interruptible
from orcamath.verbs.arguments import (
    RUNS,
    STORE,
    JsonOpt,
    RecipeArg,
    RunArg,
    RunsOpt,
    SetOpt,
    StoreOpt,
    folder_of,
    runs_here,
)

__all__ = ["app"]

app = typer.Typer()


@app.command()
def run(
    recipe: RecipeArg,
    name: Annotated[str | None, typer.Option(help="Name of the run folder; the recipe's name where left out.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this stage, for example teach or `practice 2`.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only this many seeds.")] = None,
    overrides: SetOpt = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a run that holds the folder.")] = False,
    pay_again: Annotated[
        bool, typer.Option("--pay-again", help="Do not ask before a changed recipe pays again for over 5 % of the cap.")
    ] = False,
    new_book: Annotated[
        bool, typer.Option("--new-book", help="Begin to count at nothing where a run that has a cap has lost its book.")
    ] = False,
    same_model: Annotated[
        bool,
        typer.Option("--same-model", help="A server that says other things than before, or is new, is the same model."),
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Hand in batches and end with code 4; the same command later collects them."),
    ] = False,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="The lessons were read: go on where `review: pause` stopped the run.")
    ] = False,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Who makes the model calls: this machine, or a Ray cluster's (extra `ray`)."),
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="The cluster's, such as auto or HOST:6379; one is begun here where left out.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Actors a model; as many as the cluster has GPUs, or else CPUs, where left out."),
    ] = None,
    wait_workers: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds in which the first actor of a model must find a place: 120 where left out."),
    ] = None,
    store: StoreOpt = STORE,
    runs: RunsOpt = RUNS,
) -> None:
    """Run a recipe from the top. What is sealed is reused, so running again is resuming."""
    from orcamath.cluster.settings import EngineSettings
    from orcamath.commands.asked import RunAsked
    from orcamath.commands.runs import run_in_folder
    from orcamath.errors import UsageError

    of_cluster = (address, workers, wait_workers)
    if engine == "local" and any(given is not None for given in of_cluster):
        raise UsageError("`--address`, `--workers` and `--wait-workers` are of a cluster: add `--engine ray`")

    asked = RunAsked(
        runs,
        store,
        name,
        until,
        limit,
        wait=wait,
        pay_again=pay_again,
        new_book=new_book,
        same_model=same_model,
        reviewed=reviewed,
        cluster=EngineSettings(address, workers, wait_workers or 120.0) if engine == "ray" else None,
    )
    with interruptible():
        run_in_folder(recipe, asked, overrides or [], detach=detach)


@app.command()
def plan(
    recipe: RecipeArg,
    overrides: SetOpt = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only this many seeds.")] = None,
    tflops: Annotated[float, typer.Option(min=0.001, help="Your GPU's peak in 16 bits: A100 312, H100 989.")] = 312.0,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
    json: JsonOpt = False,
) -> None:
    """Say what a recipe will take before it is paid: calls, tokens, dollars, hours and disk; memory and GPU hours."""
    from orcamath.commands.costs import plan_of

    typer.echo(
        plan_of(recipe, overrides=overrides or [], limit=limit, runs=runs, store=store, tflops=tflops, as_json=json)
    )


@app.command()
def status(run: RunArg, runs: RunsOpt = RUNS, store: StoreOpt = STORE, json: JsonOpt = False) -> None:
    """Tell how a run stands: running, or stopped and why, what is under way and next, what it spent, every arm."""
    from orcamath.commands.reporting import status_of

    typer.echo(status_of(folder_of(run, runs), store, as_json=json))


@app.command()
def report(run: RunArg, runs: RunsOpt = RUNS, store: StoreOpt = STORE, json: JsonOpt = False) -> None:
    """Fold a run's results again: tables here, and report.html in its folder."""
    from orcamath.commands.reporting import report_on

    report_on(folder_of(run, runs), store, as_json=json)


@app.command()
def view(
    run: Annotated[
        str | None,
        typer.Argument(help="Name of a run, or its folder; the newest where left out.", autocompletion=runs_here),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Look at a run, finished or at work, in a browser on this machine: every record, its story, comparisons, doubts."""
    from orcamath.commands.viewing import view_run

    with interruptible("the viewer is closed"):
        view_run(folder_of(run, runs) if run else None, runs, store, port=port, browser=not no_browser)


@app.command()
def review(
    run: RunArg,
    bad: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Mark a lesson, or a problem and all its lessons, as bad.")
    ] = None,
    good: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Mark one as good, also where it was bad.")
    ] = None,
    note: Annotated[str, typer.Option(help="Why, kept with the marks.")] = "",
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
    json: JsonOpt = False,
) -> None:
    """Read lessons, doubts and rejects before they are trained on, or mark them: what is bad, the next `run` leaves out."""
    from orcamath.commands.reviewing import lessons_marked, lessons_shown

    folder = folder_of(run, runs)
    if bad or good:
        typer.echo(lessons_marked(folder, store, bad=bad or [], good=good or [], note=note))
    else:
        typer.echo(lessons_shown(folder, store, as_json=json))


@app.command()
def show(
    record: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a problem, lesson or attempt, or the start of one.")
    ],
    run: Annotated[
        str | None, typer.Option(help="The run to look in; the newest where left out.", autocompletion=runs_here)
    ] = None,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
    full: Annotated[bool, typer.Option("--full", help="Do not cut texts short.")] = False,
    json: JsonOpt = False,
) -> None:
    """Show a problem's ancestry and all that came of it."""
    from orcamath.commands.reporting import ancestry_of
    from orcamath.commands.viewing import newest

    folder = folder_of(run, runs) if run is not None else newest(runs)
    typer.echo(ancestry_of(record, folder, store, full=full, as_json=json))


@app.command("runs")
def list_runs(runs: RunsOpt = RUNS, store: StoreOpt = STORE, json: JsonOpt = False) -> None:
    """List the runs there are: how far each is, its best score, what it spent."""
    from orcamath.commands.doors import runs_listed

    typer.echo(runs_listed(runs, store, as_json=json))


@app.command()
def diff(
    run_a: Annotated[str, typer.Argument(help="A run, or a recipe (file or shipped name).")],
    run_b: Annotated[str, typer.Argument(help="Another run or recipe.")],
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
    json: JsonOpt = False,
) -> None:
    """Compare two runs or recipes: which settings differ, which stages RUN_B has to make anew, at what cost."""
    from orcamath.commands.doors import compared

    typer.echo(compared(run_a, run_b, runs=runs, store=store, as_json=json))


@app.command()
def gc(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go, with sizes.")] = False,
    superseded: Annotated[
        bool, typer.Option("--superseded", help="Drop results of stages, students too, that no run names any more.")
    ] = False,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Drop samples of students that no run's history names, and what killed processes left. Teachers' replies always stay."""
    from orcamath.commands.keeping import collect_garbage

    typer.echo(collect_garbage(runs, store, dry=dry, superseded=superseded))


@app.command()
def push(
    run: RunArg,
    url: Annotated[str, typer.Argument(help="A place in object storage: s3://…, gs://…, file:///… (extra `storage`).")],
    name: Annotated[str | None, typer.Option(help="What the run is called there; its own name where left out.")] = None,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Keep a run with all that its stages made in object storage: what is there already does not go twice."""
    from orcamath.commands.keeping import run_pushed

    with interruptible("interrupted; what was sent stays there, the same command sends the rest"):
        typer.echo(run_pushed(folder_of(run, runs), store, url, name))


@app.command()
def pull(
    url: Annotated[str, typer.Argument(help="Where a run was pushed to.")],
    run: Annotated[str | None, typer.Argument(help="Its name there; may be left out where it is the only one.")] = None,
    name: Annotated[str | None, typer.Option(help="What it is called here; as there where left out.")] = None,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Fetch a run that was pushed, to report on it, export from it or go on with it here. Nothing is written over."""
    from orcamath.commands.keeping import run_pulled

    with interruptible("interrupted; the stages that arrived are kept, the same command fetches the rest"):
        typer.echo(run_pulled(url, run, runs, store, name))


@app.command()
def fsck(
    run: Annotated[str | None, typer.Argument(help="Name of a run, or its folder; everything where left out.")] = None,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
    json: JsonOpt = False,
) -> None:
    """Check that all that is kept is still what was written, and say what to do where it is not. Changes nothing."""
    from orcamath.commands.keeping import check_kept

    said, well = check_kept(folder_of(run, runs) if run is not None else None, runs, store, as_json=json)
    typer.echo(said)
    if not well:
        raise typer.Exit(1)
