"""Who offers what, as last heard, and whom a call from outside is for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field
from typing import Protocol

from runner.bus.failures import Room, failure
from runner.client.patience import Patience, constrained
from runner.client.targets import Missing, Target, resolve
from runner.model import OnConstrained
from runner.reports import CatalogEntry, CatalogRequest
from runner.work import Code, EnsembleState, WorkRequest, WorkResponse

LOAD_SECONDS = 1.0
"""How old what is known of the providers' load may be where nobody tells of changes."""

KEPT_SECONDS = 60.0
"""How old it may be where changes are heard: one that was lost on the way is made good then."""

MOST_NAMES = 256
"""Of how many names it is kept who offers them."""

EVERYTHING = None
"""The name under which the whole catalog is kept."""


class News(Protocol):
    """Tells of changes, once it is open."""

    async def open(self) -> None: ...

    def nothing_since(self, at: float) -> bool: ...

    def tell(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Known:
    """Everybody who offers one name, as the runners said when they were asked at that time."""

    entries: tuple[CatalogEntry, ...] = ()
    asked_at: float = float("-inf")
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Offers:
    """`read` asks the network for a part of its catalog, `away` why nobody new can be found, if that is so.

    Only what a call asks for is read, by the name of its capability. Whoever calls for longer than a second listens to
    what changes, and asks again only then. `clock` gives seconds.
    """

    def __init__(
        self,
        read: Callable[[CatalogRequest], Awaitable[tuple[CatalogEntry, ...]]],
        away: Callable[[], Awaitable[str | None]],
        news: News,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._away = away
        self._news = news
        self._clock = clock
        self._known: dict[str | None, _Known] = {}

    async def all(self) -> tuple[CatalogEntry, ...]:
        """The whole catalog as it is now."""
        return await self._looked_up(EVERYTHING)

    def room(self, provider: str, task: str) -> Room:
        """What is known of a provider's queue, for whom it refused."""
        same = [entry for entry in self._latest(task).entries if entry.name == task]
        limit = next((entry.queue_limit for entry in same if entry.provider == provider), None)
        ready = (entry for entry in same if entry.provider != provider and entry.status is EnsembleState.READY)
        return Room(limit, tuple(f"{entry.provider}/{entry.name}" for entry in ready))

    def unheard(self) -> None:
        """Changes may have gone unheard. Who is called by name is known all the same: no runner may be there to ask."""
        self._news.tell()

    async def missed(self, name: str) -> None:
        """Somebody was not where they were: the next call looks again, unless it would have been heard of a change."""
        if not self._is_unchanged(self._latest(name)):
            self._known.pop(name, None)
            self._known.pop(EVERYTHING, None)
            await self._news.open()

    async def provider(
        self, wanted: Target, request: WorkRequest, patience: Patience, tried: Container[str] = frozenset()
    ) -> CatalogEntry | WorkResponse:
        """Whom to ask; what is not known is looked up once more before it is a failure.

        Where it matters who has too much to do, what is known is a second old at most, or nothing has changed since.
        """
        known = self._latest(wanted.capability)
        load_matters = wanted.ensemble is None or patience.on_constrained is OnConstrained.FAIL
        found = resolve(wanted, () if load_matters and not self._holds(known) else known.entries, tried)
        if isinstance(found, Missing) and not self._is_unchanged(known):
            if known.entries and load_matters:
                await self._news.open()
            found = resolve(wanted, await self._looked_up(wanted.capability), tried)
        if isinstance(found, Missing):
            found = await self._explained(wanted, found)
            return failure(request, found.code, found.message, found.hint)
        refused = found.constrained and patience.on_constrained is OnConstrained.FAIL
        return constrained(request, found.provider) if refused else found

    async def _explained(self, wanted: Target, missing: Missing) -> Missing:
        """Why nobody can be asked: what is meant may be called otherwise, or nobody knows who offers it."""
        if missing.code is Code.UNKNOWN_CAPABILITY:
            everything = self._of(EVERYTHING)
            entries = everything.entries if self._holds(everything) else await self.all()
            found = resolve(wanted, entries)
            return found if isinstance(found, Missing) else missing
        if (away := await self._away()) is None:
            return missing
        message = f"nobody is known who offers {wanted}, and {away}"
        hint = "providers that are known stay in use; call one by its name, `ensemble/capability`, or call again later"
        return Missing(Code.DISCOVERY_UNAVAILABLE, message, hint)

    def _latest(self, capability: str) -> _Known:
        """What was last heard of who offers it: by itself, or among all."""
        return max(self._of(EVERYTHING), self._of(capability), key=lambda known: known.asked_at)

    def _of(self, name: str | None) -> _Known:
        known = self._known.pop(name, None) or _Known()
        self._known[name] = known
        while len(self._known) > MOST_NAMES:
            del self._known[next(iter(self._known))]
        return known

    def _holds(self, known: _Known) -> bool:
        """Whether what is known of load and health still counts."""
        return self._clock() - known.asked_at <= LOAD_SECONDS or self._is_unchanged(known)

    def _is_unchanged(self, known: _Known) -> bool:
        """Whether a change of it would have been heard, and none was."""
        age = self._clock() - known.asked_at
        return age <= KEPT_SECONDS and self._news.nothing_since(known.asked_at)

    async def _looked_up(self, name: str | None) -> tuple[CatalogEntry, ...]:
        """The entries of that name as they are now. Many who look at once ask once: there may be many."""
        known, began = self._of(name), self._clock()
        async with known.asking:
            if known.asked_at <= began:
                asked_at = self._clock()
                known.entries = await self._read(CatalogRequest(name=name))
                known.asked_at = asked_at
        return known.entries
