"""Who offers what, as last heard, and whom a call from outside is for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Container

from runner.bus.failures import Room, failure
from runner.client.patience import Patience, constrained
from runner.client.targets import Target, resolve
from runner.model import OnConstrained
from runner.reports import CatalogEntry
from runner.work import EnsembleState, WorkRequest, WorkResponse

LOAD_SECONDS = 1.0
"""How old what is known of the providers' load may be."""


class Offers:
    """`read` asks the network for its catalog."""

    def __init__(self, read: Callable[[], Awaitable[tuple[CatalogEntry, ...]]]) -> None:
        self._read = read
        self._known: tuple[CatalogEntry, ...] = ()
        self._known_at = 0.0
        self._asked_at = -1.0
        self._asking = asyncio.Lock()

    async def all(self) -> tuple[CatalogEntry, ...]:
        """The catalog as it is now."""
        asked_at = time.monotonic()
        self._known = await self._read()
        self._known_at, self._asked_at = time.monotonic(), asked_at
        return self._known

    async def _looked_up(self) -> tuple[CatalogEntry, ...]:
        """The catalog as it is now. Many who look at once ask for it once: of a large network it is long."""
        began = time.monotonic()
        async with self._asking:
            return self._known if self._asked_at > began else await self.all()

    def room(self, provider: str, task: str) -> Room:
        """What is known of a provider's queue, for whom it refused."""
        same = [entry for entry in self._known if entry.name == task]
        limit = next((entry.queue_limit for entry in same if entry.provider == provider), None)
        ready = (entry for entry in same if entry.provider != provider and entry.status is EnsembleState.READY)
        return Room(limit, tuple(f"{entry.provider}/{entry.name}" for entry in ready))

    def forget(self) -> None:
        """Somebody was not where they were: the next call looks again."""
        self._known, self._asked_at = (), -1.0

    async def provider(
        self, wanted: Target, request: WorkRequest, patience: Patience, tried: Container[str] = frozenset()
    ) -> CatalogEntry | WorkResponse:
        """Whom to ask; what is not known is looked up once more before it is a failure.

        Where it matters who has too much to do, what is known is a second old at most.
        """
        load_matters = wanted.ensemble is None or patience.on_constrained is OnConstrained.FAIL
        found = resolve(wanted, () if load_matters and self._is_stale() else self._known, tried)
        if not isinstance(found, CatalogEntry):
            found = resolve(wanted, await self._looked_up(), tried)
        if isinstance(found, CatalogEntry):
            refused = found.constrained and patience.on_constrained is OnConstrained.FAIL
            return constrained(request, found.provider) if refused else found
        return failure(request, found.code, found.message, found.hint)

    def _is_stale(self) -> bool:
        return time.monotonic() - self._known_at > LOAD_SECONDS
