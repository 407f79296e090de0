"""One YAML file as plain data, and where each part of it stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import JsonValue

from runner.config.codes import Rule
from runner.config.composer import Composer, Places, Refused
from runner.config.path import Path
from runner.config.text import Text, decode, forbidden
from runner.diagnostics import Diagnostic, Span


@dataclass(frozen=True, slots=True)
class Document:
    """The data is never changed: positions are found through the identity of its containers.

    `faults` are the paths of values that were reported already; their data is not what the user meant.
    """

    text: Text
    data: dict[str, JsonValue]
    faults: tuple[Path, ...]
    _places: Places = field(repr=False)
    _root: tuple[int, int] = (0, 1)
    _ordinals: dict[int, dict[str, int]] = field(default_factory=dict, repr=False)

    @property
    def file(self) -> str:
        return self.text.file

    def at(self, path: Path) -> JsonValue:
        """The value at a path, as written. None where the path ends nowhere."""
        value: JsonValue = self.data
        for part in path:
            if not _has(value, part):
                return None
            value = child(value, part)
        return value

    def existing(self, path: Path) -> Path:
        return existing(self.data, path)

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Where the value at a path stands, or its key. A path that ends nowhere gives the nearest part that is there.

        That part is then pointed at by its key, since what is missing belongs in its value.
        """
        start, end = self._root
        key_start, key_end = start, start + 1
        value: JsonValue = self.data
        for part in path:
            if not _has(value, part):
                return self.text.span(key_start, key_end)
            place = 4 * self._ordinal(value, part)
            key_start, key_end, start, end = self._places[id(value)][place : place + 4]
            value = child(value, part)
        return self.text.span(key_start, key_end) if key else self.text.span(start, end)

    def _ordinal(self, container: JsonValue, part: str | int) -> int:
        if not isinstance(container, dict):
            return int(part)
        if id(container) not in self._ordinals:
            self._ordinals[id(container)] = {name: place for place, name in enumerate(container)}
        return self._ordinals[id(container)][str(part)]


def _has(container: JsonValue, part: str | int) -> bool:
    if isinstance(container, dict):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and part < len(container)


def existing(data: JsonValue, path: Path) -> Path:
    """As much of a path as there is. What stands for a list in its short form is passed over: `share: [tags]`."""
    found: Path = ()
    for part in path:
        if _has(data, part):
            data = child(data, part)
            found += (part,)
        elif not (isinstance(data, list) and isinstance(part, str)):
            break
    return found


def child(container: JsonValue, part: str | int) -> JsonValue:
    """What a container holds under a key or at a place; None for nothing."""
    if isinstance(container, dict) and isinstance(part, str):
        return container.get(part)
    if isinstance(container, list) and isinstance(part, int) and part < len(container):
        return container[part]
    return None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What reading one file gave. `text` is there for excerpts even where the document is not."""

    document: Document | None
    text: Text | None
    diagnostics: tuple[Diagnostic, ...]


def parse(file: str, data: bytes) -> Parsed:
    """Read the bytes of one YAML file whose root is a mapping. Everything wrong with it becomes a diagnostic."""
    text, diagnostics = decode(file, data)
    if text is None:
        return Parsed(None, None, tuple(diagnostics))
    if refused := forbidden(text):
        return Parsed(None, text, (*diagnostics, *refused))
    composer = Composer(text)
    try:
        root = composer.compose()
    except Refused as refusal:
        return Parsed(None, text, (*diagnostics, *composer.diagnostics, refusal.diagnostic))
    diagnostics += composer.diagnostics
    if isinstance(root, dict):
        return Parsed(
            Document(text, root, tuple(composer.faults), composer.places, composer.root_span), text, tuple(diagnostics)
        )
    return Parsed(None, text, (*diagnostics, _no_mapping(root, text, composer.root_span)))


def _no_mapping(root: JsonValue, text: Text, root_span: tuple[int, int]) -> Diagnostic:
    if root is None:
        return Diagnostic(Rule.EMPTY_FILE, f"`{text.file}` is empty", text.span(0, 1))
    kind = "a list" if isinstance(root, list) else "a single value"
    message = f"`{text.file}` holds {kind} where a mapping belongs"
    return Diagnostic(Rule.NOT_A_MAPPING, message, text.span(*root_span), hint="write `key: value` lines")
