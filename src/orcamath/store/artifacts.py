"""Sealed results of stages, by digest. A digest names what made a thing: stage, version, settings, inputs.

`Store.stage` looks a stage up; if it is not sealed it is made in a temporary folder, synced, and renamed into place in one
step, so a folder under `artifacts/` is whole or absent. Two processes that want the same stage: the second waits and finds
it sealed. Nothing in a sealed folder depends on when, where or how fast it was made; that goes into `made.json` beside it.

What is sealed stays true: the manifest holds a hash of every file and of itself. Tables are held against theirs when they are
found again and when they are read; a folder that is no longer what was sealed is set aside and made anew.
"""

import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

import orjson

from orcamath.errors import BrokenBalance, RepliesDamaged, WireDown
from orcamath.machines import HERE, Machines
from orcamath.ports import Progress, Silent
from orcamath.records import Record, Rejected, Settings, digest
from orcamath.store.budget import Budget
from orcamath.store.facts import Facts
from orcamath.store.links import no_way_out
from orcamath.store.locks import wait_for
from orcamath.store.placing import sync
from orcamath.store.sealed import MANIFEST_VERSION, Artifact, manifest_of, set_aside
from orcamath.store.seals import hash_of, seal, write_sealed
from orcamath.store.tables import write_table
from orcamath.store.under_way import Calls, stage_under_way

__all__ = ["Artifact", "Balance", "Identified", "Output", "Store", "identity"]

log = logging.getLogger("orcamath")


@runtime_checkable
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
    owed: int = 0
    """Results that were handed on and are neither kept nor rejected yet."""

    def check(self, stage: str) -> None:
        """Raise BrokenBalance where the books do not add up."""
        if self.asked != self.parsed + self.failed:
            raise BrokenBalance(f"stage `{stage}`: asked {self.asked} ≠ parsed {self.parsed} + failed {self.failed}")
        if self.owed:
            raise BrokenBalance(f"stage `{stage}`: {self.owed} results were handed on and neither kept nor rejected")
        if self.results != self.kept + self.rejected.total():
            raise BrokenBalance(
                f"stage `{stage}`: results {self.results} ≠ kept {self.kept} + rejected {self.rejected.total()}"
            )

    def plain(self) -> dict[str, object]:
        """Return the books as JSON values."""
        return {
            "asked": self.asked,
            "parsed": self.parsed,
            "failed": self.failed,
            "results": self.results,
            "kept": self.kept,
            "rejected": dict(sorted(self.rejected.items())),
        }


def _nowhere(**_: object) -> None:
    pass


