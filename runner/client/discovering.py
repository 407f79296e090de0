"""How a client finds out who offers what: by asking the runners, and by listening to what changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from runner.bus.beats import Beats
from runner.bus.connection import Connection
from runner.bus.records import Bucket
from runner.client.news import News
from runner.client.offers import Offers
from runner.client.pages import whole
from runner.reports import CATALOG, CatalogEntry, CatalogRequest, DiscoveryReport
from runner.subjects import Subjects


def offers(connection: Connection, subjects: Subjects, ask: Callable[[str, bytes], Awaitable[bytes]]) -> Offers:
    """Of one client. `ask` takes a verb and a body, and raises NotRunning where no runner answers."""

    async def read(wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        return await whole("catalog", CATALOG, wanted, ask)

    async def away() -> str | None:
        return DiscoveryReport.model_validate_json(await ask("discovery", b"")).away

    registrations = Bucket(connection, subjects.bucket("capabilities"))
    return Offers(read, away, News(Beats(connection, subjects), registrations))
