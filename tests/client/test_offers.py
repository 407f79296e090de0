"""What a client knows of the catalog, and how often it asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from runner.client.offers import Offers
from runner.client.patience import Patience
from runner.client.request import request_for
from runner.client.targets import Target
from runner.reports import CatalogEntry
from runner.work import Authority, CapabilityType, EnsembleState

ENTRY = CatalogEntry(
    name="taste",
    type=CapabilityType.TOOL,
    provider="kitchen",
    tags=(),
    authority=Authority.AUTONOMOUS,
    status=EnsembleState.READY,
    load=0.0,
)
WANTED = Target.parse("kitchen/taste", ())
REQUEST = request_for(
    WANTED,
    "",
    caller="_client",
    deadline=timedelta(minutes=1),
    priority="normal",
    delivery=None,
    request_id=None,
    authority=None,
    dedupe=None,
)


async def test_many_calls_at_once_ask_for_the_catalog_once_and_those_that_come_meanwhile_once_more() -> None:
    asked, has_asked, answered = 0, asyncio.Event(), asyncio.Event()

    async def catalog() -> tuple[CatalogEntry, ...]:
        nonlocal asked
        asked += 1
        has_asked.set()
        await answered.wait()
        return (ENTRY,) if asked > 1 else ()

    offers, patience = Offers(catalog), Patience.of("fail", "accept", "wait")
    first = [asyncio.ensure_future(offers.provider(WANTED, REQUEST, patience)) for _ in range(50)]
    await has_asked.wait()
    answered.set()
    found = await asyncio.gather(*first)
    assert found[1:] == [ENTRY] * 49, (
        "they came after the first had asked, and what they see is not older than they are"
    )
    assert asked == 2
    assert await offers.provider(WANTED, REQUEST, patience) == ENTRY
    assert asked == 2
