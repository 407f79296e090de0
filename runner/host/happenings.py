"""What a runner tells whoever watches it, as it comes up, works and goes down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.applied import Applied
from runner.errors import EnsembleNetworkError
from runner.event import Event
from runner.model import Network
from runner.plan.plan import Plan
from runner.work import EnsembleState


@dataclass(frozen=True, slots=True)
class ServerReady:
    """The NATS server answers. `version` is None for one that does not tell; `joined` is whose it is, if another's."""

    url: str
    embedded: bool
    version: str | None
    milliseconds: float
    joined: int | None = None


@dataclass(frozen=True, slots=True)
class Configured:
    """What is to run is settled. `own`: it is what the runner's own directory says."""

    network: Network
    applied: Applied
    own: bool


@dataclass(frozen=True, slots=True)
class EnsembleMoved:
    """An ensemble entered a state. `milliseconds` counts from the start of the runner."""

    ensemble: str
    state: EnsembleState
    milliseconds: float
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkReady:
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know: one line, no trailing full stop needed."""

    message: str


@dataclass(frozen=True, slots=True)
class Worked:
    """Something happened to a request."""

    event: Event


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A change is in force: the network runs `plan.generation` no more, but `generation`.

    `by` is who asked for it, where that was a client and not a save; `restores` the generation that it goes back to.
    """

    network: Network
    plan: Plan
    generation: int
    milliseconds: float
    by: str | None = None
    restores: int | None = None


@dataclass(frozen=True, slots=True)
class ReloadRefused:
    """A saved change is not in force, and nothing of it: the network runs `generation` as before."""

    problem: EnsembleNetworkError
    generation: int
    milliseconds: float


Happening = ServerReady | Configured | EnsembleMoved | NetworkReady | Notice | Worked | Reloaded | ReloadRefused
Watcher = Callable[[Happening], None]
