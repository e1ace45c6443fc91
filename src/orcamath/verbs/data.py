"""Verbs on data and the machine: begin with seeds, check for contamination, write results out, is all well."""

from pathlib import Path
from typing import Annotated

import typer

from orcamath.commands.ending import say
from orcamath.verbs.arguments import RUNS, STORE, CapOpt, JsonOpt, PriceOpt, RunArg, RunsOpt, StoreOpt, folder_of

__all__ = ["app"]

app = typer.Typer()


@app.command()
def init(
    seeds: Annotated[
        list[str],
        typer.Option(
            help="Your problems: JSONL, JSON, CSV, Parquet, a folder, or OWNER/NAME on the hub; may be repeated."
        ),
    ],
    teacher: Annotated[str, typer.Option(help="Model name at the endpoint, or a local folder / GGUF file.")],
    base_url: Annotated[str | None, typer.Option(help="OpenAI-compatible endpoint of the teacher.")] = None,
    student: Annotated[
        str, typer.Option(help="Base model to train: hub name, folder or GGUF.")
    ] = "HuggingFaceTB/SmolLM2-135M-Instruct",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=YOURS",
            help="Names of your columns, such as question=frage or options=A,B,C,D; may be repeated.",
        ),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Variable that holds the teacher's key; of known hosts their usual one if left out."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write the recipe.")] = Path("recipe.yaml"),
) -> None:
    """Look at your own problems and write a commented recipe for them."""
    from orcamath.commands.starter import write_starter

    told = write_starter(
        out,
        seeds=seeds,
        teacher=teacher,
        base_url=base_url,
        student=student,
        columns=column or [],
        api_key_env=api_key_env,
    )
    for line in told:
        say(line)
    say(f"wrote {out}; next: orcamath doctor {out}, then orcamath run {out} --limit 10 --until teach")


@app.command()
def check(
    training: Annotated[
        list[Path],
        typer.Argument(metavar="TRAIN...", help="Training problems: JSONL, JSON, CSV, TSV or Parquet, plain or .gz."),
    ],
    against: Annotated[list[Path], typer.Option("--against", metavar="TEST", help="Test questions; may be repeated.")],
    by: Annotated[str | None, typer.Option(help="Repeat the counts by this column, for example origin.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="[FILE=]NAME", help="The question's column, of all files or of one; may be repeated."),
    ] = None,
    n: Annotated[
        list[int] | None, typer.Option("-n", min=1, help="Sizes of n-grams; 1, 2 and 3 where left out.")
    ] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Jaccard similarity from which a pair counts.")] = 0.5,
    json: JsonOpt = False,
) -> None:
    """Search training problems for benchmark questions, as the paper did (TF-IDF top 10, then Jaccard)."""
    from orcamath.commands import files

    typer.echo(
        files.told_search(training, against, by=by, columns=column or [], n=n or [], threshold=threshold, as_json=json)
    )


@app.command()
def export(
    run: RunArg,
    what: Annotated[str, typer.Argument(help="lessons, problems, preferences, attempts or student.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="jsonl, parquet; lessons also chat, sft, hub (Parquet and a data card); preferences dpo, kto.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file or folder to write; named for the run if left out.")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="An arm of the run; the first that has it where left out.")] = None,
    number: Annotated[
        int | None,
        typer.Option("--round", min=1, help="Iteration (M1, M2, …) or round of practice; the last if left out."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what an export made.")] = False,
    push: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="Show what would go to the hub from here.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really push it.")] = False,
    public: Annotated[bool, typer.Option("--public", help="Push to a public repository; private otherwise.")] = False,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Write something out of a run in a form that other tools read."""
    from orcamath.commands.doors import Handout, export_from

    door = Handout(what, form, out, arm, number, replace)
    typer.echo(export_from(folder_of(run, runs), store, door, push_to=push, really=yes, public=public))


@app.command()
def doctor(
    recipe: Annotated[str | None, typer.Argument(help="Also make one real call to this recipe's teacher.")] = None,
    writer: Annotated[bool, typer.Option("--writer", help="Also find the writer's size, by at most 20 calls.")] = False,
    cap_usd: CapOpt = None,
    price: PriceOpt = None,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Check the environment, and with a recipe make one real call to its teacher."""
    from orcamath.commands.doctor import check_up
    from orcamath.commands.purse import purse_of

    report, healthy = check_up(recipe, purse_of(cap_usd, price), runs=runs, store=store, writer=writer)
    typer.echo(report)
    if not healthy:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print a recipe's JSON schema, by which an editor completes and checks it: `orcamath schema > recipe.schema.json`."""
    import json

    from orcamath.commands.schema import recipe_schema

    typer.echo(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))


@app.command()
def version() -> None:
    """Print the version."""
    from orcamath import __version__

    typer.echo(__version__)
