"""Sealed results of stages, by digest. A digest names what made a thing: stage, version, settings, inputs.

`Store.stage` looks a stage up; if it is not sealed it is made in a temporary folder, synced, and renamed into place in one
step, so a folder under `artifacts/` is whole or absent. Two processes that want the same stage: the second waits and finds
it sealed. Nothing in a sealed folder depends on when, where or how fast it was made; that goes into `made.json` beside it.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import orjson

from orcamath.errors import BrokenBalance, SchemaTooNew, WireDown
from orcamath.records import SCHEMAS, Record, Rejected, Settings, digest
from orcamath.store.tables import count_rows, read_table, write_table

__all__ = ["Artifact", "Balance", "Identified", "Output", "Store", "identity"]

MANIFEST_VERSION = 1
R = TypeVar("R", bound=Record)


class Identified(Protocol):
    """Anything whose content has a name: an artifact, a model, a judge, a source file."""

    @property
    def fingerprint(self) -> str:
        """Name of the content."""
        ...


def identity(inputs: Sequence[Identified | str | None]) -> list[str | None]:
    """Return the names of a stage's inputs, in order."""
    return [x if isinstance(x, str) or x is None else x.fingerprint for x in inputs]


@dataclass
class Balance:
    """The books of one stage. Calls: asked = parsed + failed. Results: results = kept + rejected."""

    asked: int = 0
    parsed: int = 0
    failed: int = 0
    results: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def check(self, stage: str) -> None:
        """Raise BrokenBalance where the books do not add up."""
        if self.asked != self.parsed + self.failed:
            raise BrokenBalance(f"stage `{stage}`: asked {self.asked} ≠ parsed {self.parsed} + failed {self.failed}")
        if self.results != self.kept + self.rejected.total():
            raise BrokenBalance(
                f"stage `{stage}`: results {self.results} ≠ kept {self.kept} + rejected {self.rejected.total()}"
            )

    def plain(self) -> dict[str, Any]:
        """Return the books as JSON values."""
        return {
            "asked": self.asked, "parsed": self.parsed, "failed": self.failed, "results": self.results,
            "kept": self.kept, "rejected": dict(sorted(self.rejected.items())),
        }  # fmt: skip


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
    def facts(self) -> dict[str, Any]:
        """What the stage says of itself for the report."""
        facts: dict[str, Any] = self.manifest["facts"]
        return facts

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
        return count_rows(self.path / f"{table}.parquet") if self.has(table) else 0

    def read(self, record: type[R], table: str | None = None) -> Iterator[R]:
        """Stream a table; its name follows from the record."""
        name = table or next(n for n, entry in SCHEMAS.items() if entry.record is record)
        return read_table(self.path / f"{name}.parquet", record) if self.has(name) else iter(())

    @property
    def seconds(self) -> float:
        """Wall time it took when it was made."""
        made = self.path.parent / f"{self.path.name}.made.json"
        return float(json.loads(made.read_text())["seconds"]) if made.exists() else 0.0


@dataclass
class Output:
    """Where a stage puts what it makes, before it is sealed."""

    folder: Path
    scratch: Path
    """Kept between attempts at this stage and removed when it is sealed: checkpoints live here."""
    balance: Balance = field(default_factory=Balance)
    facts: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)
    wire_failures: list[str] = field(default_factory=list)
    """Errors of calls that never came through: the stage is not sealed while there are any."""
    _rejected: IO[bytes] | None = None  # a nameless file: there may be as many rejects as results

    def write(self, table: str, records: Iterable[Record]) -> int:
        """Write one table, streaming; returns the number of rows."""
        self.tables[table] = write_table(self.folder / f"{table}.parquet", table, records)
        return self.tables[table]

    def reject(self, rejected: Rejected, *, of_call: bool = False) -> None:
        """Book an item that goes no further: a whole reply (`of_call`) or one result."""
        if of_call:
            self.balance.failed += 1
            self.facts.setdefault("failed_calls", Counter())[rejected.reason] += 1
        else:
            self.balance.rejected[rejected.reason] += 1
        if self._rejected is None:
            self._rejected = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 — closed when the stage is
        self._rejected.write(orjson.dumps(rejected.row()) + b"\n")

    def _close(self, stage: str) -> None:
        self.balance.check(stage)
        if self._rejected is not None:
            self._rejected.seek(0)
            self.write("rejected", (Rejected.of(orjson.loads(line)) for line in self._rejected))
            self._rejected.close()


