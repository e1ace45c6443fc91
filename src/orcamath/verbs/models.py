"""Verbs on models: measure one, ask it, judge answers."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from orcamath.commands.ending import from_options, interruptible
from orcamath.verbs.arguments import RUNS, STORE, CapOpt, JsonOpt, KeyOpt, ModelArg, PriceOpt, RunsOpt, StoreOpt

__all__ = ["app"]

app = typer.Typer()


@app.command()
def evaluate(
    model: ModelArg,
    on: Annotated[str, typer.Option(help="Benchmarks, comma-separated: gsm8k,svamp or NAME=FILE.")],
    data: Annotated[Path | None, typer.Option(help="Folder with the benchmarks' own files.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=YOURS", help="Names of your file's columns, such as question=frage."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many problems of each.")] = None,
    held_out: Annotated[bool, typer.Option("--held-out", help="Sets without official splits: a part.")] = False,
    samples: Annotated[int, typer.Option(min=1, help="Answers a problem; more than one adds maj@k and pass@k.")] = 1,
    sample_limit: Annotated[
        int | None, typer.Option(min=1, help="Sample only this many problems of each; all are answered greedily.")
    ] = None,
    verifier: Annotated[str | None, typer.Option(help="Model that scores the samples: adds verifier@k.")] = None,
    compare: Annotated[str | None, typer.Option(help="A second model: paired difference on the same problems.")] = None,
    judge: Annotated[str, typer.Option(help="rules, cascade, model, or your own .py file.")] = "cascade",
    judge_model: Annotated[
        str | None,
        typer.Option(help="Model asked where rules are unsure: NAME@URL, or one of this machine."),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 512,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(help="What local models compute in; a CPU is faster in bfloat16."),
    ] = "auto",
    base_url: Annotated[str | None, typer.Option(help="Where MODEL is served; the same as MODEL@URL.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Calls at once to a server; 64 if left out.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="SECONDS", help="Time a server has for one answer; 120 if left out."),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Of the sampled answers, where there are several.")] = 0.7,
    few_shot: Annotated[int, typer.Option(min=0, metavar="N", help="Worked examples shown before each question.")] = 0,
    shots: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where these are from; the first benchmark's training part if left out."),
    ] = None,
    answers: Annotated[
        Literal["any", "number"], typer.Option(help="number: only problems whose answer is a single number.")
    ] = "any",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out lines of your file that cannot be read; says how many.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write every answer here: .parquet, else JSON lines.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what an earlier `--out` wrote.")] = False,
    api_key_env: KeyOpt = None,
    cap_usd: CapOpt = None,
    price: PriceOpt = None,
    store: StoreOpt = STORE,
    runs: RunsOpt = RUNS,
    json: JsonOpt = False,
) -> None:
    """Measure a model on benchmarks: greedy pass@1 with its interval, and what it costs.

    Every MODEL may be a local one, a run's student, or NAME@URL for one behind a server.
    """
    from orcamath.commands.files import mapped_columns
    from orcamath.commands.measuring import Wanted, evaluate_models
    from orcamath.commands.purse import purse_of
    from orcamath.stages.evaluate import EvaluateSettings

    with from_options():
        t = temperature if samples > 1 else 0.0
        settings = EvaluateSettings(
            max_new_tokens=max_new_tokens, samples=samples, temperature=t, limit=limit, sample_limit=sample_limit
        )
    transport = {k: v for k, v in {"concurrency": concurrency, "timeout_s": timeout}.items() if v is not None}
    wanted = Wanted(
        on.split(","),
        settings,
        data,
        base_url=base_url,
        judge=judge,
        judge_model=judge_model,
        verifier=verifier,
        compare=compare,
        dtype=dtype,
        held_out=held_out,
        purse=purse_of(cap_usd, price),
        answers=answers,
        few_shot=few_shot,
        shots=shots,
        transport=transport,
        api_key_env=api_key_env,
        columns=mapped_columns(column or [], "question=my_column"),
        skip_bad=skip_bad,
        out=out,
        replace=replace,
    )
    with interruptible():
        typer.echo(evaluate_models(model, wanted, runs=runs, store=store, as_json=json))


@app.command("check-model")
def check_model(
    model: ModelArg,
    dtype: Annotated[Literal["auto", "float32", "bfloat16"], typer.Option(help="What to compute in.")] = "float32",
    store: StoreOpt = STORE,
    runs: RunsOpt = RUNS,
    json: JsonOpt = False,
) -> None:
    """Check that a model is sampled, scored, trained and saved here as transformers itself has it."""
    from orcamath.commands import models

    with interruptible():
        said, holds = models.check_model(model, runs=runs, store=store, dtype=dtype, as_json=json)
    typer.echo(said)
    if not holds:
        raise typer.Exit(1)


@app.command()
def ask(
    model: ModelArg,
    question: Annotated[str, typer.Argument()],
    base_url: Annotated[str | None, typer.Option(help="Ask a server instead of loading the model.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 512,
    api_key_env: KeyOpt = None,
    cap_usd: CapOpt = None,
    price: PriceOpt = None,
    store: StoreOpt = STORE,
    runs: RunsOpt = RUNS,
) -> None:
    """Ask a model one question and print its answer."""
    from orcamath.commands.models import answer_by
    from orcamath.commands.purse import purse_of

    with interruptible():
        typer.echo(
            answer_by(
                model,
                question,
                base_url=base_url,
                api_key_env=api_key_env,
                max_new_tokens=max_new_tokens,
                store=store,
                runs=runs,
                purse=purse_of(cap_usd, price),
            )
        )


@app.command()
def judge(
    file: Annotated[
        Path, typer.Argument(help="JSONL, JSON, CSV or Parquet, plain or .gz: question, gold or reference, response.")
    ],
    name: Annotated[
        str, typer.Option("--judge", help="rules, cascade, model, or the path of your own .py file.")
    ] = "cascade",
    column: Annotated[list[str] | None, typer.Option(metavar="OURS=YOURS", help="Names of your columns.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model asked where rules are unsure: a name with --base-url, NAME@URL, or one of this machine."
        ),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="The model's OpenAI-compatible endpoint.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write one verdict a row here, as JSON lines.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what an earlier `--out` wrote.")] = False,
    offending: Annotated[
        bool, typer.Option("--offending", help="Also list labelled rows that the judge contradicts or leaves open.")
    ] = False,
    api_key_env: KeyOpt = None,
    cap_usd: CapOpt = None,
    price: PriceOpt = None,
    store: StoreOpt = STORE,
    json: JsonOpt = False,
) -> None:
    """Judge a file of answers against their references."""
    from orcamath.commands import files
    from orcamath.commands.purse import purse_of

    with interruptible():
        typer.echo(
            files.told_verdicts(
                file,
                name=name,
                columns=column or [],
                model=model,
                base_url=base_url,
                api_key_env=api_key_env,
                out=out,
                replace=replace,
                offending=offending,
                store=store,
                as_json=json,
                purse=purse_of(cap_usd, price),
            )
        )
