"""A mapping as the user wrote it, being freed of what is wrong with it, while its positions stay known."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import JsonValue

from runner.config.document import Document, child, existing
from runner.config.path import Path
from runner.diagnostics import Span

Mapping = dict[str, JsonValue]


@dataclass(slots=True)
class _Cuts:
    """What was taken out of one document, by paths as written. `kept` are the places of list items that are left.

    `above` are all paths that lead to something pruned, and `above_faults` those that lead to something wrong.
    """

    kept: dict[Path, list[int]] = field(default_factory=dict)
    pruned: set[Path] = field(default_factory=set)
    incomplete: set[Path] = field(default_factory=set)
    above: set[Path] = field(default_factory=set)
    above_faults: set[Path] = field(default_factory=set)

    def note(self, path: Path, *, unknown: bool, switched_off: bool) -> None:
        self.pruned.add(path)
        if unknown:
            self.incomplete.add(path[:-1])
        prefixes = {path[:length] for length in range(len(path) + 1)}
        self.above |= prefixes
        if not switched_off:
            self.above_faults |= prefixes


class Written:
    """A document, or one mapping in it. Paths start at that mapping and count list items as they are now.

    What is pruned leaves `data` and is remembered, so that nobody complains of its absence.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.prefix: Path = ()
        self.data = document.data
        self._owned = False
        self._cuts = _Cuts()

    @classmethod
    def of(cls, document: Document) -> Written:
        """A whole document, freed of what was found wrong on reading it."""
        written = cls(document)
        for fault in reversed(document.faults):
            written.prune(fault)
        return written

    @property
    def file(self) -> str:
        return self.document.file

    def part(self, path: Path, data: Mapping) -> Written:
        """A mapping within this one as a thing of its own, which remembers what was pruned of it here."""
        part = Written(self.document)
        part.prefix, part.data, part._owned = self._as_written(path), data, self._owned
        part._cuts = self._cuts
        return part

    def span(self, path: Path, *, key: bool = False) -> Span:
        return self.document.span(self._as_written(path), key=key)

    def at(self, path: Path) -> JsonValue:
        """The value as written: before references were resolved, whether pruned or not."""
        return self.document.at(self._as_written(path))

    def existing(self, path: Path) -> Path:
        """As much of a path as stands in the data: a short form has no keys of its own."""
        return existing(self.data, path)

    def replace(self, data: Mapping) -> None:
        """Take other data of the same form that nobody else holds, such as with references resolved."""
        self.data = data
        self._owned = True

    def prune(self, path: Path, *, unknown: bool = False, switched_off: bool = False) -> None:
        """Take out what stands at a path; without one, everything.

        `unknown` says that it is a key nobody knows: then its siblings may lack what was meant. `switched_off` says
        that nothing is wrong with it.
        """
        written = self._as_written(path)
        self._cuts.note(written, unknown=unknown, switched_off=switched_off)
        if not path:
            self.replace({})
            return
        if not self._owned:
            self.replace(copied(self.data))
        parent = _find(self.data, path[:-1])
        last = path[-1]
        if isinstance(parent, dict) and isinstance(last, str):
            parent.pop(last, None)
        elif isinstance(parent, list) and isinstance(last, int) and last < len(parent):
            kept = self._cuts.kept.setdefault(written[:-1], list(range(len(parent))))
            del parent[last], kept[last]

    def is_doubtful(self, path: Path) -> bool:
        """Whether something may be missing at a path only because what is wrong was taken out."""
        if not self._cuts.pruned:
            return False
        written = self._as_written(path)
        if any(written[:length] in self._cuts.pruned for length in range(len(written) + 1)):
            return True
        return self.document.existing(written) in self._cuts.incomplete

    @property
    def is_as_it_stands(self) -> bool:
        """Whether it is the whole document, in which nothing was resolved and out of which nothing was taken."""
        return self.data is self.document.data and not self._cuts.pruned

    @property
    def is_whole(self) -> bool:
        """Whether nothing was taken out for being wrong."""
        return not self._cuts.above_faults

    def has_faults(self, path: Path) -> bool:
        """Whether something at or below a path was taken out for being wrong."""
        return self._as_written(path) in self._cuts.above_faults

    def is_thinned(self, path: Path) -> bool:
        """Whether something at or below a path was taken out."""
        return self._as_written(path) in self._cuts.above

    def _as_written(self, path: Path) -> Path:
        if not self._cuts.kept:
            return self.prefix + path
        written = self.prefix
        for part in path:
            kept = self._cuts.kept.get(written)
            if kept is not None and isinstance(part, int) and part < len(kept):
                written += (kept[part],)
            else:
                written += (part,)
        return written


def copied(data: Mapping) -> Mapping:
    """A deep copy that shares nothing, not even where aliases did."""
    return {key: _copied(value) for key, value in data.items()}


def _copied(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return copied(value)
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _find(data: JsonValue, path: Path) -> JsonValue:
    for part in path:
        data = child(data, part)
    return data
