"""One sealed folder: its manifest, its tables, and whether they are still what was sealed.

In: a folder under `artifacts/`. Out: records, counts, facts; or Damaged, with the folder set aside for the next run to make
anew. The manifest holds a hash of every file and of itself; folders older than such hashes are read as they are.
"""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from orcamath.errors import Damaged, SchemaTooNew
from orcamath.records import Record
from orcamath.store.facts import Facts
from orcamath.store.seals import changed, read_sealed, unseal
from orcamath.store.tables import SCHEMAS, read_columns, read_table

__all__ = ["MANIFEST_VERSION", "Artifact", "manifest_of", "set_aside", "table_of"]

MANIFEST_VERSION = 1
R = TypeVar("R", bound=Record)
F = TypeVar("F", bound=Facts)
log = logging.getLogger("orcamath")


@dataclass(frozen=True)
class Artifact:
    """A sealed folder: tables, perhaps a model, and its manifest."""

    path: Path
    stage: str
    digest: str
    manifest: dict[str, Any]
    reused: bool = False

    @property
    def fingerprint(self) -> str:
        """Its digest: what it is as an input of the next stage."""
        return self.digest

    @property
    def facts(self) -> dict[str, object]:
        """What the stage says of itself, as JSON values."""
        facts: dict[str, object] = self.manifest["facts"]
        return facts

    def said(self, facts: type[F]) -> F:
        """Read what the stage says of itself as its record. Raises DataError where another version said it otherwise."""
        return facts.of(self.facts, self.path)

    @property
    def balance(self) -> dict[str, Any]:
        """The stage's books."""
        balance: dict[str, Any] = self.manifest["balance"]
        return balance

    def has(self, table: str) -> bool:
        """Tell whether the artifact holds that table."""
        return table in self.manifest["tables"]

    def count(self, table: str) -> int:
        """Return the number of rows of a table, 0 where there is none."""
        return int(self.manifest["tables"].get(table, 0))

    def read(self, record: type[R], table: str | None = None) -> Iterator[R]:
        """Stream a table; its name follows from the record. Raises Damaged where it is not what was sealed."""
        name = table or table_of(record)
        return read_table(self.table(name), record) if self.has(name) else iter(())

    def columns(self, record: type[Record], *names: str) -> Iterator[tuple[Any, ...]]:
        """Stream some columns of the table of these records: many times faster. Raises as `read`."""
        name = table_of(record)
        return read_columns(self.table(name), record, *names) if self.has(name) else iter(())

    def table(self, name: str) -> Path:
        """Return the file of a table. Raises Damaged where it is not what was sealed."""
        file = f"{name}.parquet"
        if self.is_changed(file):
            raise self.damaged(f"`{self.path / file}`")
        return self.path / file

    @property
    def files(self) -> dict[str, str]:
        """Hash of every sealed file; empty where the folder is older than such hashes."""
        files: dict[str, str] = self.manifest.get("files", {})
        return files

    def is_changed(self, file: str) -> bool:
        """Tell whether a file is no longer what was sealed."""
        return file in self.files and changed(self.path / file, self.files[file])

    def changed_table(self) -> str | None:
        """Return the first table that is no longer what was sealed."""
        return next((f for f in self.files if f.endswith(".parquet") and self.is_changed(f)), None)

    def damaged(self, what: str) -> Damaged:
        """Set the artifact aside and return what to raise."""
        return Damaged(f"{what} is no longer what was sealed. {set_aside(self.path)}; run again to make it anew")

    @property
    def seconds(self) -> float:
        """Wall time it took when it was made."""
        made = read_sealed(self.path.parent / f"{self.path.name}.made.json")
        return float(made["seconds"]) if made is not None else 0.0


def table_of(record: type[Record]) -> str:
    """Return the name of the table that holds records of this kind."""
    return next(name for name, entry in SCHEMAS.items() if entry.record is record)


def manifest_of(path: Path) -> dict[str, Any] | None:
    """Read a manifest; None where there is none or it is damaged, which is said."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        if (version := json.loads(text)["manifest_version"]) > MANIFEST_VERSION:  # whatever else it says
            raise SchemaTooNew(
                f"`{path}` is version {version}, known is {MANIFEST_VERSION}: upgrade orcamath, or point `--store` at another "
                f"folder (if nobody uses a newer one, the file is damaged: delete its folder, and the next run makes it anew)"
            )
    content = unseal(text)
    if content is None:
        log.warning("`%s` is damaged (cut short, or not what was written): its stage counts as not made yet", path)
    return content


def set_aside(folder: Path) -> str:
    """Move a damaged folder out of the way, where it may still be looked at; says where, or why not."""
    aside = folder.with_name(f".{folder.name}.damaged")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    except FileNotFoundError:  # another process was quicker
        return "It is set aside"
    except OSError as e:
        return f"It cannot be set aside ({e}): delete `{folder}`"
    return f"It is set aside as `{aside}`"
