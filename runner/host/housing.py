"""Where the ensembles of one runner live: in its own process, or each in one of its own, as the file says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import assert_never
from weakref import WeakSet

from runner.bus.work_queues import WorkQueues
from runner.functions.loading import ModuleSpace
from runner.host.ensemble import HostedEnsemble
from runner.host.foundation import Foundation
from runner.host.hosted import Hosted
from runner.host.process.ensemble import ProcessEnsemble
from runner.host.process.outlooks import Outlooks
from runner.host.process.surroundings import Surroundings
from runner.host.version import Generation
from runner.work import Placement


class Housing:
    """Of one runner, until `close`."""

    def __init__(self, ground: Foundation) -> None:
        self._ground = ground
        self._outlooks = Outlooks(ground.registry)
        self._housed: WeakSet[HostedEnsemble | ProcessEnsemble] = WeakSet()
        queues = WorkQueues(ground.connection, ground.subjects)
        self._around = Surroundings(ground.pulse.runner, ground.desk, queues, ground.events, self._outlooks)

    def everyone(self) -> tuple[HostedEnsemble | ProcessEnsemble, ...]:
        """Every ensemble that lives here, also one that another has taken the place of."""
        return tuple(self._housed)

    def house(self, generation: Generation, name: str, modules: ModuleSpace) -> Hosted:
        """An ensemble that was never started, with its code from `modules`."""
        hosted = self._new(generation, name, modules)
        self._housed.add(hosted)
        return hosted

    def _new(self, generation: Generation, name: str, modules: ModuleSpace) -> HostedEnsemble | ProcessEnsemble:
        match generation.network.ensembles[name].placement:
            case Placement.INLINE:
                ground = self._ground
                return HostedEnsemble(generation, name, ground.desk, modules=modules, runner=ground.pulse.runner)
            case Placement.PROCESS:
                return ProcessEnsemble(generation, name, self._around, modules=modules)
            case other:
                assert_never(other)

    async def show(self, hosted: Iterable[Hosted]) -> None:
        """Every process of these has seen what is on offer now, and works by what it was told, or does not answer."""
        if apart := [one for one in hosted if one.placement is Placement.PROCESS]:
            self._outlooks.tell()
            await asyncio.gather(*(one.switched() for one in apart))

    async def close(self) -> None:
        """No process is told of anything any more."""
        await self._outlooks.close()
