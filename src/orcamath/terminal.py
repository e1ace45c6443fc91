"""The one place where text reaches the terminal, and the only one that steers it.

A message holds what servers, models, files, recipe keys and file names wrote. `guarded` stands before stdout and stderr for as
long as a process of ours works, so that our own lines, warnings of libraries, messages of click and errors of threads all pass
through `visible`, and no caller can forget it. Control sequences are written here only: `clear_line`, and by rich through
`console`, which makes the text of all it draws visible first.
"""

import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from orcamath.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["clear_line", "console", "guarded", "logged"]

CLEAR = "\r\x1b[2K"
"""Takes a line away that was drawn without an end."""


class _Guarded(io.TextIOBase):
    """A text stream that makes visible what is written to it. rich writes past it, since its texts were made visible before."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream  # the attribute by which rich finds the stream behind a wrapper
        self.buffer = getattr(stream, "buffer", None)

    @property
    def encoding(self) -> str:  # type: ignore[override] # an attribute of io's, which can only be read here
        return self.rich_proxied_file.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override] # as above
        return self.rich_proxied_file.errors

    def write(self, text: str) -> int:
        shown = visible(text)
        try:
            self.rich_proxied_file.write(shown)
        except UnicodeEncodeError:  # a terminal of few letters, such as ASCII
            self.rich_proxied_file.write(shown.encode(self.encoding, "backslashreplace").decode(self.encoding))
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self.rich_proxied_file.flush()

    def isatty(self) -> bool:
        return self.rich_proxied_file.isatty()

    def fileno(self) -> int:
        return self.rich_proxied_file.fileno()


@contextmanager
def guarded() -> Iterator[None]:
    """Let nothing raw through stdout and stderr meanwhile; every process of ours works inside this."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (s if isinstance(s, _Guarded) else cast(TextIO, _Guarded(s)) for s in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Said(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # a terminal that is gone: nobody can be told, and nothing ends by it
            self.say(record.getMessage())


@contextmanager
def logged(say: Callable[[str], None]) -> Iterator[None]:
    """Hand every warning of ours to `say` meanwhile: the process of an arm puts the arm's name before it."""
    log, said = logging.getLogger("orcamath"), _Said(say)
    log.addHandler(said)
    try:
        yield
    finally:
        log.removeHandler(said)


def clear_line(text: str = "") -> None:
    """Take away what stands on a terminal's last line, and write `text` there; off a terminal just write it."""
    if sys.stderr.isatty():
        getattr(sys.stderr, "rich_proxied_file", sys.stderr).write(CLEAR)
    sys.stderr.write(text)
    sys.stderr.flush()


def console(**options: Any) -> "Console":
    """Return a rich console (`options` are rich's) in whose text nothing steers the terminal."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Visible(Console):
        """Every piece of text passes through `render`, in tables, titles and bars alike."""

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=visible(segment.text))

    return Visible(**options)
