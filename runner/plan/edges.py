"""The edges of a network as a plan tells them: who may come to ask whom, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from runner.model import Discovery
from runner.routing import wiring


@dataclass(frozen=True, slots=True)
class Edge:
    """One capability that a use may come to. `need` says what a discovered one is looking for, and makes no other edge
    of it."""

    ensemble: str
    use: str
    provider: str
    capability: str
    need: str | None = field(default=None, compare=False)
    fallback: bool = False

    @property
    def target(self) -> str:
        return f"{self.provider}/{self.capability}"

    def __str__(self) -> str:
        return f"{self.ensemble} → {self.target}"


def edges_of(wires: Iterable[wiring.Edge]) -> frozenset[Edge]:
    """Of the wiring of a network."""
    return frozenset(_edges(wires))


def _edges(wires: Iterable[wiring.Edge]) -> Iterator[Edge]:
    for wired in wires:
        need = _need(wired.use.target) if isinstance(wired.use.target, Discovery) else None
        for found in wired.candidates:
            yield Edge(wired.ensemble, wired.use.name, found.provider, found.name, need)
        if wired.fallback is not None:
            yield Edge(wired.ensemble, wired.use.name, wired.fallback.provider, wired.fallback.name, fallback=True)


def _need(discovery: Discovery) -> str:
    """`book-massage`, `wellness`, or `book-massage [wellness]`."""
    tags = ", ".join(discovery.tags)
    if discovery.name is None:
        return tags
    return f"{discovery.name} [{tags}]" if tags else discovery.name
