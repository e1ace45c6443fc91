"""The one reader of YAML: 1.2's core schema, bounded, and told apart by line. Text in, plain values and their lines out.

What a recipe has no use for is refused by its line, since each of it has stopped a program somewhere: tags, merge keys (`<<`),
keys that are no scalars or stand twice, a second document, control characters, nesting without end. Aliases are read, each as
a copy; what they unfold to counts, so a bomb is refused before it unfolds. Dates are text, as 1.2 has it.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.nodes import ScalarNode

from orcamath.errors import RecipeError

__all__ = ["Lines", "Read", "read_yaml"]

MAX_CHARS, MAX_VALUES, MAX_DEPTH = 300_000, 20_000, 40
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STEERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")

Lines = dict[tuple[str, ...], int]
"""The line of every key and list item, by its path."""


class Read(NamedTuple):
    """What a text says."""

    value: object
    lines: Lines


class _Known(NamedTuple):
    value: object
    n: int


def read_yaml(text: str, where: str) -> Read:
    """Read one document; None where the text is empty. Raises RecipeError, which names `where`, the line, and what to do."""
    if len(text) > MAX_CHARS:
        raise RecipeError(f"{where}: {len(text):,} characters; a recipe has {MAX_CHARS:,} at most")
    if odd := _NOT_TEXT.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        raise RecipeError(f"{where}:{line}: not YAML: the character U+{ord(odd[0]):04X}; take it out")
    reader = _Reader(text, where)
    try:
        return Read(reader.document(), reader.lines)
    except MarkedYAMLError as e:
        place = f"{where}:{e.problem_mark.line + 1}" if e.problem_mark is not None else where
        raise RecipeError(
            f"{place}: not YAML: {e.problem}; mend that line (indent with blanks, quote odd texts)"
        ) from e
    except YAMLError as e:
        raise RecipeError(f"{where}: not YAML: {e}") from e


class _Reader:
    def __init__(self, text: str, where: str) -> None:
        self.where, self.lines = where, Lines()
        self._yaml = YAML(typ="safe", pure=True)
        self._events: Iterator[Event] = self._yaml.parse(text)
        self._known: dict[str, _Known | None] = {}  # None while its value is still being read
        self._n = 0

    def document(self) -> object:
        value, begun = None, False
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if begun:
                    self._refuse(event, "a second document; a recipe is one")
                if event.version not in (None, (1, 2)):
                    self._refuse(event, "`%YAML`: recipes are YAML 1.2; leave the line out")
                value, begun = self._value(next(self._events), (), 0), True
            elif isinstance(event, DocumentEndEvent | StreamEndEvent):
                continue
        return value

    def _refuse(self, event: Event, why: str) -> NoReturn:
        raise RecipeError(f"{self.where}:{event.start_mark.line + 1}: {why}")

    def _count(self, event: Event, n: int = 1) -> None:
        self._n += n
        if self._n > MAX_VALUES:
            self._refuse(event, f"more than {MAX_VALUES:,} values, aliases unfolded")

    def _value(self, event: Any, path: tuple[str, ...], depth: int) -> object:
        self._count(event)
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if event.ctag is not None and str(event.ctag):
            self._refuse(event, f"the tag `{event.ctag}`; tags are not read, quote what is meant as text")
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} deep")
        before = self._n
        if event.anchor is not None:
            self._known[event.anchor] = None
        if isinstance(event, ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, SequenceStartEvent):
            value = self._list(path, depth)
        else:
            value = self._mapping(path, depth)
        if event.anchor is not None:
            self._known[event.anchor] = _Known(value, self._n - before)
        return value

    def _alias(self, event: Any) -> object:
        if event.anchor not in self._known:
            self._refuse(event, f"`*{event.anchor}`, and nothing above is called `&{event.anchor}`")
        if (known := self._known[event.anchor]) is None:
            self._refuse(event, f"`*{event.anchor}` stands within `&{event.anchor}` itself")
        self._count(event, known.n)
        return copy.deepcopy(known.value)

    def _list(self, path: tuple[str, ...], depth: int) -> list[object]:
        found: list[object] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            place = (*path, str(len(found)))
            self.lines[place] = event.start_mark.line + 1
            found.append(self._value(event, place, depth + 1))
        return found

    def _mapping(self, path: tuple[str, ...], depth: int) -> dict[object, object]:
        found: dict[object, object] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._refuse(event, "a key that is no plain word")
            key = self._value(event, path, depth + 1)
            if key in found:
                self._refuse(event, f"the key `{key}` stands twice; leave one of them out")
            place = (*path, str(key))
            self.lines[place] = event.start_mark.line + 1
            found[key] = self._value(next(self._events), place, depth + 1)
        return found

    def _scalar(self, event: ScalarEvent) -> object:
        text = str(event.value)
        if odd := _STEERS.search(text):
            self._refuse(event, f"the character U+{ord(odd[0]):04X} in a text; take it out")
        if not event.implicit[0]:  # quoted, or a block
            return text
        kind = str(self._yaml.resolver.resolve(ScalarNode, text, (True, False))).rpartition(":")[2]
        if kind == "merge":
            self._refuse(event, "`<<`: merging is no part of YAML 1.2; write the keys out, or use `variants`")
        try:
            return _of_kind(kind, text)
        except ValueError:
            self._refuse(event, f"`{text[:40]}` is no number that can be read")


def _of_kind(kind: str, text: str) -> object:
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            plain = text.replace("_", "")
            return int(plain, 0) if plain.lstrip("+-")[:2] in {"0b", "0o", "0x"} else int(plain)
        case "float":
            plain = text.replace("_", "").lower()
            return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
        case _:
            return text
