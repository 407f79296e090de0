"""The beat: what a runner says of itself each second, and the lease by which one of them leads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pydantic import AwareDatetime, Field

from runner.work import EnsembleState, Priority, Wire


class Vitals(Wire):
    """How one ensemble is on one runner."""

    ensemble: str
    state: EnsembleState
    in_flight: int = 0
    """Pieces of work in hand: those in a slot, and those that wait for somebody else."""
    in_hand: dict[Priority, int] = Field(default_factory=dict)
    """How many of them are tasks, by priority."""
    slots: int = 1
    load: float = 0.0
    """Work in hand over slots."""
    constrained: bool = False
    """More waits than its `backpressure` allows."""
    queued: int = 0
    """How many tasks wait in its queue, for all replicas together, as far as this one looked."""
    waiting: int = 0
    """How many tool calls wait for a slot here."""
    took: dict[str, float] = Field(default_factory=dict)
    """The mean milliseconds from a slot to the answer, of each capability that was called here lately."""
    pid: int | None = None
    """Of its own process, where it has one."""
    detail: str | None = None
    """What kept it from an orderly end."""


class RefusedSave(Wire):
    """What was saved in a runner's directory and is not in force. `generation` is the one that runs on."""

    generation: int
    at: AwareDatetime
    diagnostics: tuple[str, ...] = ()


class Beat(Wire):
    """One sign of life of a runner. `ended` is the last one, said by a runner that stops in order."""

    runner: str
    pid: int
    host: str
    url: str
    """The server's address as people may see it."""
    server: str | None = None
    """The server's own id, new with each of its starts, by which `clients` are the runner's connections."""
    clients: tuple[int, ...] = ()
    started_at: AwareDatetime
    generation: int | None = None
    """By which applied configuration it works."""
    refused: RefusedSave | None = None
    """The last change that was saved in its directory, where it is not in force."""
    sequence: int
    ensembles: tuple[Vitals, ...] = ()
    ended: bool = False

    @cached_property
    def by_ensemble(self) -> Mapping[str, Vitals]:
        return {vitals.ensemble: vitals for vitals in self.ensembles}


class Lease(Wire):
    """Who leads. `epoch` grows by one whenever leadership passes to another; `runner` is None where it was given up."""

    runner: str | None = None
    epoch: int
    renewals: int = 0
