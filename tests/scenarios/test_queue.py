"""The queue as its callers know it: who is next, what waits, what is moved, and what a drain leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.bus.work_queues import WorkQueues
from runner.errors import UsageProblem
from runner.host.inline_desk import InlineDesk
from runner.host.promotion import Promotion
from runner.registration import Registration
from runner.reports import StatusReport
from runner.subjects import publication_of_place
from runner.work import EnsembleState, Priority, Standing, TaskAccepted, WorkError, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.saving import Saver
from tests.support.servers import plain_server

NETWORK = """\
network: inn
defaults: {{ageing: {ageing}, drain_timeout: {drain}}}
ensembles:
  desk:
    uses: {{cook: {{discover: cook}}}}
    tasks: {{order: {{share: true, steps: [{{use: cook}}]}}}}
  kitchen:
    capacity: {{max_concurrent: {slots}, queue_limit: {limit}}}
    tasks:
      cook: {{share: true, steps: [{{python: "inn:cook"}}]}}
  bar:
    tasks:
      cook: {{share: true, steps: [{{template: "a sandwich"}}]}}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def cook(context: str) -> str:
    name, _, how = context.partition(" ")
    with (here / "starts").open("a") as stream:
        stream.write(name + "\\n")
    if how == "stubborn":
        while not (here / "release").exists():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass
    elif how.startswith("until"):
        while not (here / how.removeprefix("until ")).exists():
            await asyncio.sleep(0.01)
    elif how == "hold":
        while not (here / "release").exists():
            await asyncio.sleep(0.01)
    else:
        await asyncio.sleep(float(how or 0))
    return f"cooked {name}"
"""
IN_ONE = MODULE.replace("parent\n", "parent.parent / 'one'\n")
"""For two runners: both run what is in force, each in a directory of its own, and count in the first one's."""


def network(*, slots: int = 1, limit: int = 10_000, ageing: str = "5m", drain: str = "20s") -> str:
    return NETWORK.format(slots=slots, limit=limit, ageing=ageing, drain=drain)


def starts(inn: LiveNetwork) -> list[str]:
    path = inn.workspace.directory / "starts"
    return path.read_text().split() if path.exists() else []


def release(inn: LiveNetwork) -> None:
    (inn.workspace.directory / "release").touch()


async def submit(inn: LiveNetwork, name: str, how: str = "", priority: str = "normal") -> TaskAccepted | Standing:
    accepted = await inn.client.call(
        "kitchen/cook", f"{name} {how}", mode="async", priority=priority, request_id=name, deadline=60
    )
    assert not isinstance(accepted, WorkResponse), accepted
    return accepted


async def outcome(inn: LiveNetwork, name: str) -> object:
    response = await inn.client.result(name)
    assert isinstance(response, WorkResponse)
    return response.result


async def queued(inn: LiveNetwork) -> dict[str, int]:
    [kitchen] = [one for one in (await inn.client.status()).ensembles if one.name == "kitchen"]
    return {level: count for level, count in kitchen.queued.model_dump().items() if count}


async def test_two_replicas_share_a_queue_in_order_of_arrival(tmp_path: Path) -> None:
    """What one starts was not submitted long before what the other has started."""
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path / "one", network(slots=2), nats=url, inn=IN_ONE) as inn,
        live(tmp_path / "two", network(slots=2), nats=url, inn=IN_ONE),
    ):
        names = [f"n{number}" for number in range(100)]
        for name in names:
            await submit(inn, name, "0.01")
        for name in names:
            await outcome(inn, name)
        places = {name: place for place, name in enumerate(starts(inn))}
        late = [name for number, name in enumerate(names) if abs(places[name] - number) > 4]
        assert (sorted(places), late) == (sorted(names), [])


