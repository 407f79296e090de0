"""FAULTS row 7: an ensemble is removed with work in flight and queued. What is in flight finishes; `on_remove` decides
what becomes of what waits, and the plan showed how much that is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.bus.streams import queues_there
from runner.client.connect import connect
from runner.client.network import NetworkClient
from runner.host.runner import running
from runner.plan.text import compact
from runner.work import EnsembleState, Status, WorkResponse
from tests.support.networks import eventually, live, read
from tests.support.saving import Saver

NETWORK = """\
network: inn
defaults: {on_remove: %s}
ensembles:
  desk:
    uses: {%s}
    tools: {bell: {python: "inn:bell", share: true}}
    tasks: {errand: {share: true, steps: [{python: "inn:errand"}]}}
"""
LAUNDRY = """\
  laundry:
    placement: inline
    capacity: {max_concurrent: 1}
    tasks: {wash: {share: true, steps: [{python: "inn:wash"}]}}
"""
MODULE = """\
import asyncio
from pathlib import Path

import runner


def bell() -> str:
    return "ding"


async def released(name: str) -> None:
    while not Path(__file__).with_name(name).exists():
        await asyncio.sleep(0.01)


async def wash(text: str) -> str:
    await released("washed")
    return f"{text} is clean"


async def errand(text: str, context: runner.Context) -> str:
    await released("errand")
    return await context.call("wash", text)
