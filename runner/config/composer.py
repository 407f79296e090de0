"""YAML events → plain data, with where each part stands. Bounded in nodes and depth, aliases counted as expanded.

Composing from events instead of letting the library compose keeps deep nesting off the C stack, refuses duplicate
keys, and makes the cost of an alias known before anything walks the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, cast

import yaml
from pydantic import JsonValue
from yaml import events as emitted

from runner.config.codes import Rule
from runner.config.path import Path
from runner.config.scalars import OutOfRange, Scalar, resolve
from runner.config.text import Text
from runner.diagnostics import Diagnostic

MAX_DEPTH = 100
MAX_NODES = 1_000_000

Container = dict[str, JsonValue] | list[JsonValue]
Places = dict[int, list[int]]
"""By the identity of a container: for each child in order four offsets, of key start, key end, value start, value end.
An item of a list has its own offsets twice."""

_CORE = "tag:yaml.org,2002:"
_COLLECTION_TAGS = {None, "!", f"{_CORE}map", f"{_CORE}seq"}
_RESOLVED_TAGS = {f"{_CORE}{kind}" for kind in ("int", "float", "bool", "null")}
_TEXT_TAGS = {"!", f"{_CORE}str"}


class _Mark(Protocol):
    index: int


class _Event(Protocol):
    """What the parser's events have in common, as far as it is read here; scalars have all of it."""

    start_mark: _Mark
    end_mark: _Mark
    anchor: str | None
    tag: str | None
    implicit: tuple[bool, bool]
    value: str


