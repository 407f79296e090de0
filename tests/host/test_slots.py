"""The slots of an ensemble, as laws: counted right whatever the order of taking, waiting, cancelling and giving."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from runner.host.slots import Slots


async def turns(count: int = 5) -> None:
    """Let everybody who can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


class SlotsMachine(RuleBasedStateMachine):
    """Rules act within one turn of the loop, as handlers do; `settle` lets the waiting ones notice."""

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.offered = 0
        self.slots = Slots(count, self.offer)
        self.held = 0
        self.asking: list[asyncio.Task[None]] = []
        self.returning: list[asyncio.Task[None]] = []
        self.cancelled: list[asyncio.Task[None]] = []

    def offer(self) -> None:
        """A slot is offered to the queues."""
        self.offered += 1
        assert self.slots.free > 0

    @rule()
    def take(self) -> None:
        free = self.slots.free
        assert self.slots.take() == (free > 0)
        self.held += free > 0

    @rule(returning=st.booleans())
    def wait(self, returning: bool) -> None:
        """Everybody begins to wait within a turn of their own: the loop would otherwise choose the order."""
        waiters, wait = (self.returning, self.slots.back) if returning else (self.asking, self.slots.wait)
        waiters.append(self.loop.create_task(wait()))
        self.settle()

    @precondition(lambda self: self.held)
    @rule()
    def give(self) -> None:
        self.held -= 1
        self.slots.give()

    @precondition(lambda self: self.asking + self.returning)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Also in the very moment in which the slot was handed over."""
        task = data.draw(st.sampled_from(self.asking + self.returning))
        (self.asking if task in self.asking else self.returning).remove(task)
        self.cancelled.append(task)
        task.cancel()

    @rule()
    def settle(self) -> None:
        self.loop.run_until_complete(turns())
        for waiters in (self.asking, self.returning):
            for task in [task for task in waiters if task.done()]:
                task.result()
                waiters.remove(task)
                self.held += 1
        for task in self.cancelled:
            assert task.cancelled(), f"whoever is cancelled ends cancelled, not with {task.exception()!r}"
        self.cancelled.clear()
        assert self.slots.free == self.slots.count - self.held >= 0
        assert self.slots.waiting == len(self.asking)
        assert not (self.slots.free and self.asking + self.returning), "a slot is free while somebody waits for it"

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self.settle()
            for task in self.asking + self.returning:
                task.cancel()
            self.loop.run_until_complete(turns())
            for _ in range(self.held):
                self.slots.give()
            assert (self.slots.free, self.slots.waiting) == (self.slots.count, 0)
        finally:
            self.loop.close()


TestSlotsMachine = SlotsMachine.TestCase
TestSlotsMachine.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


@given(st.lists(st.booleans(), max_size=12))
@settings(deadline=None)
def test_who_returns_goes_before_who_asks_and_each_in_order_of_arrival(arrivals: list[bool]) -> None:
    async def served() -> list[tuple[bool, int]]:
        slots, order = Slots(1, lambda: None), list[tuple[bool, int]]()
        assert slots.take()

        async def come(returning: bool, number: int) -> None:
            await (slots.back() if returning else slots.wait())
            order.append((returning, number))

        waiting = [asyncio.ensure_future(come(returning, n)) for n, returning in enumerate(arrivals)]
        await turns()
        for _ in arrivals:
            slots.give()
            await turns()
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(served()) == sorted(((r, n) for n, r in enumerate(arrivals)), key=lambda a: (not a[0], a[1]))


async def test_a_slot_goes_to_whoever_waits_before_it_is_offered_to_the_queues() -> None:
    offered: list[int] = []
    slots = Slots(1, lambda: offered.append(slots.free))
    assert slots.take()
    waiting = asyncio.ensure_future(slots.wait())
    await turns()
    slots.give()
    await waiting
    assert offered == []
    slots.give()
    assert offered == [1]


@pytest.mark.parametrize("given_first", [True, False])
async def test_a_wait_that_is_cancelled_while_the_slot_changes_hands_leaks_none(given_first: bool) -> None:
    slots = Slots(1, lambda: None)
    assert slots.take()
    waiting = asyncio.ensure_future(slots.wait())
    await turns()
    for act in (slots.give, waiting.cancel) if given_first else (waiting.cancel, slots.give):
        act()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (slots.free, slots.waiting) == (1, 0)
