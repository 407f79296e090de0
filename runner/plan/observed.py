"""What runs, in one snapshot, and what is wanted in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.model import Network

Modules = Mapping[str, Mapping[str, str]]
"""Of each ensemble: every Python file that its functions come from or import below the directory, with its digest."""


@dataclass(frozen=True, slots=True)
class Running:
    """What an ensemble has to do, on all runners together."""

    in_flight: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class Desired:
    """What the files say now. `secrets` are the texts that references brought in: no change shows them."""

    network: Network
    modules: Modules = field(default_factory=dict)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is applied, and how busy it is. `generation` is the number of the applied configuration."""

    generation: int
    network: Network
    modules: Modules = field(default_factory=dict)
    running: Mapping[str, Running] = field(default_factory=dict)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def load(self, ensemble: str | None) -> Running:
        """What the ensemble has to do; nothing, for one that is not there."""
        return self.running.get(ensemble, Running()) if ensemble is not None else Running()
