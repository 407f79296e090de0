"""A reading that many ask for is done once for all who wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from runner.bus.shared import Shared


@dataclass
class Slow:
    """A reading that goes on until it is let; `begun` counts them."""

    problem: Exception | None = None
    begun: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.problem is not None:
            raise self.problem
        return number


async def asking(shared: Shared[int], count: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.ensure_future(shared.read()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_while_one_is_under_way_share_the_next() -> None:
    """And not that one: it may have passed what they ask about."""
    slow = Slow()
    shared = Shared(slow.read)
    [first] = await asking(shared, 1)
    others = await asking(shared, 100)
    slow.may_end.set()
    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 100
    assert slow.begun == 2


async def test_who_asks_later_is_told_what_is_read_later() -> None:
    slow = Slow()
    slow.may_end.set()
    shared = Shared(slow.read)
    assert [await shared.read() for _ in range(3)] == [1, 2, 3]


async def test_what_keeps_it_from_being_done_all_who_wait_are_told_at_once() -> None:
    slow = Slow(TimeoutError("the server is away"))
    shared = Shared(slow.read)
    asked = await asking(shared, 50)
    slow.may_end.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert found == [slow.problem] * 50
    assert slow.begun <= 2
    slow.problem = None
    assert await shared.read() == slow.begun


async def test_one_who_asks_no_more_leaves_the_reading_to_the_next() -> None:
    slow = Slow()
    shared = Shared(slow.read)
    [first] = await asking(shared, 1)
    others = await asking(shared, 2)
    first.cancel()
    slow.may_end.set()
    assert await asyncio.gather(*others) == [2, 2]