async def test_of_two_replicas_that_claim_a_waiting_task_one_is_heard(tmp_path: Path) -> None:
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path / "one", network(), nats=url, inn=IN_ONE) as inn,
        live(tmp_path / "two", network(), nats=url, inn=IN_ONE),
    ):
        await eventually(lambda: inn.runner._ground.desk.replicas("kitchen") == 2, "both replicas")
        for name in ("held", "also"):
            await submit(inn, name, "hold")
        await eventually(lambda: len(starts(inn)) == 2, "every slot taken")
        names = [f"n{number}" for number in range(5)]
        heard: list[str] = []

        async def call(name: str) -> None:
            await inn.client.call(
                "kitchen/cook",
                name,
                request_id=name,
                deadline=60,
                on_accepted=lambda _: heard.append(name),
            )

        async with asyncio.TaskGroup() as calls:
            for name in names:
                calls.create_task(call(name))
            await eventually(lambda: len(heard) == 5, "five acceptances")
            release(inn)
        await inn.client.call("kitchen/cook", "last")

        async def told() -> list[str]:
            events = [event async for event in inn.client.events(ensemble="kitchen")]
            return sorted(e.request_id or "" for e in events if e.kind == "accepted" and e.request_id in names)

        async def all_completed() -> bool:
            events = [event async for event in inn.client.events(ensemble="kitchen")]
            return {e.request_id for e in events if e.kind == "completed"} >= set(names)

        await eventually(all_completed, "every end")
        assert (sorted(heard), await told()) == (names, names)


async def test_what_others_worked_off_is_not_remembered_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.host.acceptance.CLAIMS_KEPT", 3)
    async with live(tmp_path, network(), inn=MODULE) as inn:
        queue = inn.runner._hosted["kitchen"]._serving._queue
        assert queue is not None
        claim = queue._acceptance.claim
        assert [claim("desk", name) for name in "abcbde"] == [True, True, True, False, True, True]
        assert len(queue._acceptance._claimed) == 3
        assert [claim("desk", name) for name in "edc"] == [False, False, False]
        assert claim("desk", "a")


async def test_a_critical_task_is_next_whatever_waits_before_it(tmp_path: Path) -> None:
    """Five thousand LOW ones and four slots: none of them that had not begun begins before it."""
    async with live(tmp_path, network(slots=4), inn=MODULE) as inn:
        for number in range(4):
            await submit(inn, f"held{number}", "hold")
        await eventually(lambda: len(starts(inn)) == 4, "every slot taken")
        names = iter(range(5000))

        async def lane() -> None:
            for number in names:
                await submit(inn, f"low{number}", priority="low")

        await asyncio.gather(*(lane() for _ in range(64)))
        await submit(inn, "urgent", priority="critical")
        release(inn)
        await outcome(inn, "urgent")
        assert "urgent" in starts(inn)[4:9]


async def test_a_low_task_ends_under_a_stream_of_high_ones(tmp_path: Path) -> None:
    """More HIGH ones than the slots take, always: with its age it comes to be as urgent as they are, and older."""
    async with live(tmp_path, network(slots=2, ageing="1s"), inn=MODULE) as inn:
        streaming = True

        async def stream(lane: int) -> None:
            number = 0
            while streaming:
                number += 1
                await inn.client.call("kitchen/cook", f"high{lane}-{number} 0.02", priority="high", deadline=60)

        async with asyncio.TaskGroup() as group:
            for lane in range(8):
                group.create_task(stream(lane))
            await eventually(lambda: len(starts(inn)) > 20, "the stream")
            low = await inn.client.call("kitchen/cook", "low", priority="low", deadline=30)
            streaming = False
        assert isinstance(low, WorkResponse)
        assert low.result == "cooked low"


async def test_who_waits_behind_many_hears_that_the_provider_is_constrained(tmp_path: Path) -> None:
    async with live(tmp_path, network(), inn=MODULE) as inn:
        await submit(inn, "held", "hold")
        accepted = [await submit(inn, f"n{number}") for number in range(5)]
        told = [one.constrained for one in accepted if isinstance(one, TaskAccepted)]
        assert told == [None, None, None, True, True]
        kitchen = inn.runner._hosted["kitchen"]
        await eventually(lambda: kitchen.vitals.constrained, "the pressure")
        release(inn)
        await eventually(lambda: not kitchen.vitals.constrained, "the end of the pressure")
        kinds = ["CAPACITY_CONSTRAINED BEGAN", "CAPACITY_CONSTRAINED ENDED"]

        async def told_of_both() -> bool:
            events = [event async for event in inn.client.events(ensemble="kitchen")]
            return [f"{e.kind} {e.status}" for e in events if e.kind == "CAPACITY_CONSTRAINED"] == kinds

        await eventually(told_of_both, "both events")