class Refused(Exception):
    """The file cannot be read any further."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class _Frame:
    """A container under construction. In a mapping, `key` is the text of the key whose value comes next."""

    __slots__ = ("anchor", "container", "count", "is_mapping", "key", "key_end", "key_start", "places", "start")

    def __init__(self, container: Container, start: int, count: int, anchor: str | None) -> None:
        self.container = container
        self.is_mapping = type(container) is dict
        self.places: list[int] = []
        self.key: str | None = None
        self.key_start = self.key_end = 0
        self.start = start
        self.count = count
        self.anchor = anchor


class Composer:
    """Composes one document.

    `diagnostics` holds what was wrong but could be passed over, and `faults` the paths of the values concerned, whose
    data is not what the user meant.
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.diagnostics: list[Diagnostic] = []
        self.faults: list[Path] = []
        self.places: Places = {}
        self.root_span = (0, 1)
        self._root: list[JsonValue] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[JsonValue, int]] = {}
        self._count = 0

    def compose(self) -> JsonValue:
        """The data of the one document; None for an empty one. Raises Refused."""
        documents = 0
        for event in self._events():
            kind: type[object] = type(event)
            if kind is emitted.ScalarEvent:
                self._scalar(event)
            elif kind is emitted.MappingStartEvent:
                self._open({}, event)
            elif kind is emitted.SequenceStartEvent:
                self._open([], event)
            elif kind is emitted.MappingEndEvent or kind is emitted.SequenceEndEvent:
                self._close(event.end_mark.index)
            elif kind is emitted.AliasEvent:
                self._alias(event)
            elif kind is emitted.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._refuse(
                        Rule.SEVERAL_DOCUMENTS,
                        "a second document starts here",
                        event.start_mark,
                        "keep one document in a file, without `---` between parts",
                    )
        return self._root[0] if self._root else None

    def _events(self) -> Iterator[_Event]:
        loader = yaml.CSafeLoader(self.text.content)
        get_event = cast(Callable[[], _Event | None], loader.get_event)
        try:
            while (event := get_event()) is not None:
                yield event
                if isinstance(event, emitted.StreamEndEvent):
                    return
        except yaml.MarkedYAMLError as error:
            raise Refused(self._syntax(error)) from None
        except yaml.YAMLError as error:
            raise Refused(Diagnostic(Rule.INVALID_YAML, f"the YAML is broken: {error}", self.text.span(0, 1))) from None

    def _syntax(self, error: yaml.MarkedYAMLError) -> Diagnostic:
        mark = error.problem_mark or error.context_mark
        offset = mark.index if mark else 0
        if self.text.content[offset : offset + 1] == "\t":
            message = "a tab cannot indent YAML"
            return Diagnostic(
                Rule.TAB_INDENTATION, message, self.text.span(offset, offset + 1), hint="indent with spaces"
            )
        message = ", ".join(filter(None, [error.context, error.problem])) or "this is no YAML"
        return Diagnostic(Rule.INVALID_YAML, message, self.text.span(offset, offset + 1))

    def _scalar(self, event: _Event) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.is_mapping and frame.key is None:
            self._key(frame, event.value, start, end)
            if event.anchor:
                self._anchors[event.anchor] = (event.value, 1)
            return
        value: Scalar = event.value
        if event.tag is not None or event.implicit[0]:
            value = self._resolved(event, start, end)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, start, end, 1)

    def _resolved(self, event: _Event, start: int, end: int) -> Scalar:
        tag = event.tag
        if tag in _TEXT_TAGS:
            return event.value
        if tag is not None and tag not in _RESOLVED_TAGS:
            self._unknown_tag(tag, start, end)
            return event.value
        try:
            return resolve(event.value)
        except OutOfRange:
            written = event.value if len(event.value) <= 24 else f"{event.value[:12]}…"
            message = f"the number `{written}` is not finite, or does not fit in 64 bits"
            self._note(Rule.NUMBER_OUT_OF_RANGE, message, start, end, "write it in quotes if it is meant as text")
            self.faults.append(self._here())
            return event.value

    def _key(self, frame: _Frame, key: str, start: int, end: int) -> None:
        frame.key, frame.key_start, frame.key_end = key, start, end

    def _add(self, value: JsonValue, start: int, end: int, count: int) -> None:
        """Put a finished value where it belongs: into the innermost container, or at the root."""
        self._count += count
        if self._count > MAX_NODES:
            message = f"the file holds more than {MAX_NODES:,} values, those that aliases repeat included"
            hint = "split it: an ensemble may live in a file of its own"
            raise Refused(Diagnostic(Rule.TOO_LARGE, message, self.text.span(start, end), hint=hint))
        if not self._stack:
            self._root.append(value)
            self.root_span = (start, end)
            return
        frame = self._stack[-1]
        container = frame.container
        if type(container) is list:
            container.append(value)
            frame.places.extend((start, end, start, end))
        elif type(container) is dict and frame.key is not None:
            if frame.key in container:
                self._duplicate(frame)
            else:
                container[frame.key] = value
                frame.places.extend((frame.key_start, frame.key_end, start, end))
            frame.key = None
        elif not isinstance(value, str):
            self._key(frame, f"\0{start}", start, end)
            self._note(Rule.INVALID_KEY, "a key must be plain text", start, end, None)
            self.faults.append(self._here())
        else:
            self._key(frame, value, start, end)

    def _open(self, container: Container, event: _Event) -> None:
        start = event.start_mark.index
        if event.tag not in _COLLECTION_TAGS:
            self._unknown_tag(event.tag, start, start + 1)
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(Rule.TOO_DEEP, f"the nesting is deeper than {MAX_DEPTH} levels", event.start_mark, None)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Frame(container, start, self._count, event.anchor))

    def _close(self, end: int) -> None:
        frame = self._stack.pop()
        self.places[id(frame.container)] = frame.places
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.container, self._count - frame.count + 1)
        self._add(frame.container, frame.start, end, 1)

    def _alias(self, event: _Event) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        name = event.anchor
        if name in self._anchors:
            value, count = self._anchors[name]
            self._add(value, start, end, count)
        elif any(frame.anchor == name for frame in self._stack):
            self._refuse(
                Rule.RECURSIVE_ALIAS,
                f"the alias `*{name}` stands inside what it repeats",
                event.start_mark,
                "an alias can only repeat what is complete before it",
            )
        else:
            self._note(Rule.UNKNOWN_ANCHOR, f"no anchor `&{name}` stands above this alias", start, end, None)
            self.faults.append(self._here())
            self._add(None, start, end, 1)

    def _duplicate(self, frame: _Frame) -> None:
        container = frame.container
        first = list(container).index(frame.key) if frame.key is not None else 0
        line = self.text.span(frame.places[4 * first], frame.places[4 * first] + 1).line
        message = f"the key `{frame.key}` stands here a second time; the first is on line {line}"
        self._note(Rule.DUPLICATE_KEY, message, frame.key_start, frame.key_end, "keep one of the two")

    def _unknown_tag(self, tag: str | None, start: int, end: int) -> None:
        shown = (tag or "").removeprefix(_CORE)
        message = f"the YAML tag `{'!!' if shown != tag else ''}{shown}` means nothing here"
        self._note(Rule.UNKNOWN_YAML_TAG, message, start, end, "leave the tag out")
        self.faults.append(self._here())

    def _here(self) -> Path:
        """The path of the value that comes next."""
        return tuple(
            frame.key if frame.is_mapping and frame.key is not None else len(frame.container) for frame in self._stack
        )

    def _note(self, code: Rule, message: str, start: int, end: int, hint: str | None) -> None:
        self.diagnostics.append(Diagnostic(code, message, self.text.span(start, end), hint=hint))

    def _refuse(self, code: Rule, message: str, mark: _Mark, hint: str | None) -> None:
        raise Refused(Diagnostic(code, message, self.text.span(mark.index, mark.index + 1), hint=hint))
