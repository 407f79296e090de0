"""A list of several pages is read once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runner.host.listing import Listing, Reports
from runner.reports import PAGE_ENTRIES, PageRequest, RequestReport
from runner.work import Priority

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def report(number: int) -> RequestReport:
    return RequestReport(
        request_id=f"r{number}",
        task="cook",
        caller="desk",
        provider="kitchen",
        status="PENDING",
        state="QUEUED" if number % 2 else "HELD",
        priority=Priority.NORMAL,
        submitted_at=NOON + timedelta(seconds=number),
        attempts=0,
        trace_id="0" * 32,
    )


@dataclass
class Reading:
    count: int
    times: int = 0

    async def read(self) -> Reports:
        self.times += 1
        return tuple(report(number) for number in reversed(range(self.count)))


async def pages(told: Listing, state: str | None = None) -> list[str]:
    """As a client asks for them."""
    found: list[str] = []
    while True:
        page = await told.page(PageRequest(offset=len(found), state=state))
        found += [one.request_id for one in page.entries]
        if len(page.entries) < PAGE_ENTRIES:
            return found


async def test_all_pages_are_of_one_reading_oldest_first() -> None:
    reading = Reading(3 * PAGE_ENTRIES + 1)
    assert await pages(Listing(reading.read)) == [f"r{number}" for number in range(reading.count)]
    assert reading.times == 1


async def test_only_what_is_in_a_state_is_told_and_each_first_page_is_read_anew() -> None:
    reading = Reading(10)
    told = Listing(reading.read)
    assert await pages(told, "QUEUED") == ["r1", "r3", "r5", "r7", "r9"]
    reading.count = 2
    assert await pages(told) == ["r0", "r1"]
    assert reading.times == 2


async def test_a_list_that_nobody_goes_on_with_is_forgotten() -> None:
    reading = Reading(PAGE_ENTRIES + 1)
    told = Listing(reading.read)
    await told.page(PageRequest())
    told._forget(told._told or ())
    await told.page(PageRequest(offset=PAGE_ENTRIES))
    assert reading.times == 2
