"""Where an ensemble in a process is between STARTING and STOPPED, as its runner has it, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from logging import Logger

from runner.bus.away import AWAY
from runner.errors import ServerFailed
from runner.host.desk import Desk
from runner.registration import Registration
from runner.work import EnsembleState


@dataclass(slots=True, eq=False)
class Lifecycle:
    """Of the ensemble `name` on `runner`, through one process after the other."""

    name: str
    runner: str
    desk: Desk
    log: Logger
    state: EnsembleState = EnsembleState.STARTING
    detail: str | None = None
    held: bool = False
    """It is prepared, and works only once it is admitted."""
    retired: bool = False
    """The network has it no more, and it serves those who still know it."""
    ending: bool = False
    """It is on its way out: no process takes the place of one that ends."""
    succeeded: bool = False
    """Another of its name has taken over: of this one nothing is told."""

    def move(self, state: EnsembleState, detail: str | None = None) -> None:
        """It is in this state from now on."""
        self.state, self.detail = state, detail
        if not self.succeeded:
            self.desk.moved(self.name, state, detail)

    def said(self, state: EnsembleState, detail: str | None) -> None:
        """What the process says of itself. That it is gone, its runner says; one that is not well goes on."""
        if state is EnsembleState.DEGRADED:
            self.desk.moved(self.name, state, detail)
        elif state is not EnsembleState.STOPPED:
            self.move(state, detail)

    async def down(self, detail: str) -> None:
        """Nobody is led to it any more, until it is up again."""
        self.log.warning("%s", detail)
        self.move(EnsembleState.DEGRADED, detail)
        await self._register(EnsembleState.DEGRADED, "nobody could be told that it is down")

    async def gone(self) -> None:
        """Nothing is registered any more, also where the process could not say so."""
        if not self.succeeded:
            await self._register(EnsembleState.STOPPED, "while stopping")

    async def _register(self, state: EnsembleState, what: str) -> None:
        try:
            await self.desk.register(Registration(ensemble=self.name, runner=self.runner, state=state))
        except (ServerFailed, *AWAY) as problem:
            self.log.warning("%s: %s", what, problem)
