"""Lila (Mishra et al. 2022, arXiv 2210.17517), from which the paper took its seeds: many sets in one form, each with splits.

Hub rows have `input`, `output_program`, `output_answer`, `split`, `dataset`; the authors' files one object a task with
`Instances` of `Input`, `Output Program`, `Output Answer`, `split`, or such rows a line (`lila/multi/iid/train.json` of their
archive). A row that does not name its task has that of its file (`addsub_train.json`), or of the nearest folder (the hub's
own copy is a folder a task). Programs are kept as the solution and never run.

`source: lila` reads the paper's eleven sets (`PARTS`); `options: {parts: [addsub, …]}` narrows them. A problem's `source` is
the set it came from, so that it is told apart from no copy of the original. What the paper leaves open is in `mixture`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from orcamath.errors import DataError, nearest
from orcamath.records import Rejected
from orcamath.sources import alg514, asdiv, draw, gsm8k, mathqa, mawps, numglue, svamp
from orcamath.sources.hub_rows import HubSet, hub_set, rows_of
from orcamath.sources.rows import FORMS, files_of, form_of, rows
from orcamath.sources.source import (
    Found,
    Row,
    SourceSettings,
    each,
    gold_kind,
    number_text,
    problem_from,
    split_named,
    text_of,
)

__all__ = ["LICENCE", "PARTS", "read"]

LICENCE = "via Lila, CC BY 4.0"

PARTS: dict[str, tuple[str, str]] = {
    "addsub": ("addsub", mawps.LICENCE),
    "asdiv": ("asdiv", asdiv.LICENCE),
    "draw_structured": ("draw", draw.LICENCE),
    "gsm8k_structured": ("gsm8k", gsm8k.LICENCE),
    "mathqa_gain": ("mathqa", mathqa.LICENCE),
    "mathqa_general": ("mathqa", mathqa.LICENCE),
    "mathqa_geometry": ("mathqa", mathqa.LICENCE),
    "mathqa_other": ("mathqa", mathqa.LICENCE),
    "mathqa_physics": ("mathqa", mathqa.LICENCE),
    "mathqa_probability": ("mathqa", mathqa.LICENCE),
    "multiarith": ("multiarith", mawps.LICENCE),
    "numglue_type_1_crowdsourced": ("numglue", numglue.LICENCE),
    "numglue_type_2_crowdsourced": ("numglue", numglue.LICENCE),
    "numglue_type_4_crowdsourced": ("numglue", numglue.LICENCE),
    "numglue_type_8_crowdsourced": ("numglue", numglue.LICENCE),
    "simuleq": ("alg514", alg514.LICENCE),
    "singleop": ("singleop", mawps.LICENCE),
    "singleq": ("singleeq", mawps.LICENCE),
    "svamp_structured": ("svamp", svamp.LICENCE),
}
"""Lila's name of a task, in lower case → our name of the set, and its own licence."""

_CONFIGS = {"gsm8k_structured": "GSM8k_structured"} | {
    p: p.replace("numglue_type", "NumGLUE_Type") for p in PARTS if p.startswith("numglue")
}


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield the problems of the wanted parts, in the order of the files. Raises DataError for a part that is not known."""
    parts = settings.options.get("parts", list(PARTS))
    wanted = set()
    for name in parts if isinstance(parts, list | tuple) else [parts]:
        hits = {p for p, (ours, _) in PARTS.items() if name in (p, ours) or str(name).lower() == p}
        if not hits:
            raise DataError(f"source `lila`: there is no part `{name}`; {nearest(str(name), PARTS)}")
        wanted |= hits
    named = ((row, _name(row)) for row in _rows(settings, wanted))
    kept = (row for row, name in named if isinstance(row, Rejected) or name in wanted)
    return each(kept, lambda row: _make(row, settings))


def _part_named(name: object) -> str:
    """Return a task's name as PARTS has it: `GSM8k_structured.json` is `gsm8k_structured`."""
    return str(name).rsplit("/", 1)[-1].lower().removesuffix(".json").removesuffix(".jsonl")


def _name(row: Row | Rejected) -> str:
    return "" if isinstance(row, Rejected) else _part_named(row.values.get("dataset", ""))


def _rows(settings: SourceSettings, wanted: set[str]) -> Iterator[Row | Rejected]:
    if settings.path is None:
        hub = hub_set(settings)
        assert hub is not None
        configs = [_CONFIGS.get(p, p) for p in PARTS if p in wanted]
        found = (
            row for config in configs for row in _named(rows_of(HubSet(hub.name, (config,)), settings.revision), config)
        )
    else:
        found = (row for path, below in _files(settings) for row in _named(rows(path, below=below), _task_of(path)))
    yield from found


def _files(settings: SourceSettings) -> Iterator[tuple[Path, Path | None]]:
    """Yield the files, all of those folders that are named for a task, and the folder below which another may name the split."""
    stems = (*PARTS, *(f"{p}_*" for p in PARTS), "lila", "iid", "*")
    try:
        yield from ((file, None) for file in list(files_of(settings, stems)))
        return
    except DataError:  # no file says of what it is: folders may
        folders = _task_folders(Path(str(settings.path)).expanduser())
        if not folders:
            raise
    for folder in folders:
        yield from ((file, folder) for file in files_of(settings.model_copy(update={"path": str(folder)}), None))


def _task_folders(root: Path) -> list[Path]:
    """Return the folders named for a task that hold files, none within another."""
    named = [d for d in sorted(root.rglob("*")) if d.is_dir() and _part_named(d.name) in PARTS] if root.is_dir() else []
    outer = [d for d in named if not any(other in d.parents for other in named)]
    return [d for d in outer if any(form_of(file) in FORMS for file in d.rglob("*") if file.is_file())]


def _task_of(path: Path) -> str:
    """Return the task that a file, else the nearest folder, is named for, whatever split stands behind it."""
    stem = path.name.split(".")[0].lower().replace("-", "_")
    for name in (stem, *map(str.lower, path.parts[-2::-1])):
        for part in PARTS:
            if name == part or (name.startswith(f"{part}_") and split_named(name.removeprefix(part)) is not None):
                return part
    return stem


def _named(found: Iterator[Row | Rejected], name: str) -> Iterator[Row | Rejected]:
    """Give every row its task's name, and unpack the authors' files, which hold a whole task in one object."""
    for row in found:
        if isinstance(row, Rejected):
            yield row
        elif isinstance(instances := row.values.get("Instances"), list):
            for i, instance in enumerate(instances, start=1):
                values = instance if isinstance(instance, dict) else {}
                yield Row(f"{row.place.rsplit(':', 1)[0]}:instance {i}", {"dataset": name, **values}, row.split)
        else:
            yield Row(row.place, {"dataset": name, **row.values}, row.split)


def _make(row: Row, settings: SourceSettings) -> Found:
    def value(hub: str, authors: str) -> object:
        return row.values.get(hub, row.values.get(authors))

    source, licence = PARTS[_name(row)]
    answer = number_text(_answer(value("output_answer", "Output Answer")))
    program = value("output_program", "Output Program")
    if isinstance(program, list):  # several programs, all of one answer
        program = program[0] if program else None
    split = split_named(str(row.values.get("split") or ""))
    return problem_from(
        row,
        settings,
        value("input", "Input"),
        answer,
        licence=f"{licence} ({LICENCE})",
        split=split,
        answer_kind=gold_kind(answer),
        source=settings.called or source,
        solution=text_of(program),
    )


def _answer(value: object) -> object:
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, list) and len({str(v) for v in value}) == 1:  # one answer for each program
        return value[0]
    return value
