"""Arguments that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

from orcamath.errors import UsageError, nearest

__all__ = [
    "RUNS",
    "STORE",
    "CapOpt",
    "JsonOpt",
    "KeyOpt",
    "ModelArg",
    "PriceOpt",
    "RecipeArg",
    "RunArg",
    "RunsOpt",
    "SameOpt",
    "SetOpt",
    "StoreOpt",
    "folder_of",
    "runs_here",
]

STORE, RUNS = Path("store"), Path("runs")
SHIPPED = ", ".join(sorted(p.stem for p in Path(__file__).parents[1].glob("*/*.yaml")))
"""Listed here without `recipe_file`, which loads a YAML reader that `--help` has no need of."""


def runs_here(incomplete: str = "") -> list[str]:
    """Return the names of the runs below `runs` here, for the shell's completion."""
    return sorted(p.parent.name for p in RUNS.glob("*/recipe.yaml") if p.parent.name.startswith(incomplete))


def _recipes_here(incomplete: str = "") -> list[str]:
    """Return the recipes that ship and those in this folder, for the shell's completion."""
    known = [*SHIPPED.split(", "), *(p.name for p in Path().glob("*.yaml"))]
    return [name for name in known if name.startswith(incomplete)]


RunArg = Annotated[str, typer.Argument(help="Name of a run, or its folder.", autocompletion=runs_here)]
RecipeArg = Annotated[
    str, typer.Argument(help=f"A recipe file, or one that ships: {SHIPPED}.", autocompletion=_recipes_here)
]
ModelArg = Annotated[
    str, typer.Argument(help="A folder, hub name, GGUF file, a run's student such as RUN/M2, or NAME@URL.")
]
StoreOpt = Annotated[Path, typer.Option("--store", help="Where calls and artifacts are kept; shared by all runs.")]
RunsOpt = Annotated[Path, typer.Option("--runs", help="Where run folders are.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SetOpt = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: learn.beta=0.2")
]
CapOpt = Annotated[
    float | None,
    typer.Option("--cap-usd", min=0, help="Spend at most this on models that cost money; no cap where left out."),
]
KeyOpt = Annotated[
    str | None,
    typer.Option(
        "--api-key-env",
        metavar="NAME",
        help="Environment variable that holds the served model's key; OPENAI_API_KEY, for OpenAI and this machine, if left out.",
    ),
]
SameOpt = Annotated[
    bool,
    typer.Option("--same-model", help="A server that says other things than before, or is new, is the same model."),
]
PriceOpt = Annotated[
    str | None,
    typer.Option(
        "--price", metavar="IN,OUT", help="What a served model that no list has costs: US dollars per million tokens."
    ),
]


def folder_of(name: str, runs: Path) -> Path:
    """Return a run's folder: the one named, or the one of that name below `runs`.

    Raises UsageError naming those there are, DataError where a link in it leads out of it.
    """
    from orcamath.store.links import no_way_out

    path = Path(name)
    if not (path.is_dir() and ((path / "recipe.yaml").exists() or (path / "stages.json").exists())):
        if not name or not (runs / name).is_dir():
            there = [p.name for p in runs.glob("*/")]
            raise UsageError(f"there is no run `{name}` in `{runs}`; {nearest(name, there)} (`orcamath run` makes one)")
        path = runs / name
    no_way_out(path, path.rglob("*"))
    return path
