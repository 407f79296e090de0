"""FAULTS 5–8: files are saved, well and badly, while the network is called all the time, and no call fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.client.network import NetworkClient
from runner.host.happenings import Worked
from runner.work import EnsembleState, Status, WorkResponse
from tests.support.networks import PLACEMENTS, Place, eventually, live
from tests.support.saving import Saver

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 4}
    tools: {taste: {python: "dishes:taste", share: true}}
    tasks: {cook: {share: true, steps: [{python: "dishes:cook"}]}}
  waiter:
    uses: {taste: kitchen/taste, cook: kitchen/cook}
    tasks: {serve: {share: true, steps: [{id: dish, use: cook}, {template: "{{ steps.dish.a }}"}]}}
"""
DISHES = """\
import spices


def taste() -> dict:
    return {"a": %(n)d, "b": spices.NUMBER}


async def cook() -> dict:
    return {"a": %(n)d, "b": spices.NUMBER}
"""
LAUNDRY = """\
  laundry:
    capacity: {max_concurrent: 2}
    tasks: {wash: {share: true, steps: [{python: "washing:wash"}]}}
"""
WASHING = """\
import asyncio
from pathlib import Path


async def wash(number: int) -> int:
    release = Path(__file__).parent / "release"
    while not release.exists():
        await asyncio.sleep(0.02)
    return number
"""


@dataclass
class Callers:
    """Call all the time, a tool and two tasks, one call after the other."""

    client: NetworkClient
    answers: list[WorkResponse] = field(default_factory=list)

    async def run(self, target: str) -> None:
        while True:
            self.answers.append(await self.client.call(target, {}))

    async def some_more(self) -> None:
        known = len(self.answers)
        await eventually(lambda: len(self.answers) >= known + 10, "calls go on")


@asynccontextmanager
async def busy(directory: Path, network: str = NETWORK, *, torn: bool = False) -> AsyncIterator[tuple[Saver, Callers]]:
    """A network that is called all the time; at the end no call has failed, and none saw half a change.

    Unless files are read while some of what belongs together is saved and some is not yet: `torn`.
    """
    modules = {"dishes": DISHES % {"n": 1}, "spices": "NUMBER = 1\n", "washing": WASHING}
    async with live(directory, network, watch=True, **modules) as there:
        callers = Callers(there.client)
        targets = ("kitchen/taste", "kitchen/cook", "waiter/serve")
        calling = [asyncio.ensure_future(callers.run(target)) for target in targets]
        try:
            yield Saver(there), callers
            await callers.some_more()
            assert not any(task.done() for task in calling)
        finally:
            for task in calling:
                task.cancel()
            await asyncio.wait(calling)
        assert [answer for answer in callers.answers if answer.status is not Status.COMPLETED][:3] == []
        pairs = [answer.result for answer in callers.answers if isinstance(answer.result, dict)]
        assert torn or [pair for pair in pairs if pair["a"] != pair["b"]] == []


@PLACEMENTS
async def test_an_invalid_save_under_load_changes_nothing_and_the_next_good_one_applies(
    tmp_path: Path, place: Place
) -> None:
    """FAULTS 5: it shows in the terminal, which tells `saver`, in `status`, and as an event."""
    async with busy(tmp_path, place(NETWORK)) as (saver, callers):
        for n in range(2, 12):
            await saver.breaks(("network.yaml", place(NETWORK).replace("max_concurrent: 4", f"max_concurrent: x{n}")))
            assert not (await saver.network.client.status()).last_reload.ok
            await callers.some_more()
            await saver.does(("network.yaml", place(NETWORK).replace("max_concurrent: 4", f"max_concurrent: {n + 3}")))
            assert (await saver.network.client.status()).last_reload.ok
        assert (await saver.network.client.status()).generation == 11
        await eventually(lambda: len(events(saver)) == 20, "an event for each")
        assert [status for status, _ in events(saver)] == [Status.FAILED, Status.COMPLETED] * 10
        assert all("wrong-type" in str(message) for _, message in events(saver)[::2])


def events(saver: Saver) -> list[tuple[Status | None, str | None]]:
    found = [told.event for told in saver.network.happenings if isinstance(told, Worked)]
    return [(event.status, event.message) for event in found if event.kind == "reload"]


