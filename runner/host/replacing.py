"""Another instance of an ensemble takes the place of the one before, on the same runner: make before break.

It is opened beside it before the change is in force, and serves from then on; the one before takes nothing more, and
finishes what it has in hand. So nobody ever calls and finds nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

from runner.bus.away import AWAY
from runner.endings import ended
from runner.errors import EnsembleNetworkError, ServerFailed, StartFailed
from runner.host.hosted import Hosted
from runner.host.reach import Reach
from runner.host.succession import Succession

TRIES, PAUSE_SECONDS = 60, 0.5
"""How often one that is ready is to begin to serve while the server is away; meanwhile the one before works on."""

STANDING_SECONDS = 3.0
"""How long a change that is decided waits until all who come stand in the place of those who go."""

_log = logging.getLogger("runner.host")


async def opened(ensembles: Iterable[Hosted], reach: Reach) -> None:
    """All are loaded and connected when this returns, and serve nobody yet. Raises StartFailed."""
    outcomes = await asyncio.gather(*(_opened(one, reach) for one in ensembles), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def given_up(ensembles: Iterable[Hosted]) -> None:
    """Nothing is left of those that were opened; those whose place they were to take are as they were."""

    async def go(one: Hosted) -> None:
        await one.leave()
        await one.stop(0.0)

    await asyncio.gather(*(go(one) for one in ensembles))


class TakingOver:
    """Each of the `successors` serves in place of the one of its name, which leaves: `stand`, `admit`, then `register`.

    What comes for one that stands waits until it is admitted, and the one before is sent nothing more. So whoever works
    by the new configuration never meets who works by the one before. Who leaves is counted until `contract`.
    """

    def __init__(self, successors: Mapping[str, Hosted], hosted: MutableMapping[str, Hosted]) -> None:
        self._successors = successors
        self._hosted = hosted
        self._standing: dict[str, asyncio.Task[None]] = {}
        self._admitted: set[str] = set()

    async def stand(self) -> None:
        """All stand when this returns, but for those who cannot yet: they follow in `register`."""
        self._standing = {name: asyncio.ensure_future(self._stand(name)) for name in self._successors}
        if self._standing:
            await asyncio.wait(self._standing.values(), timeout=STANDING_SECONDS)

    def admit(self) -> None:
        """The change is in force: all who stand work from now on."""
        for name, standing in self._standing.items():
            if standing.done():
                self._admit(name)

    async def register(self) -> None:
        """All work, and others know what they offer."""
        await asyncio.gather(*(self._register(name) for name in self._successors))

    async def close(self) -> None:
        """Nothing more is tried. Whoever does not stand by now is in its place all the same: the change is in force,
        and whoever stops those who are there stops it as well.
        """
        await ended(*self._standing.values())
        for name in self._standing:
            self._admit(name)

    async def _stand(self, name: str) -> None:
        await _until_done(self._successors[name].serve, f"{name} does not serve yet")
        await self._hosted[name].leave()

    def _admit(self, name: str) -> None:
        if name not in self._admitted:
            self._admitted.add(name)
            one = self._successors[name]
            self._hosted[name] = Succession(one, self._hosted[name])
            one.admit()

    async def _register(self, name: str) -> None:
        await self._standing[name]
        self._admit(name)
        await _until_done(self._successors[name].register, f"nobody is told yet what {name} offers now")


def alone(hosted: MutableMapping[str, Hosted]) -> None:
    """Those whose predecessors have all gone stand for themselves again."""
    for name, one in list(hosted.items()):
        if isinstance(one, Succession) and not one.before:
            hosted[name] = one.now


async def _opened(one: Hosted, reach: Reach) -> None:
    try:
        await one.open(reach.urls, reach.ensembles[one.name])
    except EnsembleNetworkError as problem:
        raise StartFailed(f"{one.name} did not come up: {problem.message}", hint=problem.hint) from problem


async def _until_done(step: Callable[[], Awaitable[None]], otherwise: str) -> None:
    """The change is in force already: while the server is away, it is tried again."""
    for _ in range(TRIES):
        try:
            await step()
        except (StartFailed, ServerFailed, *AWAY) as problem:
            _log.warning("%s: %s", otherwise, problem)
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