@dataclass
class Output:
    """Where a stage puts what it makes, before it is sealed."""

    folder: Path
    scratch: Path
    """Kept between attempts at this stage and removed when it is sealed: checkpoints live here."""
    calls: Calls
    """What models were asked for it; written by the models themselves."""
    progress: Progress = field(default_factory=Silent)
    """Where the stage says how far it is."""
    metric: Callable[..., None] = _nowhere
    """Where a training puts the numbers of a step."""
    shared: Path | None = None
    """Folder for what stages of all runs may share, such as reference log-probs."""
    machines: Machines = HERE
    """Who does work that is the same block by block, and trains in several processes."""
    balance: Balance = field(default_factory=Balance)
    failed_calls: Counter[str] = field(default_factory=Counter)
    """Whole replies that could not be used, by reason."""
    agents: dict[str, Counter[str]] = field(default_factory=dict)
    """Agent → its calls, its results and their tokens."""
    tables: dict[str, int] = field(default_factory=dict)
    _rejected: IO[bytes] | None = None  # a nameless file: there may be as many rejects as results

    def write(self, table: str, records: Iterable[Record]) -> int:
        """Write one table, streaming; returns the number of rows."""
        self.tables[table] = write_table(self.folder / f"{table}.parquet", table, records)
        return self.tables[table]

    def parsed(self) -> None:
        """Book a call whose reply was read. One that could not be read is rejected (`of_call`)."""
        self.balance.asked += 1
        self.balance.parsed += 1

    def owe(self) -> None:
        """Book a result that is handed on: whoever gets it keeps or rejects it with `owed`, or the stage is not sealed."""
        self.balance.results += 1
        self.balance.owed += 1

    def keep(self, n: int = 1, *, owed: bool = False) -> None:
        """Book results that go into a table."""
        self.balance.kept += n
        self._settle(n, owed)

    def reject(self, rejected: Rejected, *, of_call: bool = False, owed: bool = False) -> None:
        """Book an item that goes no further: a whole reply (`of_call`) or one result."""
        if of_call:
            self.balance.asked += 1
            self.balance.failed += 1
            self.failed_calls[rejected.reason] += 1
        else:
            self.balance.rejected[rejected.reason] += 1
            self._settle(1, owed)
        if self._rejected is None:
            self._rejected = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 — closed when the stage is
        self._rejected.write(orjson.dumps(rejected.row()) + b"\n")

    def booked(self) -> dict[str, object]:
        """Return the facts that were booked here, as JSON values; none where no model was asked in vain or by an agent."""
        books = {"failed_calls": dict(self.failed_calls), "agents": {name: dict(n) for name, n in self.agents.items()}}
        return {what: n for what, n in books.items() if n}

    def _settle(self, n: int, owed: bool) -> None:
        if owed:
            self.balance.owed -= n
        else:
            self.balance.results += n

    def _close(self, stage: str) -> None:
        """Check the books and write what was rejected. Raises WireDown where calls failed on the wire."""
        if failures := self.calls.failures:
            raise WireDown(
                f"stage `{stage}`: {len(failures)} calls did not come through, the last one with: "
                f"{failures[-1]}. Everything that did is remembered; run again to ask only the rest"
            )
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
        self.machines = HERE
        """Handed to every stage."""
        self.ahead: set[str] = set()
        """Names of artifacts made here ahead of whoever asks for them next: to them they are new."""
        no_way_out(root, (path for depth in ("*", "*/*", "runs/*/*") for path in root.glob(depth)))
        for folder in (self.artifacts, self.scratch):
            folder.mkdir(parents=True, exist_ok=True)

    def find(self, stage: str, name: str, *, reused: bool = True) -> Artifact | None:
        """Return the sealed artifact of that stage and digest, or None. Raises SchemaTooNew."""
        path = self.artifacts / f"{stage}-{name}"
        content = manifest_of(path / "manifest.json")
        return Artifact(path, stage, name, content, reused) if content is not None else None

    def _find_whole(self, stage: str, name: str) -> Artifact | None:
        """Return the sealed artifact if its tables are what was sealed; set it aside if they are not."""
        found = self.find(stage, name, reused=f"{stage}-{name}" not in self.ahead)
        if found is None or (file := found.changed_table()) is None:
            self.ahead.discard(f"{stage}-{name}")
            return found
        log.warning("`%s` is no longer what was sealed: made anew. %s", found.path / file, set_aside(found.path))
        return None

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
        make: Callable[[Output], Facts | None],
        *,
        budget: Budget | None = None,
        progress: Progress | None = None,
        metric: Callable[..., None] = _nowhere,
    ) -> Artifact:
        """Return the sealed result of a stage, making it first where it is not there yet, at the cost of `budget`.

        `make` fills the output and returns what the stage says of itself, or None. Raises WireDown where calls failed on
        the wire: what came through is remembered, a new run asks the rest.
        """
        name = self.digest_of(stage, version, settings, inputs)
        if found := self._find_whole(stage, name):
            return found
        with self._alone(stage, name), self._swept(stage, name):
            if found := self._find_whole(stage, name):
                return found
            began = time.monotonic()

            def made() -> tuple[Output, Facts | None]:
                with stage_under_way(stage, budget) as calls:
                    folder, scratch = self._begin(stage, name)
                    output = Output(folder, scratch, calls, progress or Silent(), metric, self.root, self.machines)
                    return output, make(output)

            try:
                output, facts = made()
            except RepliesDamaged as e:  # they are forgotten now, so that they are asked again
                log.warning("%s", e)
                output, facts = made()
            output._close(stage)
            manifest = {
                "manifest_version": MANIFEST_VERSION,
                "stage": stage,
                "digest": name,
                "version": version,
                "settings": _shown(settings),
                "inputs": identity(inputs),
                "facts": output.booked() | (facts or Facts()).plain(),
            }
            self._seal(output, stage, name, manifest, time.monotonic() - began)
        sealed = self.find(stage, name, reused=False)
        assert sealed is not None
        return sealed

    def _begin(self, stage: str, name: str) -> tuple[Path, Path]:
        folder = self._half(stage, name)
        shutil.rmtree(folder, ignore_errors=True)  # a process that was killed left it
        folder.mkdir()
        scratch = self.scratch / f"{stage}-{name}"
        scratch.mkdir(exist_ok=True)
        return folder, scratch

    def _seal(self, output: Output, stage: str, name: str, manifest: dict[str, object], seconds: float) -> None:
        manifest |= {
            "tables": output.tables,
            "balance": output.balance.plain(),
            "files": {
                str(f.relative_to(output.folder)): hash_of(f) for f in sorted(output.folder.rglob("*")) if f.is_file()
            },
        }
        (output.folder / "manifest.json").write_text(seal(manifest), encoding="utf-8")
        for path in [*sorted(output.folder.rglob("*")), output.folder]:
            sync(path)
        target = self.artifacts / f"{stage}-{name}"
        write_sealed(self.artifacts / f"{target.name}.made.json", {"seconds": seconds, "at": time.time()})
        if target.exists():  # its manifest is damaged, or it would have been found
            set_aside(target)
        output.folder.rename(target)
        sync(self.artifacts)
        shutil.rmtree(output.scratch, ignore_errors=True)

    @contextmanager
    def _alone(self, stage: str, name: str) -> Iterator[None]:
        """Hold the right to make one stage; another process that wants it waits here."""
        with wait_for(self.scratch / f"{stage}-{name}.lock", f"make `{stage}`"):
            yield

    def _half(self, stage: str, name: str) -> Path:
        """Return where a stage is made before it is sealed."""
        return self.artifacts / f".{stage}-{name}.making"

    @contextmanager
    def _swept(self, stage: str, name: str) -> Iterator[None]:
        """Leave nothing half made behind where something ends the block: only a process that is killed does. Checkpoints stay."""
        try:
            yield
        except BaseException:
            shutil.rmtree(self._half(stage, name), ignore_errors=True)
            with suppress(OSError):  # it is not empty
                (self.scratch / f"{stage}-{name}").rmdir()
            raise


def _shown(settings: Settings | None) -> dict[str, object]:
    return settings.identity() if settings is not None else {}
