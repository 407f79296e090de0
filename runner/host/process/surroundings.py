"""What an ensemble in a process is given by its runner, and what it is in one generation."""

from __future__ import annotations

from dataclasses import dataclass

from runner.bus.events import Events
from runner.bus.work_queues import WorkQueues
from runner.capability import CapabilityInfo
from runner.functions.loading import ModuleSpace
from runner.host.inline_desk import InlineDesk
from runner.host.process.outlooks import Outlooks
from runner.host.version import Generation
from runner.model import Ensemble


@dataclass(slots=True, eq=False)
class ProcessVersion:
    """One ensemble in one generation, in a process, which tells of its capabilities once it has the code."""

    generation: Generation
    ensemble: Ensemble
    modules: ModuleSpace
    capabilities: tuple[CapabilityInfo, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What every ensemble in a process needs of its runner."""

    runner: str
    desk: InlineDesk
    queues: WorkQueues
    events: Events
    outlooks: Outlooks