class Store:
    """`store/`: artifacts, scratch and ledger, shared by all runs below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"
        self.scratch = root / "scratch"
        for folder in (self.artifacts, self.scratch):
            folder.mkdir(parents=True, exist_ok=True)

    def find(self, stage: str, name: str, *, reused: bool = True) -> Artifact | None:
        """Return the sealed artifact of that stage and digest, or None."""
        path = self.artifacts / f"{stage}-{name}"
        manifest = path / "manifest.json"
        if not manifest.exists():
            return None
        content = json.loads(manifest.read_text())
        if content["manifest_version"] > MANIFEST_VERSION:
            raise SchemaTooNew(f"`{manifest}` is version {content['manifest_version']}, known is {MANIFEST_VERSION}")
        return Artifact(path, stage, name, content, reused)

    @staticmethod
    def digest_of(
        stage: str, version: int, settings: Settings | None, inputs: Sequence[Identified | str | None]
    ) -> str:
        """Return the name of what a stage makes of these inputs."""
        return digest(stage, version, _shown(settings), identity(inputs))

    def stage(
        self,
        stage: str,
        version: int,
        settings: Settings | None,
        inputs: Sequence[Identified | str | None],
        make: Callable[[Output], None],
    ) -> Artifact:
        """Return the sealed result of a stage, making it first where it is not there yet.

        Raises WireDown where calls failed on the wire: what came through is remembered, a new run asks the rest.
        """
        shown, names = _shown(settings), identity(inputs)
        name = self.digest_of(stage, version, settings, inputs)
        if found := self.find(stage, name):
            return found
        with self._alone(stage, name):
            if found := self.find(stage, name):
                return found
            began = time.monotonic()
            output = self._begin(stage, name)
            make(output)
            if output.wire_failures:
                shutil.rmtree(output.folder)
                raise WireDown(
                    f"stage `{stage}`: {len(output.wire_failures)} calls did not come through, the last one with: "
                    f"{output.wire_failures[-1]}. Everything that did is remembered; run again to ask only the rest"
                )
            output._close(stage)
            self._seal(output, stage, name, version, shown, names, time.monotonic() - began)
        sealed = self.find(stage, name, reused=False)
        assert sealed is not None
        return sealed

    def _begin(self, stage: str, name: str) -> Output:
        folder = self.artifacts / f".{stage}-{name}.making"
        shutil.rmtree(folder, ignore_errors=True)  # a crash left it
        folder.mkdir()
        scratch = self.scratch / f"{stage}-{name}"
        scratch.mkdir(exist_ok=True)
        return Output(folder, scratch)

    def _seal(
        self, output: Output, stage: str, name: str, version: int, settings: Any, inputs: Any, seconds: float
    ) -> None:
        manifest = {
            "manifest_version": MANIFEST_VERSION, "stage": stage, "digest": name, "version": version,
            "settings": settings, "inputs": inputs, "tables": output.tables, "balance": output.balance.plain(),
            "facts": output.facts,
        }  # fmt: skip
        (output.folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False))
        for path in [*sorted(output.folder.rglob("*")), output.folder]:
            _sync(path)
        target = self.artifacts / f"{stage}-{name}"
        (self.artifacts / f"{target.name}.made.json").write_text(json.dumps({"seconds": seconds, "at": time.time()}))
        output.folder.rename(target)
        _sync(self.artifacts)
        shutil.rmtree(output.scratch, ignore_errors=True)

    @contextmanager
    def _alone(self, stage: str, name: str) -> Iterator[None]:
        """Hold the right to make one stage; another process that wants it waits here."""
        lock = self.scratch / f"{stage}-{name}.lock"
        with lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
            # the file stays: removing it would let a third process lock a file nobody else sees


def _shown(settings: Settings | None) -> dict[str, Any]:
    return settings.identity() if settings is not None else {}


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
