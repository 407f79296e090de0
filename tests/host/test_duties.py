"""The leader's duties, over a real server: tasks whose provider is gone are moved, held or ended, each once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.bus.events import Events
from runner.bus.requeue import Requeue
from runner.bus.work_queues import WorkQueues
from runner.checkpoint import Checkpoint
from runner.config.lock import Lock, LockedUse, bound
from runner.event import Event
from runner.host.attempts import GONE, recorded
from runner.host.desk import StoreAway
from runner.host.duties import Duties, _Looked
from runner.host.foundation import Foundation
from runner.host.version import Generation
from runner.registration import Registration
from runner.routing.claims import Unclaimed
from runner.subjects import Subjects, TaskCall, publication_of_epoch
from runner.work import (
    Attempt,
    Code,
    DeliverySpec,
    EnsembleState,
    Need,
    Priority,
    Record,
    Standing,
    Status,
    WorkRequest,
    WorkResponse,
    new_trace,
)
from tests.support.networks import PATIENCE_SECONDS, LiveNetwork, eventually, live

NETWORK = """\
network: inn
ensembles:
  kitchen:
    sla: 50ms
    tasks: {cook: {share: [food], steps: [{template: "{{ context }} of the kitchen"}]}}
  bistro:
    capacity: {queue_limit: 2}
    tasks: {cook: {share: [food], steps: [{python: "inn:cook"}]}}
  canteen:
    tasks: {serve: {share: [food], steps: [{template: "{{ context }} of the canteen"}]}}
"""
TWO_COOKS = """\
network: inn
ensembles:
  auberge:
    sla: 50ms
    capacity: {max_concurrent: 1}
    tasks: {cook: {share: true, steps: [{python: "inn:burn"}]}}
  bistro:
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
"""
MODULE = """\
import asyncio
from pathlib import Path
from types import SimpleNamespace


async def cook(text: str) -> str:
    while Path(__file__).with_name("busy").exists():
        await asyncio.sleep(0.01)
    return f"{text} of the bistro"


async def burn(text: str) -> str:
    await asyncio.Event().wait()
"""
SUBJECTS = Subjects("inn")


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner itself looks once, before there is anything; from then on a look is a test's."""
    monkeypatch.setattr("runner.host.duties.LOOK_SECONDS", 3600.0)


@dataclass(frozen=True)
class Leader:
    """A leader whose duties are done when a test says so."""

    inn: LiveNetwork

    @property
    def ground(self) -> Foundation:
        return self.inn.runner._ground

    def duties(self) -> Duties:
        """Those of a new leader."""
        duties = Duties(self.ground)
        duties._looked = {name: _Looked(duties._health(name, None)) for name in self.ground.in_force.queues()}
        return duties

    async def submit(self, request_id: str, **changes: object) -> WorkRequest:
        """A task in the queue of the kitchen, asked for by name and tags unless it says otherwise."""
        settings = {
            "request_id": request_id,
            "caller": "_client-tester",
            "task": "cook",
            "context": request_id,
            "need": Need(name="cook"),
            "trace_context": new_trace(),
            "submitted_at": datetime.now(UTC),
            **changes,
        }
        request = WorkRequest.model_validate(settings)
        assert await Requeue(self.ground.connection, SUBJECTS).put(request, "kitchen") is None
        return request

    async def queued(self, ensemble: str) -> list[str]:
        return [s.request.request_id async for s in WorkQueues(self.ground.connection, SUBJECTS).stored(ensemble)]

    async def record(self, request_id: str) -> Record | None:
        return (await self.ground.desk.read("_client-tester", request_id)).record

    async def outcome(self, request_id: str) -> WorkResponse:
        response = await self.inn.client.result(request_id, timeout=20)
        assert isinstance(response, WorkResponse), response
        return response

    async def events(self, kind: str) -> list[Event]:
        return [event async for event in Events(self.ground.connection, SUBJECTS).read(kind=kind)]

    async def told(self, kind: str) -> list[Event]:
        """What the duties have told by now: of all that they told, this comes last."""
        self.ground.events.write(Event(kind="told", at=datetime.now(UTC), ensemble="kitchen"))
        await eventually(lambda: self._has("told"), "the last of what was told")
        return await self.events(kind)

    async def _has(self, kind: str) -> bool:
        return bool(await self.events(kind))


@asynccontextmanager
async def leader(directory: Path, *, without: str = "kitchen") -> AsyncIterator[Leader]:
    async with live(directory, NETWORK, without=frozenset(without.split()), inn=MODULE) as inn:
        yield Leader(inn)


