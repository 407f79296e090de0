"""A list that is long, and told page by page: read once for all of its pages, and for all who ask meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from runner.bus.shared import Shared
from runner.reports import PAGE_ENTRIES, Page, PageRequest, RequestReport

REST_SECONDS = 1.0
"""At most so long between two readings of everything."""

KEPT_SECONDS = 10.0
"""How long whoever reads one page after the other may take, before everything is read again."""

Reports = tuple[RequestReport, ...]


class Listing:
    """`read` gives the whole of it, in any order; it is told oldest submission first."""

    def __init__(self, read: Callable[[], Awaitable[Reports]]) -> None:
        self._read = read
        self._shared = Shared(self._in_order, rest_seconds=REST_SECONDS)
        self._told: Reports | None = None

    async def page(self, wanted: PageRequest) -> Page[RequestReport]:
        """The first page begins with a reading, and the others are of that, or of a later one. Raises what it does."""
        reports = self._told if wanted.offset and self._told is not None else await self._shared.read()
        if len(reports) > PAGE_ENTRIES:
            self._told = reports
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, reports)
        return Page.of(tuple(one for one in reports if wanted.state in (None, one.status, one.state)), wanted)

    async def _in_order(self) -> Reports:
        return tuple(sorted(await self._read(), key=lambda one: (one.submitted_at, one.caller, one.request_id)))

    def _forget(self, reports: Reports) -> None:
        if self._told is reports:
            self._told = None
