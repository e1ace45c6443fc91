"""The verbs. No logic: each command gathers its arguments and calls the room that does the work.

stdout is the result, stderr is progress. Exit codes: 0 done, 1 failed, 2 bad usage or recipe, 3 finished with too many
rejects, 4 stopped resumable, 130 interrupted. Everything heavy is imported inside the command that needs it.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from orcamath.commands.ending import ended, interruptible, say

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

RunArg = Annotated[str, typer.Argument(help="Name of a run, or its folder.")]
ModelArg = Annotated[
    str, typer.Argument(help="A folder, hub name, GGUF file, a run's student such as classroom/M2, or NAME@URL.")
]
StoreOpt = Annotated[Path, typer.Option("--store", help="Where calls and artifacts are kept; shared by all runs.")]
RunsOpt = Annotated[Path, typer.Option("--runs", help="Where run folders are.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SetOpt = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: learn.beta=0.2")
]
STORE, RUNS = Path("store"), Path("runs")


@app.command()
def run(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe file, or one that ships: classroom, words-135m, gsm8k-small, gsm8k-7b-24gb, gsm8k-7b-80gb."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the run folder; the recipe's name where left out.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this stage, for example teach or `practice 2`.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only this many seeds.")] = None,
    overrides: SetOpt = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a run that holds the folder.")] = False,
    pay_again: Annotated[
        bool, typer.Option("--pay-again", help="Do not ask before a changed recipe pays again for over 5 % of the cap.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Hand in batches and end with code 4; the same command later collects them."),
    ] = False,
    store: StoreOpt = STORE,
    runs: RunsOpt = RUNS,
) -> None:
    """Run a recipe from the top. What is sealed is reused, so running again is resuming."""
    from orcamath.commands.runs import run_in_folder

    with interruptible():
        run_in_folder(
            recipe, runs=runs, store=store, name=name, until=until, limit=limit, overrides=overrides or [], wait=wait,
            pay_again=pay_again, detach=detach,
        )  # fmt: skip


@app.command()
def plan(
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of one that ships.")],
    overrides: SetOpt = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only this many seeds.")] = None,
    tflops: Annotated[float, typer.Option(min=0.001, help="Your GPU's peak in 16 bits: A100 312, H100 989.")] = 312.0,
    store: StoreOpt = STORE,
    json: JsonOpt = False,
) -> None:
    """Say what a recipe will take before it is paid: calls, tokens, dollars, hours and disk; memory and GPU hours."""
    from orcamath.commands.costs import plan_of

    typer.echo(
        plan_of(recipe, overrides=overrides or [], limit=limit, store=store, tflops=tflops, as_json=json)
    )  # fmt: skip


@app.command()
def gc(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Drop remembered samples of students that no run names. Teachers' replies always stay."""
    from orcamath.commands.costs import collect_garbage

    typer.echo(collect_garbage(runs, store, dry=dry))


@app.command()
def init(
    seeds: Annotated[Path, typer.Option(help="Your seed problems: JSONL, CSV or Parquet with a `question` column.")],
    teacher: Annotated[str, typer.Option(help="Model name at the endpoint, or a local folder / GGUF file.")],
    base_url: Annotated[str | None, typer.Option(help="OpenAI-compatible endpoint of the teacher.")] = None,
    student: Annotated[
        str, typer.Option(help="Base model to train: hub name, folder or GGUF.")
    ] = "HuggingFaceTB/SmolLM2-135M-Instruct",
    out: Annotated[Path, typer.Option(help="Where to write the recipe.")] = Path("recipe.yaml"),
) -> None:
    """Write a commented recipe for your own seeds."""
    from orcamath.commands.starter import write_starter

    write_starter(out, seeds=seeds, teacher=teacher, base_url=base_url, student=student)
    say(f"wrote {out}; next: orcamath doctor {out}, then orcamath run {out} --limit 10")


@app.command()
def status(run: RunArg, runs: RunsOpt = RUNS, store: StoreOpt = STORE, json: JsonOpt = False) -> None:
    """Tell which stages of a run are sealed and what they hold."""
    from orcamath.commands.runs import status_of

    typer.echo(status_of(_folder(run, runs), store, as_json=json))


@app.command()
def report(run: RunArg, runs: RunsOpt = RUNS, store: StoreOpt = STORE, json: JsonOpt = False) -> None:
    """Fold a run's results again: tables here, and report.html in its folder."""
    from orcamath.commands.runs import report_on

    report_on(_folder(run, runs), store, as_json=json)


@app.command()
def show(
    record: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a problem, lesson or attempt, or the start of one.")
    ],
    run: Annotated[str, typer.Option(help="Name of the run to look in.")] = "classroom",
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
    full: Annotated[bool, typer.Option("--full", help="Do not cut texts short.")] = False,
    json: JsonOpt = False,
) -> None:
    """Show a problem's ancestry and all that came of it."""
    from orcamath.commands.runs import ancestry_of

    typer.echo(ancestry_of(record, _folder(run, runs), store, full=full, as_json=json))


@app.command()
def export(
    run: RunArg,
    target: Annotated[Path, typer.Argument(help="The file to write, or the folder for `hub`.")],
    form: Annotated[
        str, typer.Option("--as", help="jsonl, chat (messages), or hub (Parquet and a data card).")
    ] = "jsonl",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what is there.")] = False,
    runs: RunsOpt = RUNS,
    store: StoreOpt = STORE,
) -> None:
    """Write a run's lessons for other tools."""
    from orcamath.commands.runs import export_from

    typer.echo(export_from(_folder(run, runs), store, target, form, replace=replace))


