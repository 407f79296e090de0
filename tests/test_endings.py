"""A task that is ended has ended, also where its cancellation is lost on the way."""

from __future__ import annotations

import asyncio

import pytest

from runner.endings import AGAIN_SECONDS, ended, undone


class Deaf:
    """A task that goes on after so many cancellations, as one does that a library loses."""

    def __init__(self, times: int) -> None:
        self.heard = 0
        self._times = times
        self.goes_on = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                await self.goes_on.wait()
            except asyncio.CancelledError:
                self.heard += 1
                if self.heard > self._times:
                    raise
            else:
                return


async def begun(deaf: Deaf) -> asyncio.Task[None]:
    task = asyncio.ensure_future(deaf.run())
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("lost", [0, 1, 3])
async def test_a_task_that_swallows_its_cancellation_is_cancelled_again_until_it_has_ended(lost: int) -> None:
    deaf = Deaf(lost)
    task = await begun(deaf)
    await ended(task, again=0.01)
    assert task.cancelled()
    assert deaf.heard == lost + 1


async def test_what_wait_for_loses_in_python_3_11_is_made_good() -> None:
    """https://github.com/python/cpython/issues/86296"""
    answers: list[asyncio.Future[None]] = []

    async def ask() -> None:
        while True:
            answers.append(asyncio.get_running_loop().create_future())
            await asyncio.wait_for(answers[-1], 60)

    task = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answers[0].set_result(None)  # in the turn of the loop in which it is cancelled
    await ended(task, again=0.01)
    assert task.cancelled()


async def test_one_that_does_not_end_at_all_is_left_behind_and_named(caplog: pytest.LogCaptureFixture) -> None:
    deaf, heeds = Deaf(1_000_000), Deaf(0)
    task, other = await begun(deaf), await begun(heeds)
    await ended(task, other, again=0.01, within=0.05)
    assert (task.done(), other.cancelled()) == (False, True)
    (record,) = caplog.records
    assert "Deaf.run, at " in record.getMessage()
    assert "has not ended 0.05 s after it was cancelled: it is left behind" in record.getMessage()
    deaf.goes_on.set()
    await task


async def test_a_task_with_a_name_is_called_by_it(caplog: pytest.LogCaptureFixture) -> None:
    deaf = Deaf(1_000_000)
    task = asyncio.create_task(deaf.run(), name="tool fry for chef")
    await asyncio.sleep(0)
    await ended(task, again=0.01, within=0.01)
    assert "tool fry for chef, at " in caplog.text
    deaf.goes_on.set()
    await task


async def test_what_is_done_already_keeps_its_outcome_and_nobody_is_nobody() -> None:
    done = asyncio.ensure_future(asyncio.sleep(0, "soup"))
    await done
    await ended(done, None)
    assert done.result() == "soup"


async def test_one_that_takes_back_what_it_began_is_not_cancelled_in_the_middle_of_that() -> None:
    taken_back = []

    async def change() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1.1 * AGAIN_SECONDS)
            taken_back.append("all")

    task = asyncio.ensure_future(change())
    await asyncio.sleep(0)
    await undone(task)
    assert taken_back == ["all"]
