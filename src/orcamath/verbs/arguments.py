"""Arguments that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["RUNS", "SHIPPED", "STORE", "JsonOpt", "ModelArg", "RunArg", "RunsOpt", "SetOpt", "StoreOpt", "folder_of"]

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
CapOpt = Annotated[
    float | None,
    typer.Option("--cap-usd", min=0, help="Spend at most this on models that cost money; no cap where left out."),
]
PriceOpt = Annotated[
    str | None,
    typer.Option("--price", metavar="IN,OUT", help="What a served model costs: US dollars per million tokens."),
]
STORE, RUNS = Path("store"), Path("runs")
SHIPPED = ", ".join(sorted(p.stem for p in Path(__file__).parents[1].glob("*/*.yaml")))
"""Listed here without `recipe_file`, which loads a YAML reader that `--help` has no need of."""


def folder_of(name: str, runs: Path) -> Path:
    """Return a run's folder: the one named, or the one of that name below `runs`."""
    path = Path(name)
    return path if path.is_dir() and (path / "stages.json").exists() else runs / name
