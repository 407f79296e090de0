"""Dead letters: a task started too often is answered, kept, listed and retried, and nothing waits behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from runner.errors import UsageProblem
from runner.host.attempts import GONE, STOPPED
from runner.host.happenings import Worked
from runner.payload import PayloadProblem, Reference, reference_in
from runner.work import Attempt, Record, Status, WorkRequest, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.records import CALLER, Ledgers, a_record, a_request, ledgers

NETWORK = """\
network: inn
defaults: {max_attempts: 3}
ensembles:
  desk:
    uses: {tell: kitchen/say}
    tasks: {order: {share: true, steps: [{handoff: tell}]}}
  kitchen:
    capacity: {max_concurrent: 1, queue_limit: 2}
    tasks:
      say: {share: true, steps: [{template: "{{ context }}"}]}
      hold: {share: true, steps: [{python: "inn:hold"}]}
"""
MODULE = """\
import asyncio
from pathlib import Path


async def hold(text: str) -> str:
    while not Path(__file__).with_name("release").exists():
        await asyncio.sleep(0.01)
    return text
"""

Inn = tuple[LiveNetwork, Ledgers]
Open = Callable[[], AbstractAsyncContextManager[Inn]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Inn]:
        async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
            yield inn, books

    return opening


async def worn_out(books: Ledgers, request: WorkRequest, *, starts: int = 3) -> None:
    """The request as runners that died left it: started so many times, and in its queue again."""
    history = tuple(
        Attempt(number=number, runner=f"runner-{number}", provider="kitchen", started_at=request.submitted_at)
        for number in range(1, starts + 1)
    )
    record = a_record(request.request_id, request.task, "kitchen", attempts=starts, history=history)
    await books.write(record.model_copy(update={"caller": request.caller, "submitted_at": request.submitted_at}))
    assert await books.publish(request, "kitchen", publication=7) is None


async def died(inn: LiveNetwork, books: Ledgers, request_id: str = "r1", task: str = "say") -> WorkResponse:
    await worn_out(books, a_request(request_id, task, "poison"))
    outcome = await inn.client.result(request_id)
    assert isinstance(outcome, WorkResponse)
    await eventually(lambda: buried(books, request_id), "the dead letter")
    return outcome


async def buried(books: Ledgers, request_id: str) -> bool:
    return await books.bucket("dead").get(f"{CALLER}.{request_id}") is not None


async def gone(books: Ledgers, request_id: str) -> bool:
    return not await buried(books, request_id)


async def record_of(books: Ledgers, request_id: str) -> Record:
    record = await books.record(request_id)
    assert record is not None
    return record


async def test_a_task_started_too_often_is_answered_and_kept_and_the_rest_flows_on(opened: Open):
    async with opened() as (inn, books):
        outcome = await died(inn, books)
        assert outcome.error is not None
        assert (outcome.status, outcome.error.code) == (Status.FAILED, "DEAD_LETTER")
        assert outcome.error.message == (
            "kitchen/say was started 3 times, and each time whoever worked on it was gone before there was an outcome"
        )
        assert outcome.error.hint == "once the cause is mended: `run-network retry _client-tester/r1`"
        after = await inn.client.call("kitchen/say", "next", deadline=60)
        assert isinstance(after, WorkResponse)
        assert after.result == "next"
        assert "dead" in [event.kind async for event in happened(inn, "r1")]


async def happened(inn: LiveNetwork, request_id: str):
    await eventually(lambda: told(inn, request_id), "the events")
    async for event in inn.client.events(request_id=request_id):
        yield event


async def told(inn: LiveNetwork, request_id: str) -> bool:
    return "failed" in [event.kind async for event in inn.client.events(request_id=request_id)]


async def test_one_start_below_the_limit_is_worked_on(opened: Open):
    async with opened() as (inn, books):
        await worn_out(books, a_request("r1", "say", "fine"), starts=2)
        outcome = await inn.client.result("r1")
        assert isinstance(outcome, WorkResponse)
        assert (outcome.status, outcome.result) == (Status.COMPLETED, "fine")
        assert (await record_of(books, "r1")).attempts == 3


async def test_dead_letters_are_listed_with_the_history_of_their_attempts(opened: Open):
    async with opened() as (inn, books):
        await died(inn, books)
        await inn.client.call("kitchen/say", "alive")
        [letter] = await inn.client.requests("dead")
        assert (letter.request_id, letter.caller, letter.provider, letter.task) == ("r1", CALLER, "kitchen", "say")
        assert (letter.status, letter.state, letter.attempts) == ("FAILED", "DEAD", 3)
        assert [(one.number, one.runner, one.ended) for one in letter.history] == [
            (1, "runner-1", GONE),
            (2, "runner-2", GONE),
            (3, "runner-3", GONE),
        ]


async def test_a_dead_letter_outlives_its_record(opened: Open):
    async with opened() as (inn, books):
        await died(inn, books)
        await books.bucket("results").purge(f"{CALLER}.r1")  # as after `results_kept`
        [letter] = await inn.client.requests("DEAD")
        assert (letter.status, letter.state, letter.attempts) == ("FAILED", "DEAD", 3)
        await inn.client.retry("r1")
        outcome = await inn.client.result("r1")
        assert isinstance(outcome, WorkResponse)
        assert outcome.result == "poison"


async def test_a_retry_queues_it_again_under_a_new_claim_with_its_whole_deadline(opened: Open):
    async with opened() as (inn, books):
        await died(inn, books)
        before = await record_of(books, "r1")
        retried = await inn.client.retry(f"{CALLER}/r1")
        assert (retried.request_id, retried.caller, retried.provider) == ("r1", CALLER, "kitchen")
        outcome = await inn.client.result("r1")
        assert isinstance(outcome, WorkResponse)
        assert (outcome.status, outcome.result) == (Status.COMPLETED, "poison")
        record = await record_of(books, "r1")
        assert (record.epoch, record.attempts, len(record.history)) == (before.epoch + 1, 1, 4)
        assert record.submitted_at > before.submitted_at
        assert [one.ended for one in record.history] == [GONE, GONE, GONE, None]
        assert await inn.client.requests("dead") == ()
        await eventually(lambda: kinds(inn, "retried"), "the event")
        await eventually(lambda: shown(inn, "retried"), "the event where the runner shows what happens")


def shown(inn: LiveNetwork, kind: str) -> bool:
    return any(isinstance(one, Worked) and one.event.kind == kind for one in inn.happenings)


async def kinds(inn: LiveNetwork, kind: str) -> bool:
    return kind in [event.kind async for event in inn.client.events(request_id="r1")]


async def test_a_large_context_is_kept_with_the_dead_letter_and_not_longer(opened: Open):
    async with opened() as (inn, books):
        text = "poison" * 200_000
        reference = await inn.client.upload(text.encode())
        await worn_out(books, a_request("r1", "say", reference))
        await eventually(lambda: buried(books, "r1"), "the dead letter")
        objects = inn.runner._ground.desk._objects
        await objects.delete(reference_in(reference).object)  # its time is over
        await inn.client.retry("r1")
        await eventually(lambda: gone(books, "r1"), "the end of the dead letter")
        outcome = await inn.client.result("r1")
        assert isinstance(outcome, WorkResponse)
        assert outcome.result == text
        with pytest.raises(PayloadProblem, match="there is no object dead/"):
            await objects.load_payload(Reference(object=f"dead/{CALLER}.r1"), len(text))


async def test_what_was_handed_off_is_retried_in_its_callers_name(opened: Open):
    async with opened() as (inn, books):
        request = a_request("r1", "say", "poison", chain=("desk/order",))
        await books.write(a_record("r1", "say", "kitchen", epoch=1, attempts=3, moved=request))
        assert await books.publish(request, "kitchen", 1, sender="desk") is None
        await eventually(lambda: buried(books, "r1"), "the dead letter")
        await inn.client.retry("r1")
        outcome = await inn.client.result("r1")
        assert isinstance(outcome, WorkResponse)
        assert (outcome.status, outcome.result) == (Status.COMPLETED, "poison")


async def test_what_dies_again_after_a_retry_is_a_dead_letter_again(opened: Open):
    async with opened() as (inn, books):
        await died(inn, books, task="hold")
        await inn.client.retry("r1")
        await eventually(lambda: at_work(books), "the start record of the retry")
        entry, standing = await books.entry("r1"), await record_of(books, "r1")
        assert entry is not None
        worn = standing.model_copy(update={"epoch": standing.epoch + 1, "attempts": 3})
        await books.write(worn, entry.revision)
        (inn.workspace.directory / "release").touch()
        await eventually(lambda: buried(books, "r1"), "the dead letter")
        [letter] = await inn.client.requests("dead")
        assert letter.attempts == 3


async def at_work(books: Ledgers) -> bool:
    record = await books.record("r1")
    return record is not None and record.response is None and record.attempts == 1


async def test_only_a_dead_letter_can_be_retried(opened: Open):
    async with opened() as (inn, books):
        await inn.client.call("kitchen/say", "done", request_id="done")
        for asked, code in (("done", "NOT_DEAD"), (f"{CALLER}/done", "NOT_DEAD"), ("nobody", "UNKNOWN_REQUEST")):
            with pytest.raises(UsageProblem) as refused:
                await inn.client.retry(asked)
            assert refused.value.code == code
        with pytest.raises(UsageProblem, match="is no request id"):
            await inn.client.retry("no id")
        await died(inn, books)
        await inn.client.retry("r1")
        with pytest.raises(UsageProblem, match="r1 is not dead"):
            await inn.client.retry("r1")


async def test_an_id_of_two_callers_must_say_whose(opened: Open):
    async with opened() as (inn, books):
        await died(inn, books)
        await worn_out(books, a_request("r1", "say", "other").model_copy(update={"caller": "_cli"}))
        await eventually(lambda: dead_is(inn, 2), "the second dead letter")
        with pytest.raises(UsageProblem) as refused:
            await inn.client.retry("r1")
        assert (refused.value.code, refused.value.hint) == ("AMBIGUOUS_REQUEST", "say _cli/r1 or _client-tester/r1")
        await inn.client.retry("_cli/r1")
        assert [letter.caller for letter in await inn.client.requests("dead")] == [CALLER]


async def dead_is(inn: LiveNetwork, count: int) -> bool:
    return len(await inn.client.requests("dead")) == count


async def test_a_full_queue_refuses_the_retry_and_the_dead_letter_stays(opened: Open):
    async with opened() as (inn, books):
        outcome = await died(inn, books)
        holding = [asyncio.ensure_future(inn.client.call("kitchen/hold", str(n), deadline=30)) for n in range(2)]
        await eventually(lambda: pending_is(inn, 2), "a full queue")
        with pytest.raises(UsageProblem) as refused:
            await inn.client.retry("r1")
        assert refused.value.code == "QUEUE_FULL"
        assert await dead_is(inn, 1)
        assert await inn.client.result("r1") == outcome
        (inn.workspace.directory / "release").touch()
        await asyncio.gather(*holding)
        await inn.client.retry("r1")
        again = await inn.client.result("r1")
        assert isinstance(again, WorkResponse)
        assert again.result == "poison"


async def pending_is(inn: LiveNetwork, count: int) -> bool:
    return len(await inn.client.requests("PENDING")) == count


async def test_a_burial_that_was_cut_short_is_completed_when_the_task_comes_again(opened: Open):
    """The outcome was recorded, and the runner died before the letter was kept and the message acknowledged."""
    async with opened() as (inn, books):
        outcome = await died(inn, books)
        await books.bucket("dead").delete(f"{CALLER}.r1")
        assert await books.publish(a_request("r1", "say", "poison"), "kitchen", publication=8) is None
        await eventually(lambda: buried(books, "r1"), "the dead letter")
        assert await inn.client.result("r1") == outcome


async def test_a_retry_that_was_cut_short_is_completed_by_the_next(opened: Open):
    """The record was opened, and the runner died before it published the request."""
    async with opened() as (inn, books):
        await died(inn, books)
        entry, dead = await books.entry("r1"), await record_of(books, "r1")
        assert entry is not None
        await books.write(dead.model_copy(update={"epoch": 1, "attempts": 0, "response": None}), entry.revision)
        assert await dead_is(inn, 1)
        await inn.client.retry("r1")
        outcome = await inn.client.result("r1")
        assert isinstance(outcome, WorkResponse)
        assert (outcome.status, outcome.result) == (Status.COMPLETED, "poison")
        assert await gone(books, "r1")


async def test_an_old_message_that_comes_after_a_retry_does_not_work_or_record_for_it(opened: Open):
    """The retried request is on its way: its record is opened, and its message not there yet."""
    async with opened() as (inn, books):
        old, new = a_request("r1", "say", "old"), a_request("r1", "say", "new")
        await books.write(a_record("r1", "say", "kitchen", epoch=1, submitted_at=new.submitted_at))
        assert await books.publish(old, "kitchen") is None
        after = await inn.client.call("kitchen/say", "after", deadline=60)
        assert isinstance(after, WorkResponse)
        assert (await record_of(books, "r1")).response is None
        assert await books.publish(new, "kitchen", publication=1) is None
        outcome = await inn.client.result("r1", timeout=20)
        assert isinstance(outcome, WorkResponse)
        assert outcome.result == "new"


async def test_a_start_that_a_drain_cut_short_is_not_held_against_the_task(tmp_path: Path):
    network = NETWORK.replace("{max_attempts: 3}", "{max_attempts: 1, drain_timeout: 100ms}")
    async with live(tmp_path, network, inn=MODULE) as inn, ledgers(inn) as books:
        await inn.client.call("kitchen/hold", "soup", mode="async", request_id="r1")
        await eventually(lambda: at_work(books), "the start")
    async with live(tmp_path, network, inn=MODULE) as inn, ledgers(inn) as books:
        (tmp_path / "release").touch()
        outcome = await inn.client.result("r1")
        assert isinstance(outcome, WorkResponse)
        assert (outcome.status, outcome.result) == (Status.COMPLETED, "soup")
        record = await record_of(books, "r1")
        assert [one.ended for one in record.history] == [STOPPED, None]