"""


def network(on_remove: str, *, wired: bool = False) -> str:
    return NETWORK % (on_remove, "wash: laundry/wash" if wired else "")


@pytest.fixture(params=["inline", "process"])
def laundry(request: pytest.FixtureRequest) -> str:
    """In both placements it is the same."""
    return LAUNDRY.replace("inline", str(request.param))


@asynccontextmanager
async def laundered(
    directory: Path, on_remove: str, laundry: str = LAUNDRY
) -> AsyncIterator[tuple[Saver, list[asyncio.Task[WorkResponse]]]]:
    """One task is in flight, four wait."""
    async with live(directory, network(on_remove) + laundry, watch=True, inn=MODULE) as inn:
        calls = [asyncio.ensure_future(wash(inn.client, number)) for number in range(5)]

        async def waits() -> bool:
            report = await of_laundry(inn.client)
            return report is not None and (report.in_flight, sum(n for _, n in report.queued)) == (1, 4)

        await eventually(waits, "one is washed, four wait")
        yield Saver(inn), calls


async def wash(client: NetworkClient, number: int) -> WorkResponse:
    outcome = await client.call("laundry/wash", f"shirt {number}", request_id=f"shirt-{number}", deadline=60)
    assert isinstance(outcome, WorkResponse)
    return outcome


async def of_laundry(client: NetworkClient):
    found = [report for report in (await client.status()).ensembles if report.name == "laundry"]
    return found[0] if found else None


def laundry_is(client: NetworkClient, holds: Callable[[object], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool(holds(await of_laundry(client)))

    return look


async def standing(client: NetworkClient) -> Counter[str]:
    return Counter(report.state or report.status for report in await client.requests())


async def test_what_waits_is_held_and_worked_off_when_the_ensemble_comes_back(tmp_path: Path, laundry: str) -> None:
    async with laundered(tmp_path, "hold", laundry) as (saver, calls):
        client = saver.network.client
        saver.write("network.yaml", network("hold"))
        assert await saver_told(saver) == "- laundry (draining, 1 in flight, 4 queued → held)"
        assert (await client.call("desk/bell", {})).result == "ding"
        saver.write("washed", "")
        await eventually(laundry_is(client, lambda report: report.state is EnsembleState.STOPPED), "it is gone")
        report = await of_laundry(client)
        assert (report.removed, report.held, report.in_flight) == (True, 4, 0)
        assert await standing(client) == {"COMPLETED": 1, "HELD": 4}
        held = await client.requests("HELD")
        assert {(report.provider, report.caller) for report in held} == {("laundry", "_client-tester")}

        await saver.does(("network.yaml", network("hold") + laundry))
        outcomes = await asyncio.gather(*calls)
        assert [outcome.result for outcome in outcomes] == [f"shirt {number} is clean" for number in range(5)]


async def test_what_waits_fails_once_and_its_callers_are_answered(tmp_path: Path, laundry: str) -> None:
    async with laundered(tmp_path, "fail", laundry) as (saver, calls):
        client = saver.network.client
        saver.write("network.yaml", network("fail"))
        assert await saver_told(saver) == "- laundry (draining, 1 in flight, 4 queued → failed)"
        saver.write("washed", "")
        outcomes = await asyncio.gather(*calls)
        assert Counter(outcome.status for outcome in outcomes) == {Status.COMPLETED: 1, Status.FAILED: 4}
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert {(error.code, error.message) for error in errors} == {
            ("ENSEMBLE_REMOVED", "laundry was removed from the network while this waited for it")
        }
        assert all("laundry is back" in (error.hint or "") for error in errors)
        await eventually(laundry_is(client, lambda report: report is None), "nothing of it is left")
        assert await standing(client) == {"COMPLETED": 1, "FAILED": 4}
        again = await client.result("shirt-4")
        assert isinstance(again, WorkResponse)
        assert again.status is Status.FAILED


async def test_what_is_held_is_cancelled_and_expires_like_anything_that_waits(tmp_path: Path) -> None:
    async with laundered(tmp_path, "hold") as (saver, calls):
        client = saver.network.client
        await client.call("laundry/wash", "sock", mode="async", request_id="sock", deadline=2)
        saver.write("network.yaml", network("hold"))
        await saver_told(saver)
        saver.write("washed", "")
        assert (await client.cancel("shirt-4")).response is not None

        async def expired() -> bool:
            return (await standing(client))["EXPIRED"] == 1

        await eventually(expired, "the sock is given up at its deadline")
        assert (await calls[4]).status is Status.CANCELLED
        for number in (1, 2, 3):
            await client.cancel(f"shirt-{number}")
        await asyncio.gather(*calls)


@pytest.mark.parametrize(("on_remove", "ends"), [("hold", "HELD"), ("fail", "FAILED")])
async def test_an_ensemble_that_is_gone_at_the_next_start_leaves_its_queue(
    tmp_path: Path, on_remove: str, ends: str
) -> None:
    async with laundered(tmp_path, on_remove) as (saver, calls):
        for call in calls:
            call.cancel()
        saver.write("washed", "")
        await saver.network.client.drain("laundry")
        waiting = len(await saver.network.client.requests("HELD"))
    workspace = saver.network.workspace
    workspace.file.write_text(network(on_remove))
    async with running(read(workspace), workspace), connect(workspace.file, name="tester") as client:

        async def ended() -> bool:
            return (await standing(client))[ends] == waiting

        await eventually(ended, "they are as `on_remove` says")


async def test_the_queue_of_one_that_is_gone_is_taken_away_once_nothing_waits_in_it(tmp_path: Path) -> None:
    """At the next start: one that is at work would be missed by the other runners."""
    async with live(tmp_path, network("hold") + LAUNDRY, without=frozenset({"laundry"}), inn=MODULE) as inn:
        workspace = inn.workspace
        await inn.client.call("laundry/wash", "sock", mode="async", request_id="sock")
    workspace.file.write_text(network("hold"))
    async with running(read(workspace), workspace), connect(workspace.file, name="tester") as client:

        async def held() -> bool:
            return await standing(client) == {"HELD": 1}

        await eventually(held, "it waits")
        await client.cancel("sock")
        await eventually(laundry_is(client, lambda report: report is None), "nothing of it is left")
    async with running(read(workspace), workspace) as runner:
        there = await queues_there(runner._ground.connection, runner._ground.subjects)
        assert there == runner._ground.in_force.known_queues == {"desk"}
    workspace.file.write_text(network("hold") + LAUNDRY)
    (tmp_path / "washed").touch()
    async with running(read(workspace), workspace), connect(workspace.file, name="tester") as client:
        assert (await wash(client, 1)).result == "shirt 1 is clean"


async def test_what_began_before_may_still_ask_the_one_that_goes(tmp_path: Path, laundry: str) -> None:
    """A reload never fails a request in flight: the laundry takes no other work, and is there for the errand."""
    wired, without = network("fail", wired=True), network("fail")
    async with live(tmp_path, wired + laundry, watch=True, inn=MODULE) as inn:
        saver = Saver(inn)
        saver.write("washed", "")
        errand = asyncio.ensure_future(inn.client.call("desk/errand", "coat", deadline=60))
        desk = inn.runner._hosted["desk"]
        await eventually(lambda: desk.in_flight == 1, "the errand is on its way")
        saver.write("network.yaml", without)
        assert "- laundry (draining)" in await saver_told(saver)
        saver.write("errand", "")
        outcome = await errand
        assert isinstance(outcome, WorkResponse)
        assert (outcome.status, outcome.result) == (Status.COMPLETED, "coat is clean")


async def saver_told(saver: Saver) -> str:
    """The block of the save that was just made."""
    await eventually(lambda: bool(saver.applied), "the change is applied")
    return compact(saver.applied[-1].plan)
