"""A process that ends is started again, and one that is not heard has nobody led to it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from runner.bus.away import AWAY
from runner.endings import undone
from runner.errors import EnsembleNetworkError
from runner.event import Event
from runner.host.process import calls
from runner.host.process.backoff import Backoff
from runner.host.process.child import Child
from runner.host.process.last_look import LastLook
from runner.host.process.lifecycle import Lifecycle
from runner.host.process.room import Room
from runner.host.process.surroundings import Surroundings
from runner.work import EnsembleState

HEARD_SECONDS = 1.0
"""How often it is seen whether a process is heard."""


class Keeping:
    """Of the process in a room, from `begin` to `close`, or to the end of the one that is there when `life` is ending.

    `admitted` is called for a process that came up while its ensemble was held, where that is not so any more: it
    works, and is registered, when this returns.
    """

    def __init__(
        self,
        room: Room,
        around: Surroundings,
        life: Lifecycle,
        look: LastLook,
        admitted: Callable[[], Awaitable[None]],
    ) -> None:
        self._room = room
        self._around = around
        self._life = life
        self._look = look
        self._admitted = admitted
        self._backoff = Backoff()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def has_begun(self) -> bool:
        return self._keeping is not None

    def begin(self, child: Child) -> None:
        """Keep this process, which serves; again changes nothing."""
        self._keeping = self._keeping or asyncio.ensure_future(self._keep(child))

    async def close(self) -> None:
        """No other process is started."""
        await undone(self._keeping)

    async def _keep(self, child: Child) -> None:
        """Whenever the process ends, start another one, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            stood_from = loop.time()
            how = await self._ended(child)
            pause = self._backoff.pause(loop.time() - stood_from)
            await self._fell(child, how, pause)
            if self._life.ending:
                return
            child = await self._up_again(how, pause)

    async def _up_again(self, how: str, pause: float) -> Child:
        """The next process, once one serves."""
        while True:
            await asyncio.sleep(pause)
            self._life.move(EnsembleState.STARTING, f"its process ended with {how}: another one is starting")
            try:
                await self._room.bring_up(held=self._life.held)
                await self._room.asked(calls.SERVE)
                if self._room.given_held and not self._life.held:
                    await self._admitted()
                break
            except (EnsembleNetworkError, *AWAY) as problem:
                pause = self._backoff.pause(0.0)
                why = problem.message if isinstance(problem, EnsembleNetworkError) else str(problem)
                await self._life.down(f"its process does not come up: {why}; trying again in {pause:g} s")
        assert self._room.child is not None
        return self._room.child

    async def _ended(self, child: Child) -> str:
        """How it ended. While it is not heard, nobody is led to it."""
        silent = False
        while not child.ended.done():
            await asyncio.wait((child.ended,), timeout=HEARD_SECONDS)
            if child.ended.done() or self._life.ending or silent == self._room.is_silent:
                continue
            silent = not silent
            if silent and self._life.state is EnsembleState.READY:
                await self._life.down(f"its process (pid {child.pid}) does not answer: it is stopped, or blocks")
            elif not silent and self._life.state is EnsembleState.DEGRADED:
                self._life.move(EnsembleState.READY)
                await self._offered()
        return child.ended.result()

    async def _offered(self) -> None:
        if not (self._life.retired or self._life.held):
            await self._room.quietly(calls.OFFER)

    async def _fell(self, child: Child, how: str, pause: float) -> None:
        """Whoever waited for it is told, what it had in hand goes back, and nobody is led to it meanwhile."""
        self._around.outlooks.end(child.line)
        self._look.forget()
        if self._room.grip is not None:
            await self._room.grip.release(how, stopping=self._life.ending and not self._life.succeeded)
        if self._life.ending:
            return
        told = f"its process (pid {child.pid}) ended with {how}; starting again in {pause:g} s"
        event = Event(kind="process", at=datetime.now(UTC), ensemble=self._life.name, status="FAILED", message=told)
        self._around.events.write(event)
        await self._life.down(told)