@app.command()
def evaluate(
    model: ModelArg,
    on: Annotated[str, typer.Option(help="Benchmarks, comma-separated: gsm8k,svamp or NAME=FILE.")],
    data: Annotated[Path | None, typer.Option(help="Folder with the benchmarks' own files.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many problems of each.")] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="Sets without official splits: a part.")] = False,
    samples: Annotated[int, typer.Option(min=1, help="Answers a problem; more than one adds maj@k and pass@k.")] = 1,
    verifier: Annotated[str | None, typer.Option(help="Model that scores the samples: adds verifier@k.")] = None,
    compare: Annotated[str | None, typer.Option(help="A second model: paired difference on the same problems.")] = None,
    judge: Annotated[str, typer.Option(help="rules, cascade, model, or your own .py file.")] = "cascade",
    judge_model: Annotated[str | None, typer.Option(help="Model asked where rules are unsure.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 512,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="What local models compute in; a CPU is faster in bfloat16."),
    ] = "auto",
    base_url: Annotated[str | None, typer.Option(help="Where MODEL is served; the same as MODEL@URL.")] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Of the sampled answers, where there are several.")] = 0.7,
    store: StoreOpt = STORE,
    runs: RunsOpt = RUNS,
    json: JsonOpt = False,
) -> None:
    """Measure a model on benchmarks: greedy pass@1 with its interval, and what it costs.

    Every MODEL may be a local one, a run's student, or NAME@URL for one behind a server.
    """
    from orcamath.commands.measuring import Wanted, evaluate_models
    from orcamath.stages.evaluate import EvaluateSettings

    settings = EvaluateSettings(
        max_new_tokens=max_new_tokens, samples=samples, temperature=temperature if samples > 1 else 0.0, limit=limit
    )
    wanted = Wanted(on.split(","), settings, data, base_url, judge, judge_model, verifier, compare, dtype, held_out)
    with interruptible():
        typer.echo(evaluate_models(model, wanted, runs=runs, store=store, as_json=json))


@app.command()
def ask(
    model: ModelArg,
    question: Annotated[str, typer.Argument()],
    base_url: Annotated[str | None, typer.Option(help="Ask a server instead of loading the model.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 512,
    store: StoreOpt = STORE,
    runs: RunsOpt = RUNS,
) -> None:
    """Ask a model one question and print its answer."""
    from orcamath.commands.models import answer_of

    typer.echo(answer_of(model, question, base_url=base_url, max_new_tokens=max_new_tokens, store=store, runs=runs))


@app.command()
def judge(
    file: Annotated[
        Path, typer.Argument(help="JSONL or Parquet, plain or .gz: question, gold or reference, response.")
    ],
    name: Annotated[
        str, typer.Option("--judge", help="rules, cascade, model, or the path of your own .py file.")
    ] = "cascade",
    column: Annotated[list[str] | None, typer.Option(metavar="OURS=YOURS", help="Names of your columns.")] = None,
    model: Annotated[str | None, typer.Option(help="Model asked where rules are unsure.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The model's OpenAI-compatible endpoint.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write one verdict a row here, as JSON lines.")] = None,
    offending: Annotated[bool, typer.Option("--offending", help="Also list rows that contradict the label.")] = False,
    store: StoreOpt = STORE,
    json: JsonOpt = False,
) -> None:
    """Judge a file of answers against their references."""
    from orcamath.commands import files

    typer.echo(
        files.judge(
            file, name=name, columns=column or [], model=model, base_url=base_url, out=out, offending=offending,
            store=store, as_json=json,
        )
    )  # fmt: skip


@app.command()
def check(
    training: Annotated[
        list[Path], typer.Argument(metavar="TRAIN...", help="Training problems: JSONL, CSV or Parquet.")
    ],
    against: Annotated[list[Path], typer.Option("--against", metavar="TEST", help="Test questions; may be repeated.")],
    by: Annotated[str | None, typer.Option(help="Repeat the counts by this column, for example origin.")] = None,
    column: Annotated[str | None, typer.Option(help="Name of the question column.")] = None,
    n: Annotated[
        list[int] | None, typer.Option("-n", min=1, help="Sizes of n-grams; 1, 2 and 3 where left out.")
    ] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Jaccard similarity from which a pair counts.")] = 0.5,
    json: JsonOpt = False,
) -> None:
    """Search training problems for benchmark questions, as the paper did (TF-IDF top 10, then Jaccard)."""
    from orcamath.commands import files

    typer.echo(files.check(training, against, by=by, column=column, n=n or [], threshold=threshold, as_json=json))


@app.command()
def doctor(
    recipe: Annotated[str | None, typer.Argument(help="Also make one real call to this recipe's teacher.")] = None,
) -> None:
    """Check the environment, and with a recipe make one real call to its teacher."""
    from orcamath.commands.doctor import check_up

    report, healthy = check_up(recipe)
    typer.echo(report)
    if not healthy:
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the version."""
    from orcamath import __version__

    typer.echo(__version__)


def _folder(name: str, runs: Path) -> Path:
    path = Path(name)
    return path if path.is_dir() and (path / "stages.json").exists() else runs / name


def main() -> None:
    """Run the command line; errors of ours are one message and an exit code, never a traceback."""
    ended(app)
