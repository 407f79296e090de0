"""What a change leaves to be done: the work that began before it ends, then what nobody needs any more is taken away.

An ensemble that is gone from the network stops when its work has ended or the drain's time is up. What else is gone (a
tool, a leave to call) is there for as long as work that began before may need it, however long that works.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field

from runner.bus.away import AWAY
from runner.endings import ended
from runner.errors import ServerFailed
from runner.host.embedded import Quiet
from runner.host.foundation import Foundation
from runner.host.hosted import Hosted
from runner.host.replacing import alone
from runner.host.server import Site
from runner.host.users import LONGEST_DEADLINE
from runner.host.version import Generation

LOOK_SECONDS = 0.5
"""How often a queue is looked at that still holds tasks of a capability which is gone."""

_log = logging.getLogger("runner.host")


@dataclass(slots=True, eq=False)
class Aftermath:
    """Of one runner. One change is followed up at a time: `begin`, and `interrupt` before the next."""

    ground: Foundation
    site: Site
    hosted: dict[str, Hosted]
    quiet: Quiet
    _following: asyncio.Task[None] | None = None
    _withdrawing: bool = False
    _stopping: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def begin(self) -> None:
        """Follow up the change to the generation in force, or its being given up."""
        self._withdrawing = False
        self._following = asyncio.ensure_future(self._follow(self.ground.in_force.generation))

    async def interrupt(self) -> None:
        """The next change may begin: the last one is followed up, or has withdrawn nothing and leaves that to it."""
        following, self._following = self._following, None
        if following is None:
            return
        if self._withdrawing:
            await asyncio.wait((following,))
        else:
            await ended(following)

    async def gone(self, names: Collection[str] | None = None) -> None:
        """Those of these ensembles that are being stopped have stopped, within the bound of their drain."""
        stopping = [task for name, task in self._stopping.items() if names is None or name in names]
        if stopping:
            await asyncio.wait(stopping)

    async def settled(self) -> None:
        """There is nothing left to do."""
        if self._following is not None:
            await asyncio.wait((self._following,))

    async def _follow(self, generation: Generation) -> None:
        try:
            await self._work_ended(generation)
            self._withdrawing = True
            await self._withdraw(generation)
        except Exception:  # noqa: BLE001 - one plan step is a door: what stays is taken away after the next change
            _log.exception("what nobody needs any more is still there")

    async def _work_ended(self, generation: Generation) -> None:
        """Nothing is at work any more that began before, nor anything that the network does not have."""
        seconds = generation.network.defaults.drain_timeout.total_seconds()
        here = {name: asyncio.ensure_future(self._ended(hosted)) for name, hosted in self.hosted.items()}
        try:
            if here:
                await asyncio.wait(here.values(), timeout=seconds)
            self._stop_what_is_gone(generation, seconds)
            await self.gone()
            if staying := [ending for name, ending in here.items() if name in generation.network.ensembles]:
                await asyncio.wait(staying)
        finally:
            await ended(*here.values())

    async def _ended(self, hosted: Hosted) -> None:
        """What it has in hand, and what it accepted for capabilities that it does not have any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_DEADLINE.total_seconds()):
                await hosted.begun()
                for capability in hosted.leaving:
                    await self._worked_off(hosted.name, capability)

    async def _worked_off(self, ensemble: str, capability: str) -> None:
        while True:
            with suppress(*AWAY):
                if not await self.ground.backlog.holds(ensemble, capability):
                    return
            await asyncio.sleep(LOOK_SECONDS)

    def _stop_what_is_gone(self, generation: Generation, seconds: float) -> None:
        for name in sorted(self.hosted.keys() - generation.network.ensembles.keys() - self._stopping.keys()):
            self._stopping[name] = asyncio.ensure_future(self._stop(self.hosted[name], seconds))

    async def _stop(self, hosted: Hosted, seconds: float) -> None:
        try:
            await hosted.stop(seconds)
        finally:
            del self.hosted[hosted.name], self._stopping[hosted.name]

    async def _withdraw(self, generation: Generation) -> None:
        await asyncio.gather(*(hosted.contract() for hosted in self.hosted.values()))
        alone(self.hosted)
        generation.leaving_callers.clear()
        try:
            await self.site.revoke(generation.network, self.quiet)
        except (ServerFailed, *AWAY) as problem:
            _log.warning("what nobody needs any more is still allowed: %s", problem)
