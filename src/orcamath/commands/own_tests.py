"""A user's own files to measure on: what is said of them in the words of `evaluate`, whose sources no recipe names.

In: the sources, and what came of reading them. Out: messages.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from orcamath.errors import OrcamathError
from orcamath.judges.file import read_rows
from orcamath.records import Rejected
from orcamath.sources.rows import FORMS, form_of
from orcamath.sources.source import SourceSettings
from orcamath.store.artifacts import Artifact

__all__ = ["as_options", "left_out", "looks_like_file"]


def looks_like_file(name: str) -> bool:
    """Tell whether a benchmark was named by its file; a source of one's own is a `.py` file."""
    path = Path(name)
    return path.suffix != ".py" and (path.is_file() or form_of(path) in FORMS)


def as_options(said: str, sources: Sequence[SourceSettings]) -> str:
    """Return what reading said of sources, which a recipe would mend by a key, with the option that does it here."""
    if "`on_bad_line: skip`" in said:
        return f"{said.partition(' Mend that line')[0]} Mend that line, or leave such lines out with --skip-bad"
    if "nothing to take from" not in said:
        return said
    return " ".join([f"{said}.", *_columns(sources)]) if any(s.name == "file" for s in sources) else said


def _columns(sources: Sequence[SourceSettings]) -> Iterator[str]:
    """Say how the column of answers is named here, and which columns each file has."""
    yield "Here that is `--column answer=YOURS`."
    for source in sources:
        with suppress(OrcamathError):
            if source.path is not None and (row := next(read_rows(Path(source.path)), None)) is not None:
                yield f"`{source.path}` has the columns {', '.join(f'`{name}`' for name in row)}."


def left_out(made: Artifact, sources: Sequence[SourceSettings]) -> Iterator[str]:
    """Say how many rows of files are not measured on, by reason."""
    if any(s.name == "file" for s in sources):
        counts = Counter(reason for (reason,) in made.columns(Rejected, "reason"))
        for reason, n in counts.most_common():
            yield f"{n:,} row{'s are' if n > 1 else ' is'} not measured on: `{reason}`"