async def test_a_waiting_task_is_moved_to_another_priority(tmp_path: Path) -> None:
    async with live(tmp_path, network(), inn=MODULE) as inn:
        await submit(inn, "held", "hold")
        for name in ("first", "second", "third"):
            await submit(inn, name, priority="low")
        report = await inn.client.prioritize("third", "high")
        assert (report.priority, report.previous, report.provider) == (Priority.HIGH, Priority.LOW, "kitchen")
        assert (await inn.client.prioritize("third", "high")).previous is Priority.HIGH
        await inn.client.prioritize("first", "critical")
        await inn.client.prioritize("first", "low")
        assert await queued(inn) == {"high": 1, "low": 2}
        release(inn)
        assert [await outcome(inn, name) for name in ("first", "second", "third")] == [
            "cooked first",
            "cooked second",
            "cooked third",
        ]
        assert starts(inn) == ["held", "third", "second", "first"]

        async def told() -> bool:
            events = [event async for event in inn.client.events(request_id="third")]
            return "from low to high" in [e.message for e in events if e.kind == "prioritized"]

        await eventually(told, "the event")


async def test_a_move_whose_copy_was_taken_back_loses_nothing_when_it_is_asked_for_again(tmp_path: Path) -> None:
    """The copy goes where the original was taken meanwhile; given back, that is all there is of the task."""
    async with live(tmp_path, network(), inn=MODULE) as inn:
        await submit(inn, "held", "hold")
        await submit(inn, "waits", priority="low")
        ground = inn.runner._ground
        queues = WorkQueues(ground.connection, ground.subjects)
        [original] = [one async for one in queues.stored("kitchen") if one.call.priority is Priority.LOW]
        copy = original.request.model_copy(update={"priority": Priority.HIGH})
        publication = publication_of_place(original.sequence)
        assert await ground.desk.publish(copy, "kitchen", sender=original.call.caller, publication=publication) is None
        await queues.delete("kitchen", original.sequence + 1)
        with pytest.raises(UsageProblem, match="works on _client-tester/waits already"):
            await inn.client.prioritize("waits", "high")
        release(inn)
        assert await outcome(inn, "waits") == "cooked waits"


async def test_what_does_not_wait_is_not_moved(tmp_path: Path) -> None:
    async with live(tmp_path, network(), inn=MODULE) as inn:
        await submit(inn, "held", "hold")
        await eventually(lambda: starts(inn) == ["held"], "the task in hand")
        with pytest.raises(UsageProblem, match="works on _client-tester/held already"):
            await inn.client.prioritize("held", "high")
        with pytest.raises(UsageProblem, match="there is no priority 'urgent'"):
            await inn.client.prioritize("held", "urgent")
        with pytest.raises(UsageProblem, match="nobody knows a request nobody"):
            await inn.client.prioritize("nobody", "high")
        release(inn)
        await outcome(inn, "held")
        with pytest.raises(UsageProblem, match="is COMPLETED already"):
            await inn.client.prioritize("held", "high")


async def test_a_move_needs_no_room_in_a_full_queue_and_leaves_it_full(tmp_path: Path) -> None:
    async with live(tmp_path, network(limit=3), inn=MODULE) as inn:
        await submit(inn, "held", "hold")
        for name in ("first", "second"):
            await submit(inn, name, priority="low")
        for priority in ("critical", "normal", "high"):
            assert (await inn.client.prioritize("second", priority)).priority == priority.upper()
        assert await queued(inn) == {"high": 1, "low": 1}
        refused = await inn.client.call("kitchen/cook", "one too many")
        assert isinstance(refused, WorkResponse)
        assert refused.error is not None
        assert refused.error.message == "the queue of kitchen is full: 3 of 3 tasks wait or are worked on"
        release(inn)
        for name in ("first", "second"):
            await outcome(inn, name)
        assert starts(inn) == ["held", "second", "first"]


async def test_a_move_in_a_full_queue_leaves_it_the_limit_that_was_saved_last(tmp_path: Path) -> None:
    async with live(tmp_path, network(limit=2), watch=True, inn=MODULE) as inn:
        await Saver(inn).does(("network.yaml", network(limit=3)))
        await submit(inn, "held", "hold")
        for name in ("first", "second"):
            await submit(inn, name, priority="low")
        assert (await inn.client.prioritize("second", "high")).priority == Priority.HIGH
        await inn.client.cancel("first")
        assert await submit(inn, "third")
        refused = await inn.client.call("kitchen/cook", "one too many")
        assert isinstance(refused, WorkResponse)
        assert refused.error is not None
        assert refused.error.message == "the queue of kitchen is full: 3 of 3 tasks wait or are worked on"
        release(inn)
        for name in ("second", "third"):
            await outcome(inn, name)