@PLACEMENTS
async def test_truncated_renamed_swapped_touched_deleted_and_hasty_saves_end_with_the_last_valid_content(
    tmp_path: Path, place: Place
) -> None:
    """FAULTS 6."""
    async with busy(tmp_path, place(NETWORK)) as (saver, callers):
        kitchen = saver.network.runner._hosted["kitchen"]

        async def settles(slots: int) -> None:
            await eventually(lambda: kitchen.vitals.slots == slots, f"{slots} slots")
            await callers.some_more()

        def slots(number: int) -> str:
            return place(NETWORK).replace("max_concurrent: 4", f"max_concurrent: {number}")

        await saver.breaks(("network.yaml", slots(5)[:40]))  # cut off in the middle
        await settles(4)
        await saver.does(("network.yaml", slots(5)))
        saver.write("draft", slots(6))
        os.replace(tmp_path / "draft", tmp_path / "network.yaml")
        await settles(6)
        saver.write("seven.yaml", slots(7))
        (tmp_path / "draft").symlink_to("seven.yaml")
        os.replace(tmp_path / "draft", tmp_path / "network.yaml")
        await settles(7)
        saver.write("seven.yaml", slots(8))  # behind the link
        await settles(8)
        known = len(saver.applied)
        os.utime(tmp_path / "seven.yaml")
        (tmp_path / "network.yaml").unlink()
        await saver.notices_that("is gone")
        assert len(saver.applied) == known
        await settles(8)
        for number in range(100):
            saver.write("network.yaml", slots(10 + number % 7))
            await asyncio.sleep(0.01)  # a hundred a second: the load of the test, not a wait
        saver.write("network.yaml", slots(9))
        await settles(9)


@PLACEMENTS
async def test_a_removed_ensemble_finishes_what_it_works_on_and_the_queue_waits_for_its_return(
    tmp_path: Path, place: Place
) -> None:
    """FAULTS 7; `tests/scenarios/test_removed.py` has what `on_remove` decides."""
    async with busy(tmp_path, place(NETWORK + LAUNDRY)) as (saver, _):
        client = saver.network.client
        washing = [asyncio.ensure_future(client.call("laundry/wash", {"number": n}, deadline=60)) for n in range(5)]
        laundry = saver.network.runner._hosted["laundry"]
        await eventually(lambda: laundry.in_flight == 2, "two are washed")
        block = await saver.does(("network.yaml", place(NETWORK)))
        assert block.startswith("- laundry (draining, 2 in flight")
        saver.write("release", "")
        done, _ = await asyncio.wait(washing, return_when=asyncio.FIRST_COMPLETED)
        await eventually(lambda: "laundry" not in saver.network.runner._hosted, "it is gone")
        assert {task.result().status for task in done} == {Status.COMPLETED}
        await saver.does(("network.yaml", place(NETWORK + LAUNDRY)))
        outcomes = await asyncio.gather(*washing)
        assert [outcome.result for outcome in outcomes] == [0, 1, 2, 3, 4]


@PLACEMENTS
async def test_a_new_ensemble_that_does_not_come_up_leaves_everything_as_it_was(tmp_path: Path, place: Place) -> None:
    """FAULTS 8: a new ensemble that fails to warm up."""
    async with busy(tmp_path, place(NETWORK)) as (saver, callers):
        spa = '  spa: {tools: {rest: {python: "wellness:rest", share: true}}}\n'
        changed = place(NETWORK).replace("max_concurrent: 4", "max_concurrent: 9") + spa
        broken = "raise RuntimeError('no water')\n\n\ndef rest() -> str:\n    return 'ah'\n"
        refused = await saver.breaks(("wellness.py", broken), ("network.yaml", changed))
        assert "no water" in refused.problem.message
        await callers.some_more()
        status = await saver.network.client.status()
        assert [(e.name, e.state) for e in status.ensembles] == [
            ("kitchen", EnsembleState.READY),
            ("waiter", EnsembleState.READY),
        ]
        assert saver.network.runner._hosted["kitchen"].vitals.slots == 4
        assert "+ spa" in await saver.does(("wellness.py", broken.partition("\n")[2]))
        assert (await saver.network.client.call("spa/rest", {})).result == "ah"


@PLACEMENTS
async def test_what_is_saved_while_a_change_is_applied_comes_after_it_as_one(tmp_path: Path, place: Place) -> None:
    """FAULTS 8: a reload during a reload."""
    async with busy(tmp_path, place(NETWORK), torn=True) as (saver, callers):
        slow = "import time\n\ntime.sleep(0.3)\n"  # a module that takes its time holds nobody up but the change
        for n in range(2, 6):
            saver.write("dishes.py", slow + DISHES % {"n": n})
            saver.write("spices.py", f"NUMBER = {n}\n")
            await asyncio.sleep(0.1)  # in the middle of the change
        saver.write("dishes.py", DISHES % {"n": 9})
        saver.write("spices.py", "NUMBER = 9\n")

        async def of_the_last() -> bool:
            return (await saver.network.client.call("kitchen/taste", {})).result == {"a": 9, "b": 9}

        await eventually(of_the_last, "the last save is in force")
        generations = [told.generation for told in saver.applied]
        assert generations == list(range(2, 2 + len(generations)))
        assert len(generations) <= 9
        await callers.some_more()