async def until(duties: Duties, leader: Leader, ensemble: str, *ids: str) -> None:
    """Do the duties until these are what an ensemble's queue holds."""

    async def holds() -> bool:
        await duties.look()
        return await leader.queued(ensemble) == list(ids)

    await eventually(holds, f"{ids} in the queue of {ensemble}")


async def test_what_a_provider_does_not_claim_goes_to_another_with_an_event(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        await chief.submit("soup", priority=Priority.HIGH)
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        assert (await chief.outcome("soup")).result == "soup of the bistro"
        record = await chief.record("soup")
        assert record is not None
        assert (record.epoch, record.provider, record.priority) == (1, "bistro", Priority.HIGH)
        [event] = await chief.told("DELEGATION_FAILED")
        assert (event.ensemble, event.request_id) == ("kitchen", "soup")
        why = "kitchen did not claim it within its sla of 0.05 s: moved from kitchen/cook to bistro/cook"
        assert event.message == why


async def test_the_caller_that_waits_is_told_who_answers_now(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def on_message(message: object) -> None:
            heard.put_nowait(message.data)  # type: ignore[attr-defined]

        subject = SUBJECTS.reply("_client-tester", "kitchen", "soup")
        connection = chief.inn.client._connection
        await connection.subscribe(subject, cb=on_message)
        await connection.flush()
        await chief.submit("soup")
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        async with asyncio.timeout(20):
            assert b'"type":"task_moved"' in (told := await heard.get())
        assert b'"provider":"bistro"' in told


async def test_what_is_locked_to_others_is_not_given_a_task_that_a_static_use_could_give_it(tmp_path: Path) -> None:
    text = f"""{NETWORK}  desk:
    uses: {{meal: {{discover: cook}}, named: bistro/cook}}
"""
    async with live(tmp_path, text, without=frozenset({"kitchen"}), inn=MODULE) as network:
        leader = Leader(network)
        request = await leader.submit("dish", caller="desk")
        task = Unclaimed(TaskCall("desk", "kitchen", Priority.NORMAL, "cook"), request, datetime.now(UTC))
        assert [one.target for one in leader.duties()._candidates(task)] == ["bistro/cook"]
        locked = bound(network.network, Lock("inn", {"desk/meal": LockedUse("cook", {"kitchen/cook": "1"})}))
        leader.ground.in_force.generation = Generation.of(locked, 1)
        assert list(leader.duties()._candidates(task)) == []


async def test_a_need_by_tags_is_met_by_a_capability_of_another_name(tmp_path: Path) -> None:
    async with leader(tmp_path, without="kitchen bistro") as chief:
        await chief.submit("soup", need=Need(tags=("food",)))
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        assert (await chief.outcome("soup")).result == "soup of the canteen"


async def test_a_full_queue_is_passed_over_and_the_next_one_has_it(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        (tmp_path / "busy").touch()
        ids = [f"dish-{number}" for number in range(4)]
        for request_id in ids:
            await chief.submit(request_id, need=Need(tags=("food",)))
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        (tmp_path / "busy").unlink()
        outcomes = [await chief.outcome(request_id) for request_id in ids]
        assert [outcome.provider for outcome in outcomes] == ["bistro", "bistro", "canteen", "canteen"]
        assert all(outcome.status is Status.COMPLETED for outcome in outcomes)


async def test_no_task_goes_before_an_older_one_whose_time_comes_while_it_is_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with leader(tmp_path) as chief:
        (tmp_path / "busy").touch()
        ids = [f"dish-{number}" for number in range(3)]
        for request_id in ids:
            await chief.submit(request_id, need=Need(tags=("food",)))
        duties = chief.duties()
        almost = datetime.now(UTC) + timedelta(milliseconds=45)
        times = (almost + timedelta(milliseconds=10 * number) for number in count())
        monkeypatch.setattr("runner.host.duties.datetime", SimpleNamespace(now=lambda _: next(times)))
        await until(duties, chief, "kitchen")
        (tmp_path / "busy").unlink()
        assert [(await chief.outcome(one)).provider for one in ids] == ["bistro", "bistro", "canteen"]


async def test_where_all_are_full_the_task_is_its_old_providers_again(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        (tmp_path / "busy").touch()
        for request_id in ("one", "two", "three"):
            await chief.submit(request_id)
        duties = chief.duties()
        await until(duties, chief, "kitchen", "three")
        await duties.look()
        record = await chief.record("three")
        assert record is not None
        assert (record.provider, record.moved) == ("kitchen", None)
        (tmp_path / "busy").unlink()
        await until(duties, chief, "kitchen")
        assert (await chief.outcome("three")).result == "three of the bistro"


async def test_what_names_its_provider_is_held_and_told_of_once(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        await chief.submit("soup", need=None)
        duties = chief.duties()

        async def held() -> bool:
            await duties.look()
            return await chief._has("CAPABILITY_DEGRADED")

        await eventually(held, "an event")
        for _ in range(3):
            await duties.look()
        [event] = await chief.told("CAPABILITY_DEGRADED")
        assert (event.ensemble, event.capability, event.request_id) == ("kitchen", "cook", "soup")
        assert re.search(r"held until [-\d]{10}T[:\d]{8}\+00:00$", event.message or "")
        assert await chief.queued("kitchen") == ["soup"]


async def test_what_waits_for_nobody_is_held_for_all_to_see(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        await chief.submit("soup", need=None)
        standing = await chief.inn.client.result("soup", wait=False)
        assert isinstance(standing, Standing)
        assert (standing.status, standing.state) == ("PENDING", "HELD")
        assert [report.request_id for report in await chief.inn.client.requests("held")] == ["soup"]
        counted = {ensemble.name: ensemble.held for ensemble in (await chief.inn.client.status()).ensembles}
        assert counted == {"bistro": 0, "canteen": 0, "kitchen": 1}


async def test_what_is_past_its_deadline_is_expired_with_nobody_up(tmp_path: Path) -> None:
    async with leader(tmp_path, without="kitchen bistro canteen") as chief:
        board = DeliverySpec(method="topic", address="board")
        await chief.submit("soup", deadline=timedelta(milliseconds=50), delivery=board)
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        outcome = await chief.outcome("soup")
        assert outcome.status is Status.EXPIRED
        assert outcome.error is not None
        assert outcome.error.code == Code.DEADLINE_EXCEEDED
        assert outcome.error.message == "the deadline of 0.05 s passed: kitchen was not up to start it"
        record = await chief.record("soup")
        assert record is not None
        assert record.delivered, "it went where the request wanted it"


async def test_what_expires_tells_what_an_earlier_start_had_finished(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        request = await chief.submit("soup", deadline=timedelta(milliseconds=50))
        started = Attempt(number=1, runner="runner-gone", provider="kitchen", started_at=datetime.now(UTC))
        desk, caller = chief.ground.desk, request.caller
        assert await desk.record(recorded(request, caller, "kitchen", None, started), 0)
        await desk.checkpoint(caller, "soup", ("stock",), Checkpoint(epoch=0, definition="x", output="3 left"))
        await desk.checkpoint(caller, "soup", ("plan",), Checkpoint(epoch=0, definition="x", ran=False))
        await desk.checkpoint(caller, "soup", ("cook", "0"), Checkpoint(epoch=0, definition="x", output="an item"))
        await until(chief.duties(), chief, "kitchen")
        outcome = await chief.outcome("soup")
        assert (outcome.status, outcome.partial) == (Status.EXPIRED, {"stock": "3 left"})
        record = await chief.record("soup")
        assert record is not None
        assert (record.attempts, len(record.history)) == (1, 1)
        assert await desk.checkpoints(caller, "soup") == {}


async def test_what_was_started_where_nobody_is_any_more_is_moved_with_its_history(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        request = await chief.submit("soup")
        started = Attempt(number=1, runner="runner-gone", provider="kitchen", started_at=datetime.now(UTC))
        assert await chief.ground.desk.record(recorded(request, request.caller, "kitchen", None, started), 0)
        await until(chief.duties(), chief, "kitchen")
        assert (await chief.outcome("soup")).result == "soup of the bistro"
        record = await chief.record("soup")
        assert record is not None
        assert (record.epoch, record.attempts) == (1, 2)
        told = [(attempt.provider, attempt.ended) for attempt in record.history]
        assert told == [("kitchen", GONE), ("bistro", None)]


async def test_what_a_draining_replica_works_on_is_left_to_it(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        request = await chief.submit("soup")
        runner, desk = chief.inn.runner.id, chief.ground.desk
        started = Attempt(number=1, runner=runner, provider="kitchen", started_at=datetime.now(UTC))
        assert await desk.record(recorded(request, request.caller, "kitchen", None, started), 0)
        await desk.register(Registration(ensemble="kitchen", runner=runner, state=EnsembleState.DRAINING))
        duties = chief.duties()
        await chief.submit("fish")
        await until(duties, chief, "kitchen", "soup")
        await desk.register(Registration(ensemble="kitchen", runner=runner, state=EnsembleState.STOPPED))
        await until(duties, chief, "kitchen")


async def test_callers_that_wait_get_their_answers_from_another_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One task is in hand and one waits when the provider stops; nobody does anything about it."""
    monkeypatch.setattr("runner.host.duties.LOOK_SECONDS", 0.05)
    async with live(tmp_path, TWO_COOKS, inn=MODULE) as inn:
        calls = [asyncio.ensure_future(inn.client.call("cook", dish, deadline="60s")) for dish in ("soup", "fish")]
        auberge = inn.runner._hosted["auberge"]

        async def busy() -> bool:
            return auberge.in_flight == 1 and (await inn.client.status()).ensembles[0].queued.normal == 1

        await eventually(busy, "one dish on the stove and one that waits")
        await auberge.stop(0.0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            responses = await asyncio.gather(*calls)
    assert all(isinstance(response, WorkResponse) for response in responses)
    assert [response.result for response in responses] == ["soup of the bistro", "fish of the bistro"]


async def test_a_healthy_provider_is_left_alone(tmp_path: Path) -> None:
    async with leader(tmp_path, without="") as chief:
        duties = chief.duties()
        await chief.submit("soup")
        await duties.look()
        assert (await chief.outcome("soup")).provider == "kitchen"
        assert await chief.told("DELEGATION_FAILED") == []


async def moved_by_hand(chief: Leader, request_id: str, *chain: str, **terms: object) -> None:
    """As a leader leaves it that dies right after the record; or, with a chain, one who hands it off."""
    request = await chief.submit(request_id, **terms)
    record = Record(
        epoch=1,
        request_id=request_id,
        task="cook",
        caller="_client-tester",
        provider="bistro",
        priority=request.priority,
        submitted_at=request.submitted_at,
        trace_id=request.trace_context.trace_id,
        attempts=0,
        moved=request.model_copy(update={"chain": chain}),
    )
    assert await chief.ground.desk.record(record, 0)


async def test_the_next_leader_completes_what_the_last_one_began(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        await moved_by_hand(chief, "soup")
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        assert (await chief.outcome("soup")).result == "soup of the bistro"


async def test_what_nobody_took_over_by_its_deadline_is_expired(tmp_path: Path) -> None:
    """Handed off to one without room, by one that is gone: its caller is answered all the same, and once."""
    async with leader(tmp_path) as chief:
        (tmp_path / "busy").touch()
        for request_id in ("one", "two"):
            await chief.submit(request_id)
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        await moved_by_hand(chief, "three", "kitchen/cook", deadline=timedelta(0))
        await until(duties, chief, "kitchen")
        (tmp_path / "busy").unlink()
        outcome = await chief.outcome("three")
        assert outcome.error is not None
        assert (outcome.status, outcome.error.code) == (Status.EXPIRED, Code.DEADLINE_EXCEEDED)


async def test_a_move_that_the_server_cut_short_is_completed_though_the_provider_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with leader(tmp_path) as chief:
        await chief.submit("soup")
        duties = chief.duties()

        async def away(*_: object, **__: object) -> None:
            raise StoreAway

        async def is_cut_short() -> bool:
            try:
                await duties.look()
            except StoreAway:
                return True
            return False

        with monkeypatch.context() as patch:
            patch.setattr(chief.ground.desk, "publish", away)
            await eventually(is_cut_short, "a move without its end")
        back = Registration(ensemble="kitchen", runner=chief.inn.runner.id, state=EnsembleState.READY)
        await chief.ground.registry.put(back)
        await until(duties, chief, "kitchen")
        assert (await chief.outcome("soup")).result == "soup of the bistro"


async def test_what_was_published_but_not_deleted_is_worked_once(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        await moved_by_hand(chief, "soup")
        request = (await chief.record("soup")).moved  # type: ignore[union-attr]
        assert request is not None
        assert await chief.ground.desk.publish(request, "bistro", publication=publication_of_epoch(1)) is None
        await chief.outcome("soup")
        duties = chief.duties()
        await until(duties, chief, "kitchen")

        async def told() -> bool:
            return bool(await chief.events("completed"))

        await eventually(told, "the end of the work")
        assert len(await chief.events("started")) == 1


async def test_what_was_cancelled_while_it_waited_is_answered_and_forgotten(tmp_path: Path) -> None:
    async with leader(tmp_path) as chief:
        await chief.submit("soup", need=None)
        await chief.inn.client.cancel("soup")
        duties = chief.duties()
        await until(duties, chief, "kitchen")
        assert (await chief.outcome("soup")).status is Status.CANCELLED
