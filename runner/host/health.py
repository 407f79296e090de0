"""The health of one hosted ensemble: a probe that its file names, tried again and again on the runner that hosts it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from runner.bus.away import AWAY
from runner.durations import format_duration
from runner.endings import ended
from runner.errors import ServerFailed
from runner.functions.raised import described, words
from runner.probe import Health
from runner.routing.damping import Wellness, checked
from runner.work import EnsembleState

MOST_WORDS = 300
"""Characters of what is told of a probe."""

RETRY_SECONDS = 1.0
CLOSE_SECONDS = 5.0
"""How long a probe that is cancelled may take to end."""

Probe = Callable[[Health], Awaitable[str | None]]
"""Tries once: None where all is well, else what is not."""

_log = logging.getLogger("runner.host")


@dataclass(slots=True, eq=False)
class Ailment:
    """What keeps an ensemble from working here; None where it is well. Whoever takes work looks at it."""

    problem: str | None = None

    def shown(self, state: EnsembleState) -> EnsembleState:
        """The state that the network is told: whoever is READY and not well is DEGRADED."""
        is_ill = state is EnsembleState.READY and self.problem is not None
        return EnsembleState.DEGRADED if is_ill else state


class HealthCheck:
    """Of one ensemble: from the first `follow` to `close`.

    A probe holds no slot and is cut off at its timeout; the next begins an interval after the last has ended. Whenever
    the ailment is another, `changed` is awaited, again with the next probe where the server is away.
    """

    def __init__(self, ailment: Ailment, probe: Probe, changed: Callable[[], Awaitable[None]]) -> None:
        self._ailment = ailment
        self._probe = probe
        self._changed = changed
        self._told: str | None = None
        self._health: Health | None = None
        self._news = asyncio.Event()
        self._checking: asyncio.Task[None] | None = None
        self._trying: asyncio.Future[str | None] | None = None

    def follow(self, health: Health | None) -> None:
        """From now on this is what is checked; None: nothing, and it counts as well."""
        if health == self._health:
            return
        self._health = health
        self._news.set()
        if self._checking is None:
            self._checking = asyncio.ensure_future(self._check())

    async def close(self) -> None:
        """Nothing is checked any more. A probe that will not end is left behind, and said so."""
        await ended(self._checking, self._trying, within=CLOSE_SECONDS)

    async def _check(self) -> None:
        while True:
            self._news.clear()
            if self._health is not None:
                await self._watch(self._health)
            else:
                await self._tell(None)
                await self._pause(RETRY_SECONDS if self._told is not None else None)

    async def _watch(self, health: Health) -> None:
        """Check until something else is to be followed."""
        wellness, why = Wellness(), ""
        while not self._news.is_set():
            problem = await self._tried(health)
            wellness = checked(wellness, ok=problem is None, now=time.monotonic(), failures=health.failures)
            why = problem or why
            await self._tell(_ailing(wellness, why) if wellness.ill else None)
            await self._pause(health.interval.total_seconds())

    async def _pause(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _tried(self, health: Health) -> str | None:
        """What the probe found. One that does not end when it is cut off is waited for before the next begins."""
        seconds = health.timeout.total_seconds()
        if self._trying is not None:
            await asyncio.wait((self._trying,), timeout=seconds)
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(_found(self._probe, health), name=f"the {health.kind} probe")
            await asyncio.wait((self._trying,), timeout=seconds)
        if not self._trying.done():
            self._trying.cancel()
            return f"the {health.kind} probe gave no answer within {format_duration(health.timeout)}"
        trying, self._trying = self._trying, None
        return trying.result()

    async def _tell(self, problem: str | None) -> None:
        self._ailment.problem = problem
        if problem == self._told:
            return
        try:
            await self._changed()
            self._told = problem
        except (ServerFailed, OSError, *AWAY) as away:
            _log.warning("how well it is cannot be told yet: %s", str(away) or type(away).__name__)


async def _found(probe: Probe, health: Health) -> str | None:
    """What the user's code says, raises, or was cut off by."""
    try:
        problem = await probe(health)
    except asyncio.CancelledError:
        return f"the {health.kind} probe was cancelled"
    except Exception as error:  # noqa: BLE001 - the user's code: whatever it raises is what it found
        problem = f"the {health.kind} probe failed: {words(error) or described(error)}"
    return problem if problem is None or len(problem) <= MOST_WORDS else f"{problem[:MOST_WORDS]}…"


def _ailing(wellness: Wellness, why: str) -> str:
    if wellness.failed:
        return why
    return f"it came and went too often, and is held back until it has been well for a while; last: {why}"
