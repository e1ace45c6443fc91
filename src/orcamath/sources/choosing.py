"""What a recipe says of its sources: which become seeds, which are measured on, and the names of their contents."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, field_validator, model_validator

from orcamath.errors import DataError
from orcamath.extend import offered
from orcamath.records import Settings, Split, outside_digest
from orcamath.sources.hub_rows import commit_of, hub_set
from orcamath.sources.rows import FORMS
from orcamath.sources.source import Reader, SourceSettings, is_generated

__all__ = [
    "BenchmarksSettings",
    "FileSettings",
    "ReadingSettings",
    "SeedsSettings",
    "SharesSettings",
    "contents_of",
    "together",
]


class SharesSettings(Settings):
    """How a set without official splits is divided, in per cent of its near-duplicate clusters; the rest is for training."""

    test: int = Field(default=20, ge=0, le=100)
    dev: int = Field(default=10, ge=0, le=100)


class ReadingSettings(Settings):
    """What seeds and benchmarks have in common."""

    sources: tuple[SourceSettings, ...] = ()
    among: tuple[SourceSettings, ...] = ()
    """Other sources that are clustered along: the benchmarks' for the seeds, and the other way round (`together`)."""
    clusters: Literal["near", "exact"] = "near"
    """Near-duplicates make one cluster; `exact` compares texts word for word, and reads each source once."""
    shares: SharesSettings = SharesSettings()
    """Of sets without official splits. Where seeds are read too, theirs count for the benchmarks as well (`together`)."""
    path: str | None = outside_digest(None)
    """A folder for every source that names no `path` of its own."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        """Take `seeds: lila` for `seeds: {sources: [{name: lila}]}`, and a source's name for a source."""
        if isinstance(value, str | list):
            value = {"sources": [value] if isinstance(value, str) else value}
        if isinstance(value, dict) and isinstance(value.get("sources"), list):
            value = value | {"sources": [{"name": s} if isinstance(s, str) else s for s in value["sources"]]}
            if value.get("path") is not None:
                value["sources"] = [_under(value["path"], s) for s in value["sources"]]
        return value

    @property
    def named(self) -> tuple[SourceSettings, ...]:
        """All sources that are read: whose readers are needed and whose contents enter the digest."""
        return self.sources if self.clusters == "exact" else (*self.sources, *self.among)

    def contents(self) -> list[str]:
        """Name the content of every source that is read. Raises DataError where there is none."""
        return contents_of(self.named)


def _under(folder: str, source: object) -> object:
    """Let a source lie in the folder of them all, unless it says where it is, or reads none of these sets' own files."""
    if not isinstance(source, dict) or source.get("path") is not None:
        return source
    name = str(source.get("name"))
    return source if name == "hub" or offered("source", name) is not None else source | {"path": folder}


class SeedsSettings(ReadingSettings):
    """The problems everything grows from."""

    limit: int | None = Field(default=None, ge=1)
    """At most so many in all, taken from the sources in turn; in file order within each."""
    splits: tuple[Split, ...] = ("train", "dev")
    """Splits that become seeds where a source does not name its own (paper: train and validation)."""
    allow_test: tuple[str, ...] = ()
    """Sources whose test split may become seeds, by name. Whoever names one must not measure on it."""


class BenchmarksSettings(ReadingSettings):
    """What students are measured on. The `source` of a problem is the benchmark's name."""

    limit: int | None = Field(default=None, ge=1)
    """At most so many of each benchmark, in file order; of a source that holds several, such as `lila`, of each of them."""
    split: Split = "test"
    """The split taken where a source does not name its own."""
    answers: Literal["any", "number"] = "any"
    """`number` keeps problems whose answer is a single number, as the paper does in its table of six further benchmarks."""
    whole: bool = False
    """Take a set that has no official splits as if all of it were for testing, not the part drawn for it."""

    @field_validator("sources")
    @classmethod
    def _told_apart(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        """Refuse two sources of one title, but for two splits of one set and those that are `called` the same on purpose."""
        for i, source in enumerate(sources):
            for other in sources[:i]:
                splits = source.name == other.name and source.split != other.split
                if source.title == other.title and not splits and not (source.called and other.called):
                    raise ValueError(
                        f"two sources are `{source.title}`, and their problems would have one score; say `called: NAME` on one"
                    )
        return sources


def together(
    seeds: SeedsSettings, tests: BenchmarksSettings, readers: Mapping[str, Reader]
) -> tuple[SeedsSettings, BenchmarksSettings]:
    """Let seeds and benchmarks be clustered in one go, so that both see the same clusters and the same drawn splits."""

    def whole(sources: Iterable[SourceSettings]) -> tuple[SourceSettings, ...]:
        return tuple(s.model_copy(update={"limit": None}) for s in sources if not is_generated(readers[s.name]))

    return (
        seeds.model_copy(update={"among": whole(tests.sources)}),
        tests.model_copy(update={"among": whole(seeds.sources)} | ({"shares": seeds.shares} if seeds.sources else {})),
    )


class FileSettings(Protocol):
    """Settings that may name a local file."""

    @property
    def path(self) -> str | None:
        """Where it lies."""
        ...


def contents_of(sources: Iterable[FileSettings]) -> list[str]:
    """Name the content of every source: a hash of local files (which their place is not part of), a hub set's commit.

    Of files of one's own, and of Lila's, the folders below `path` count, since they may say the split, or the task.
    Raises DataError where a path does not exist or the hub does not tell.
    """
    return [name for s in sources for name in _content(s)]


def _content(settings: FileSettings) -> Iterator[str]:
    if settings.path is not None:
        path = Path(settings.path).expanduser()
        if not path.exists():
            raise DataError(f"`{path}` does not exist; mend the source's `path`")
        own = isinstance(settings, SourceSettings) and settings.name in ("file", "lila") and path.is_dir()
        for file in _files(path):
            below = file.relative_to(path).parent.as_posix() if own else "."
            yield _file_hash(file) if below == "." else f"{_file_hash(file)} in {below}"
    elif isinstance(settings, SourceSettings) and (hub := hub_set(settings)) is not None:
        if Path(hub.name).exists():
            yield from (_file_hash(p) for p in _files(Path(hub.name)))
        else:
            yield f"{hub.name}@{commit_of(hub.name, settings.revision)}"


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if _readable(p))


def _readable(path: Path) -> bool:
    return path.is_file() and any(s.lower() in (*FORMS, ".xml") for s in path.suffixes)


def _file_hash(path: Path) -> str:
    hashed = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                hashed.update(block)
    except OSError as e:
        raise DataError(f"cannot read `{path}`: {e.strerror or e}; mend the path or its permissions") from e
    return hashed.hexdigest()
