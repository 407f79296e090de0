"""What a client knows of the catalog, and how often it asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from runner.client.offers import Offers
from runner.client.patience import Patience
from runner.client.request import request_for
from runner.client.targets import Target
from runner.reports import CatalogEntry, CatalogRequest
from runner.work import Authority, CapabilityType, EnsembleState, WorkResponse

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


class Quiet:
    """News of a network in which nothing changes, heard once it is open."""

    opened = False

    async def open(self) -> None:
        self.opened = True

    def nothing_since(self, at: float) -> bool:
        return self.opened

    def tell(self) -> None:
        """Somebody looked again by himself."""


async def well() -> str | None:
    return None


async def test_many_calls_at_once_ask_for_what_they_need_once_and_those_that_come_meanwhile_once_more() -> None:
    asked, has_asked, answered = 0, asyncio.Event(), asyncio.Event()

    async def catalog(wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        nonlocal asked
        asked += wanted.name == "taste"
        has_asked.set()
        await answered.wait()
        return (ENTRY,) if asked > 1 else ()

    offers, patience = Offers(catalog, well, Quiet()), Patience.of("fail", "accept", "wait")
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


async def calls_a_second_apart(news: Quiet, number: int) -> list[CatalogRequest]:
    """What is asked for by so many calls of whoever offers `taste`, each more than a second after the last."""
    asked: list[CatalogRequest] = []
    now = 0.0

    async def catalog(wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        asked.append(wanted)
        return (ENTRY,)

    offers = Offers(catalog, well, news, clock=lambda: now)
    for _ in range(number):
        now += 1.5
        found = await offers.provider(Target.parse("taste"), REQUEST, Patience.of("fail", "accept", "wait"))
        assert found == ENTRY
    return asked


async def test_forty_seconds_of_calls_ask_for_what_they_need_once_they_listen_no_more() -> None:
    """The first call asks, the second asks and listens to what changes; nothing does."""
    assert await calls_a_second_apart(Quiet(), 27) == [CatalogRequest(name="taste")] * 2


async def test_what_was_heard_long_ago_is_asked_for_again_all_the_same() -> None:
    asked = await calls_a_second_apart(Quiet(), 100)
    assert len(asked) == 2 + 2, "in two and a half minutes: at the most a minute passes"


async def test_where_nobody_tells_of_changes_what_is_known_of_load_is_a_second_old_at_most() -> None:
    class Deaf(Quiet):
        def nothing_since(self, at: float) -> bool:
            return False

    assert len(await calls_a_second_apart(Deaf(), 20)) == 20


async def test_a_thousand_calls_for_what_nobody_offers_read_the_catalog_for_one_hint() -> None:
    asked: list[str | None] = []

    async def catalog(wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        asked.append(wanted.name)
        return (ENTRY,) if wanted.name in (None, ENTRY.name) else ()

    news = Quiet()
    await news.open()
    offers, patience = Offers(catalog, well, news), Patience.of("fail", "accept", "wait")
    for _ in range(1000):
        found = await offers.provider(Target.parse("tast"), REQUEST, patience)
        assert isinstance(found, WorkResponse)
        assert (found.error and found.error.hint) == "did you mean `taste`?"
    assert asked == ["tast", None]


async def test_nobody_known_is_told_apart_from_nobody_there() -> None:
    gone = ENTRY.model_copy(update={"status": EnsembleState.STOPPED})

    async def catalog(wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        return (gone,)

    async def away() -> str | None:
        return "the registrations cannot be read since 10:00:00 UTC: their bucket is gone"

    patience = Patience.of("fail", "accept", "wait")
    for why, code in ((well, "NO_PROVIDER"), (away, "DISCOVERY_UNAVAILABLE")):
        offers = Offers(catalog, why, Quiet())
        found = await offers.provider(Target.parse("taste"), REQUEST, patience)
        assert isinstance(found, WorkResponse)
        assert found.error is not None
        assert found.error.code == code
    assert found.error.message == (
        "nobody is known who offers taste, and "
        "the registrations cannot be read since 10:00:00 UTC: their bucket is gone"
    )
    assert await offers.provider(WANTED, REQUEST, patience) == gone, "whoever is named needs no discovery"
