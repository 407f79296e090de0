"""Leadership: one runner of a network at a time does what must be done once, for as long as it renews its lease.

The lease is a record written by compare-and-set (Gray and Cheriton, "Leases", 1989). No two clocks are compared: the
holder trusts it for less time, from before it wrote, than others wait, from when they saw it written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress

from pydantic import ValidationError

from runner.beat import Lease
from runner.bus.away import AWAY
from runner.bus.records import Bucket
from runner.endings import ended
from runner.errors import ServerFailed
from runner.host.lease import LEASE_SECONDS, Move, move, written
from runner.host.pulse import Pulse

KEY = "leader"
RENEW_SECONDS = 1.0
LOOK_SECONDS = 0.5
"""How often those who do not lead look whether somebody does."""

CANCEL_SECONDS = 0.5
"""How long duties may take to notice that they are cancelled."""

_log = logging.getLogger("runner.host")

Duty = Callable[[int], Coroutine[object, object, None]]
"""What runs while this runner leads: called with the epoch, cancelled when leadership is lost."""


class Leadership:
    """Strives for the lease of a network from `open` to `close`. `clock` gives seconds."""

    def __init__(self, bucket: Bucket, pulse: Pulse, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bucket = bucket
        self._pulse = pulse
        self._runner = pulse.runner
        self._clock = clock
        self._lease: Lease | None = None
        self._revision = 0
        self._since = 0.0
        self._renewed: float | None = None
        self._duties: list[Duty] = []
        self._at_work: set[asyncio.Task[None]] = set()
        self._told: list[Callable[[str, Lease], None]] = []
        self._led_before: str | None = None
        self._wake = asyncio.Event()
        self._striving: asyncio.Task[None] | None = None

    @property
    def leading(self) -> bool:
        """Whether this runner leads now, by its own clock: ask again after anything that took time."""
        return self._renewed is not None and self._clock() - self._renewed < LEASE_SECONDS

    @property
    def epoch(self) -> int:
        """Of the lease as last seen; 0 before there was any."""
        return self._lease.epoch if self._lease is not None else 0

    @property
    def leader(self) -> str | None:
        """Who holds the lease, as last seen."""
        return self._lease.runner if self._lease is not None else None

    def perform(self, duty: Duty) -> None:
        """Run this whenever and for as long as this runner leads. One that ends is run again only by the next lead."""
        self._duties.append(duty)

    def on_change(self, told: Callable[[str, Lease], None]) -> None:
        """Tell of every new leader in place of one before: (who led, the lease)."""
        self._told.append(told)

    async def open(self) -> None:
        self._striving = asyncio.ensure_future(self._strive())

    async def close(self) -> None:
        """Stop the duties and give the lease up, so that another leads at once."""
        await ended(self._striving)
        await self._rest()
        if self.leading and self._lease is not None:
            self._renewed = None
            free = self._lease.model_copy(update={"runner": None})
            with suppress(ServerFailed, *AWAY):
                async with asyncio.timeout(RENEW_SECONDS):
                    await self._bucket.put_if(KEY, free.encode(), self._revision)

    async def _strive(self) -> None:
        listening = False
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    if not listening:
                        await self._bucket.watch(self._heard)
                        listening = True
                    await self._turn()
            except (ServerFailed, *AWAY) as problem:
                _log.debug("the lease could not be looked at: %s", problem)
            await self._follow()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(RENEW_SECONDS, self._patience()) if self.leading else LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    def _patience(self) -> float:
        """How long one look may take: a leader must notice in time that it is none any more."""
        if self._renewed is None or not self.leading:
            return LEASE_SECONDS
        return max(0.05, self._renewed + LEASE_SECONDS - self._clock())

    async def _turn(self) -> None:
        entry = await self._bucket.get(KEY)
        self._see(_lease_in(entry.value) if entry else None, entry.revision if entry else 0)
        chosen = move(self._lease, self._runner, stood=self._clock() - self._since)
        if chosen is Move.WAIT:
            self._renewed = None
            return
        wanted, began = written(self._lease, self._runner, chosen), self._clock()
        revision = await self._bucket.put_if(KEY, wanted.encode(), self._revision)
        if revision is None:  # somebody was first: the next look tells who
            self._renewed = None
            self._wake.set()
            return
        self._see(wanted, revision)
        self._renewed = began

    def _see(self, lease: Lease | None, revision: int) -> None:
        """What stands in the record. While this runner is cut off, time does not count."""
        if revision != self._revision or not self._pulse.hears_itself:
            self._since = self._clock()
        self._lease, self._revision = lease, revision
        if lease is None or lease.runner is None or lease.runner == self._led_before:
            return
        led_before, self._led_before = self._led_before, lease.runner
        if led_before is not None:
            for told in self._told:
                told(led_before, lease)

    async def _follow(self) -> None:
        """Duties run exactly while this runner leads."""
        if self.leading and not self._at_work:
            self._at_work = {asyncio.ensure_future(_performed(duty, self.epoch)) for duty in self._duties}
        elif not self.leading:
            await self._rest()

    async def _rest(self) -> None:
        await ended(*self._at_work, within=CANCEL_SECONDS)
        self._at_work = set()

    def _heard(self, _: str, value: bytes | None) -> None:
        """A lease that was given up is looked at at once."""
        if value is not None and (lease := _lease_in(value)) and lease.runner is None:
            self._wake.set()


async def _performed(duty: Duty, epoch: int) -> None:
    """One door: a duty that breaks is logged, and leadership goes on."""
    try:
        await duty(epoch)
    except Exception:  # noqa: BLE001 - one piece of work, logged; the next leader takes it up
        _log.exception("a duty of the leader broke")


def _lease_in(value: bytes) -> Lease | None:
    try:
        return Lease.model_validate_json(value)
    except ValidationError:
        _log.warning("the lease of the leader cannot be read")
        return None