async def test_where_somebody_else_takes_the_place_nothing_is_moved_and_nothing_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def taken(*_: object) -> AsyncIterator[None]:
        yield

    async with live(tmp_path, network(limit=2), inn=MODULE) as inn:
        await submit(inn, "held", "hold")
        await submit(inn, "waits", priority="low")
        monkeypatch.setattr(WorkQueues, "one_more", taken)
        with pytest.raises(UsageProblem, match="the queue of kitchen is full: nothing can be moved in it") as caught:
            await inn.client.prioritize("waits", "high")
        assert caught.value.code == "QUEUE_FULL"
        assert await queued(inn) == {"low": 1}
        release(inn)
        assert await outcome(inn, "waits") == "cooked waits"


@asynccontextmanager
async def two_kitchens(tmp_path: Path) -> AsyncIterator[LiveNetwork]:
    """Each with one slot, and both taken; the first one's network."""
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path / "one", network(), nats=url, inn=IN_ONE) as inn,
        live(tmp_path / "two", network(), nats=url, inn=IN_ONE),
    ):
        await eventually(lambda: inn.runner._ground.desk.replicas("kitchen") == 2, "both replicas")
        for name in ("held", "also"):
            await submit(inn, name, f"until {name}")
        await eventually(lambda: len(starts(inn)) == 2, "every slot taken")
        yield inn


def free(inn: LiveNetwork, name: str) -> None:
    """Let one task end that works `until` this."""
    (inn.workspace.directory / name).touch()


async def messages(inn: LiveNetwork) -> list[str]:
    return [one.request.request_id async for one in inn.runner._ground.backlog.waiting("kitchen")]


async def only_moved(inn: LiveNetwork) -> bool:
    return await messages(inn) == ["moved"]


async def emptied(inn: LiveNetwork) -> bool:
    return await messages(inn) == []


async def test_a_move_that_breaks_off_half_way_leaves_one_piece_of_work(tmp_path: Path) -> None:
    """Both messages stand in the queue, and two workers come to them at once."""
    async with two_kitchens(tmp_path) as inn:
        await submit(inn, "moved", "until end", priority="low")
        ground = inn.runner._ground
        [first] = [one async for one in ground.backlog.waiting("kitchen") if one.request.request_id == "moved"]
        copy = first.request.model_copy(update={"priority": Priority.HIGH})
        publication = publication_of_place(first.sequence)
        assert await ground.desk.publish(copy, "kitchen", sender=first.call.caller, publication=publication) is None
        assert (await messages(inn)).count("moved") == 2
        free(inn, "held")
        free(inn, "also")
        await eventually(lambda: len(starts(inn)) == 3, "the work")
        await submit(inn, "next")
        assert await outcome(inn, "next") == "cooked next"
        free(inn, "end")
        assert await outcome(inn, "moved") == "cooked moved"
        await eventually(lambda: emptied(inn), "an empty queue")
        assert starts(inn).count("moved") == 1


