"""Rows of data sets by hub name, through the `datasets` library (extra `hub`), which is imported when one is asked for.

A hub set is named by its commit: the newest is looked up once and enters the digest, so a set that changes on the hub makes
new data instead of a silent mixture. `copies` is what readers call: the user's files where `path` is given, else the hub.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.errors import DataError
from orcamath.records import Rejected
from orcamath.sources.rows import FORMS, files_of, rows
from orcamath.sources.source import Row, SourceSettings, split_named

__all__ = ["HUB_SETS", "HubSet", "commit_of", "converted_files", "copies", "hub_set", "is_remote", "rows_of"]

CONVERTED = "refs/convert/parquet"


class HubSet(NamedTuple):
    """A data set on the hub, and which of its configurations."""

    name: str
    configs: tuple[str, ...] = ()
    """Empty for the only one there is."""


HUB_SETS: dict[str, HubSet] = {
    "gsm8k": HubSet("openai/gsm8k", ("main",)),
    "svamp": HubSet("ChilleD/SVAMP"),
    "multiarith": HubSet("ChilleD/MultiArith"),
    "asdiv": HubSet("EleutherAI/asdiv"),
    "mathqa": HubSet("allenai/math_qa"),
    "gsm_hard": HubSet("reasoning-machines/gsm-hard"),
    "gsm_plus": HubSet("qintongli/GSM-Plus"),
    "gsm_symbolic": HubSet("apple/GSM-Symbolic", ("main",)),
    "gsm8k_platinum": HubSet("madrylab/gsm8k-platinum", ("main",)),
    "gsm8k_backward": HubSet("meta-math/GSM8K_Backward"),
    "lila": HubSet("allenai/lila"),
    "numglue": HubSet("HHazard/numglue"),
    "dmath": HubSet("philschmid/DMath"),
}
"""Where the hub has a copy of a set that has a reader here: source name → hub set."""


def hub_set(settings: SourceSettings) -> HubSet | None:
    """Return the hub set that a source without `path` is read from; None where none is known."""
    if "dataset" in settings.options:
        config = settings.options.get("config")
        return HubSet(str(settings.options["dataset"]), (str(config),) if config else ())
    return HUB_SETS.get(settings.name)


def is_remote(settings: SourceSettings) -> bool:
    """Tell whether a source would have to be fetched from the hub."""
    hub = None if settings.path is not None or settings.name.endswith(".py") else hub_set(settings)
    return hub is not None and not Path(hub.name).exists()


@lru_cache(maxsize=64)
def commit_of(name: str, revision: str | None) -> str:
    """Return the commit that a hub set's revision stands for now. A local folder is its own name. Raises DataError."""
    if Path(name).exists():
        return "local"
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    try:
        from huggingface_hub import HfApi
    except ImportError as e:
        raise _no_library(name) from e
    try:
        sha = HfApi().dataset_info(name, revision=revision, timeout=30).sha
    except Exception as e:  # the library raises its own, requests' and httpx' errors
        raise DataError(
            f"cannot ask the hub for the commit of `{name}` ({type(e).__name__}: {e}). Give your own copy as `path`, or the "
            f"full 40-digit commit as `revision` where the set is in the hub's cache already"
        ) from e
    return str(sha)


def _no_library(name: str) -> DataError:
    return DataError(
        f"`{name}` is on the hub, which needs the extra `hub`: pip install 'orcamath[hub]'; or give a `path`"
    )


def rows_of(hub: HubSet, revision: str | None) -> Iterator[Row | Rejected]:
    """Yield the rows of every split of a hub set, train first. Raises DataError where it cannot be had."""
    try:
        import datasets
    except ImportError as e:
        raise _no_library(hub.name) from e
    commit = commit_of(hub.name, revision)
    for config in hub.configs or (None,):
        loaded = _loaded(datasets, hub.name, config, commit)
        label = "/".join([hub.name.split("/")[-1], *([config] if config else [])])
        order = {"train": 0, "dev": 1, "test": 2}
        for name in sorted(loaded, key=lambda s: (order.get(split_named(s) or "", 3), s)):
            for i, values in enumerate(loaded[name], start=1):
                yield Row(f"{label}/{name}:row {i}", values, split_named(name))


def _loaded(datasets: Any, name: str, config: str | None, commit: str) -> Any:
    """Load one configuration, all splits; a set that is a loading script is read from the hub's own Parquet copy of it."""
    try:
        try:
            return datasets.load_dataset(name, config, revision=None if commit == "local" else commit)
        except RuntimeError as e:
            if "script" not in str(e):
                raise
        from huggingface_hub import HfApi

        listing = HfApi().list_repo_files(name, repo_type="dataset", revision=CONVERTED)
        files = converted_files(listing, config)
        where = {s: [f"hf://datasets/{name}@{CONVERTED}/{f}" for f in found] for s, found in files.items()}
        return datasets.load_dataset("parquet", data_files=where)
    except DataError:
        raise
    except Exception as e:  # the library raises its own, requests' and httpx' errors
        raise DataError(f"cannot load `{name}` from the hub: {type(e).__name__}: {e}. Give a `path` instead") from e


def converted_files(listing: Iterable[str], config: str | None) -> dict[str, list[str]]:
    """Return split → files of one configuration, in the layouts that the hub's converter has used.

    `addsub/train/0000.parquet` and, before, `addsub/lila-train.parquet`. Raises DataError where there are none, or only a
    part of a large set was converted.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(listing):
        folder, _, rest = path.partition("/")
        if folder != (config or "default") or not rest.endswith(".parquet"):
            continue
        split = split_named(rest.rsplit(".", 1)[0].split("/")[0])
        if split is None or "partial" in rest:
            raise DataError(
                f"the hub's Parquet copy has `{path}`, which is no whole split; give your own copy as `path`"
            )
        found.setdefault(split, []).append(path)
    if not found:
        raise DataError(f"the hub's Parquet copy has no configuration `{config or 'default'}`")
    return found


def copies(settings: SourceSettings, stems: Sequence[str], forms: Sequence[str] = FORMS) -> Iterator[Row | Rejected]:
    """Yield the rows of a source: of the user's copy (file names as `files_of`), else of the hub's."""
    if settings.path is not None:
        for path in files_of(settings, stems, forms):
            yield from rows(path)
        return
    hub = hub_set(settings)
    if hub is None:
        raise DataError(f"source `{settings.name}` is on no hub that is known; give your copy of its files as `path`")
    yield from rows_of(hub, settings.revision)
