"""Licences of all that a set of extras brings: name, version, licence as each package declares it.

    python benchmarks/licences.py                          # what orcamath itself needs
    python benchmarks/licences.py --extras student,gguf    # and what these bring

Reads the metadata of installed packages; what is not installed is listed as such.
"""

import argparse
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, NamedTuple

from packaging.requirements import Requirement

from figures import report


class Row(NamedTuple):
    """One package."""

    name: str
    version: str
    licence: str


def licence_of(name: str) -> Row:
    """Return what a package says of its licence: the SPDX expression, else its classifiers, else the first line of the field."""
    meta = distribution(name).metadata
    classifiers = [c.rpartition(" :: ")[2] for c in meta.get_all("Classifier") or () if c.startswith("License :: ")]
    field = (meta.get("License") or "").strip().splitlines()
    said = (
        meta.get("License-Expression")
        or " / ".join(c for c in classifiers if c != "OSI Approved")
        or (field or [""])[0]
    )
    return Row(meta["Name"], meta["Version"], said[:80] or "not stated")


def brought(extras: Iterable[str]) -> list[Row]:
    """Return every package that `orcamath` with these extras brings, by name."""
    rows: dict[str, Row] = {}
    todo = [Requirement(f"orcamath[{','.join(extras)}]" if extras else "orcamath")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        wanted = todo.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            rows[name] = licence_of(name)
        except PackageNotFoundError:
            rows[name] = Row(name, "-", "not installed")
            continue
        for text in distribution(name).requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in (wanted.extras or {""})):
                todo.append(needed)
    return [rows[name] for name in sorted(rows) if name != "orcamath"]


def options(parser: argparse.ArgumentParser) -> None:
    """Add what it is asked with."""
    parser.add_argument("--extras", default="", help="comma-separated: student,gguf")


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return every package, and those that state no licence."""
    rows = brought([e for e in args.extras.split(",") if e])
    return {
        "packages": [row._asdict() for row in rows],
        "not_stated": [r.name for r in rows if r.licence == "not stated"],
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
