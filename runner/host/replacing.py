"""Another instance of an ensemble takes the place of the one before, on the same runner: make before break.

It is opened beside it before the change is in force, and serves from then on; the one before takes nothing more, and
finishes what it has in hand. So nobody ever calls and finds nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

from runner.bus.away import AWAY
from runner.errors import EnsembleNetworkError, ServerFailed, StartFailed
from runner.host.hosted import Hosted
from runner.host.reach import Reach
from runner.host.succession import Succession

TRIES, PAUSE_SECONDS = 60, 0.5
"""How often one that is ready is to begin to serve while the server is away; meanwhile the one before works on."""

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


async def taken_over(successors: Mapping[str, Hosted], hosted: MutableMapping[str, Hosted]) -> None:
    """Each serves in place of the one of its name, which leaves. Who leaves is counted until `contract`."""

    async def take_over(name: str, one: Hosted) -> None:
        before = hosted[name]
        hosted[name] = Succession(one, before)
        await _until_done(one.serve, f"{name} does not serve yet")
        one.admit()
        await before.leave()
        await _until_done(one.register, f"nobody is told yet what {name} offers now")

    await asyncio.gather(*(take_over(name, one) for name, one in successors.items()))


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