async def test_what_is_taken_just_before_its_message_goes_is_worked_on_once_and_kept_by_the_other_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One works on a message that is deleted under it; should it die, the other message is all that is left."""
    async with two_kitchens(tmp_path) as inn:
        await submit(inn, "moved", "until end", priority="low")
        publish = InlineDesk.publish

        async def late(desk: InlineDesk, *told: Any, **terms: Any) -> WorkError | None:
            free(inn, "held")
            await eventually(lambda: "moved" in starts(inn), "the work")
            return await publish(desk, *told, **terms)

        async def checked_before(*_: object) -> bool:
            return True

        with monkeypatch.context() as slow:
            slow.setattr(InlineDesk, "publish", late)
            slow.setattr(Promotion, "_waits", checked_before)
            await inn.client.prioritize("moved", "high")
        free(inn, "also")
        await submit(inn, "next")
        assert await outcome(inn, "next") == "cooked next"
        await eventually(lambda: only_moved(inn), "the other message alone")
        free(inn, "end")
        assert await outcome(inn, "moved") == "cooked moved"
        await eventually(lambda: emptied(inn), "an empty queue")
        assert starts(inn).count("moved") == 1


async def test_a_full_queue_says_how_full_and_who_offers_the_same(tmp_path: Path) -> None:
    async with live(tmp_path, network(limit=2), inn=MODULE) as inn:
        for name in ("held", "waits"):
            await submit(inn, name, "hold")
        refused = await inn.client.call("kitchen/cook", "one too many")
        assert isinstance(refused, WorkResponse)
        assert refused.error is not None
        assert refused.error.message == "the queue of kitchen is full: 2 of 2 tasks wait or are worked on"
        assert (refused.error.hint or "").startswith("ask bar/cook, which offers the same; ")
        release(inn)


async def test_a_drained_ensemble_finishes_what_it_has_and_keeps_what_waits(tmp_path: Path) -> None:
    async with live(tmp_path, network(), inn=MODULE) as inn:
        await submit(inn, "held", "hold")
        await submit(inn, "waits")
        draining = asyncio.ensure_future(inn.client.drain("kitchen"))
        kitchen = inn.runner._hosted["kitchen"]
        await eventually(lambda: kitchen.state is EnsembleState.DRAINING, "the drain")
        order = await inn.client.call("desk/order", "lunch", deadline=60)
        assert isinstance(order, WorkResponse)
        assert order.result == "a sandwich"  # discovery goes past it at once
        release(inn)
        report = await draining
        assert (report.state, report.replicas, report.detail) == (EnsembleState.STOPPED, 0, None)
        assert (starts(inn), await queued(inn)) == (["held"], {"normal": 1})
        assert await outcome(inn, "held") == "cooked held"
        report = await inn.client.drain("kitchen", resume=True)
        assert (report.state, report.replicas) == (EnsembleState.READY, 1)
        assert await outcome(inn, "waits") == "cooked waits"


async def test_a_handler_that_ignores_the_end_is_named_and_its_task_comes_again(tmp_path: Path) -> None:
    """FAULTS 9."""
    async with live(tmp_path, network(drain="1s"), inn=MODULE) as inn:
        await submit(inn, "mule", "stubborn")
        await eventually(lambda: starts(inn) == ["mule"], "the task in hand")
        report = await inn.client.drain("kitchen")
        release(inn)
        assert report.state is EnsembleState.STOPPED
        assert report.detail == "stopped waiting for task cook for _client-tester"

        async def waits() -> bool:
            return await queued(inn) == {"normal": 1}

        await eventually(waits, "the task in the queue again")
        await inn.client.drain("kitchen", resume=True)
        assert await outcome(inn, "mule") == "cooked mule"


async def test_an_ensemble_that_could_not_be_brought_back_is_brought_back_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live(tmp_path, network(), inn=MODULE) as inn:
        await inn.client.drain("kitchen")

        status, seen = inn.client.status, asyncio.Event()

        async def looked() -> StatusReport:
            report = await status()
            if EnsembleState.DRAINING in {one.state for one in report.ensembles}:
                seen.set()
            return report

        async def away(registration: Registration) -> None:
            if registration.state is EnsembleState.DRAINING:
                await seen.wait()  # whoever waits for it sees that it is stopped again
            raise TimeoutError

        with monkeypatch.context() as patch:
            patch.setattr(inn.client, "status", looked)
            patch.setattr(inn.runner._ground.desk, "register", away)
            report = await inn.client.drain("kitchen", resume=True)
            assert report.state is EnsembleState.STOPPED
            assert report.detail == "kitchen did not come up: the server went away meanwhile: TimeoutError"
        assert (await inn.client.drain("kitchen", resume=True)).state is EnsembleState.READY


async def test_only_an_ensemble_can_be_drained(tmp_path: Path) -> None:
    async with live(tmp_path, network(), inn=MODULE, without=frozenset({"bar"})) as inn:
        with pytest.raises(UsageProblem, match="no ensemble is called kitchn") as caught:
            await inn.client.drain("kitchn")
        assert caught.value.hint == "did you mean `kitchen`?"
        with pytest.raises(UsageProblem, match="no live runner hosts bar"):
            await inn.client.drain("bar")
