"""The record of a request: real starts counted, the outcome of the one who holds the claim, and nobody else's."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import UsageProblem
from runner.host.attempts import GONE, recorded
from runner.host.claim import Claim
from runner.host.desk import Desk, StoreAway
from runner.reports import RequestReport
from runner.work import Attempt, Record, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.records import CALLER, a_record, a_request, ledgers

NETWORK = """\
network: inn
defaults: {max_attempts: 3}
ensembles:
  kitchen:
    capacity: {max_concurrent: 1}
    tasks:
      say: {share: true, steps: [{template: "{{ context }}"}]}
      hold: {share: true, steps: [{python: "inn:hold"}]}
  pantry:
    tasks:
      fetch: {share: true, steps: [{template: "{{ context }}"}]}
"""
MODULE = """\
import asyncio
from datetime import timedelta
from pathlib import Path

here = Path(__file__).parent


async def hold(text: str) -> str:
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return text
"""


def effects(inn: LiveNetwork) -> list[str]:
    path = inn.workspace.directory / "effects"
    return path.read_text().splitlines() if path.exists() else []


def release(inn: LiveNetwork) -> None:
    (inn.workspace.directory / "release").touch()


async def report(inn: LiveNetwork, request_id: str) -> RequestReport:
    [found] = [one for one in await inn.client.requests() if one.request_id == request_id]
    return found


async def test_a_short_task_has_one_write_its_outcome_with_one_attempt(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        await inn.client.call("kitchen/say", "hi", request_id="short")
        record = await books.record("short")
        assert record is not None
        assert (record.attempts, record.epoch, [attempt.runner for attempt in record.history]) == (
            1,
            0,
            [inn.runner.id],
        )
        first = await books.entry("short")
        await inn.client.call("kitchen/say", "hi", request_id="next")
        second = await books.entry("next")
        assert first is not None
        assert second is not None
        assert second.revision == first.revision + 1, "one write each"


async def test_work_that_lasts_is_recorded_as_started_and_counted_while_it_runs(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        await inn.client.call("kitchen/hold", "soup", mode="async", request_id="r1")
        await eventually(lambda: started(books, "r1"), "a start record")
        pending = await report(inn, "r1")
        assert (pending.status, pending.state, pending.attempts) == ("PENDING", "RUNNING", 1)
        assert [(one.number, one.provider, one.ended) for one in pending.history] == [(1, "kitchen", None)]
        release(inn)
        await inn.client.result("r1")
        done = await report(inn, "r1")
        assert (done.status, done.attempts) == ("COMPLETED", 1)


async def started(books, request_id: str) -> bool:
    return await books.record(request_id) is not None


async def test_a_second_start_is_counted_and_says_what_became_of_the_first(tmp_path: Path):
    """The queue gives the task out again after another worker, whose record is written by hand, fell silent."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        request = a_request("r1", "say", "again")
        before = Attempt(number=1, runner="runner-gone", provider="kitchen", started_at=request.submitted_at)
        at = request.submitted_at
        await books.write(a_record("r1", "say", "kitchen", attempts=1, history=(before,), submitted_at=at))
        assert await books.publish(request, "kitchen", publication=1) is None
        await eventually(lambda: ended(books, "r1"), "the outcome")
        record = await books.record("r1")
        assert record is not None
        assert record.attempts == 2
        assert [(one.number, one.runner, one.ended) for one in record.history] == [
            (1, "runner-gone", GONE),
            (2, inn.runner.id, None),
        ]


async def ended(books, request_id: str) -> bool:
    record = await books.record(request_id)
    return record is not None and record.response is not None


async def test_a_cancelled_or_refused_task_that_never_started_has_no_attempt(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        held = asyncio.ensure_future(inn.client.call("kitchen/hold", "held"))
        await eventually(lambda: effects(inn) == ["held"], "the held task")
        await inn.client.call("kitchen/say", "late", deadline=0.2, request_id="late")
        release(inn)
        await held
        await eventually(lambda: ended(books, "late"), "a recorded expiry")
        late = await report(inn, "late")
        assert (late.status, late.attempts) == ("EXPIRED", 0)


async def test_the_first_recorded_outcome_wins_over_a_late_result(tmp_path: Path):
    """Another worker recorded an outcome while ours was at it: ours changes nothing, and the caller hears the first."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        calling = asyncio.ensure_future(inn.client.call("kitchen/hold", "mine", request_id="r1"))
        await eventually(lambda: started(books, "r1"), "a start record")
        entry, standing = await books.entry("r1"), await books.record("r1")
        assert entry is not None
        assert standing is not None
        first = WorkResponse(request_id="r1", status=Status.COMPLETED, result="theirs", provider="kitchen")
        await books.write(standing.model_copy(update={"response": first}), entry.revision)
        release(inn)
        answer = await calling
        assert isinstance(answer, WorkResponse)
        assert answer.result == "theirs"
        assert (await books.record("r1")) == standing.model_copy(update={"response": first})


async def test_a_write_of_the_same_claim_in_between_does_not_lose_the_outcome(tmp_path: Path):
    """A second worker of the same provider and epoch counted its own start: both count, and the outcome is recorded."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        calling = asyncio.ensure_future(inn.client.call("kitchen/hold", "mine", request_id="r1"))
        await eventually(lambda: started(books, "r1"), "a start record")
        entry, standing = await books.entry("r1"), await books.record("r1")
        assert entry is not None
        assert standing is not None
        other = Attempt(number=2, runner="runner-other", provider="kitchen", started_at=standing.submitted_at)
        counted = standing.model_copy(update={"attempts": 2, "history": (*standing.history, other)})
        await books.write(counted, entry.revision)
        release(inn)
        answer = await calling
        assert isinstance(answer, WorkResponse)
        assert answer.result == "mine"
        record = await books.record("r1")
        assert record is not None
        assert (record.attempts, len(record.history)) == (2, 2)


class Deaf:
    """A desk whose first write is done, and never confirmed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.read = desk.read
        self._heard = False

    async def record(self, record: Record, revision: int) -> int | None:
        written = await self._desk.record(record, revision)
        if not self._heard:
            self._heard = True
            raise StoreAway
        return written


async def test_an_outcome_whose_writing_nobody_confirmed_is_still_ours(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        desk = Deaf(inn.runner._ground.desk)
        request = a_request("r1", "say")
        claim = Claim(desk, request, CALLER, "kitchen", inn.runner.id, first_delivery=True, afresh=True)
        await claim.look()
        response = WorkResponse(request_id="r1", status=Status.COMPLETED, result="mine", provider="kitchen")
        assert await claim.conclude(response) == await books.record("r1")


async def test_a_worker_whose_task_was_moved_meanwhile_records_and_answers_nothing(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        calling = asyncio.ensure_future(inn.client.call("kitchen/hold", "mine", request_id="r1"))
        await eventually(lambda: started(books, "r1"), "a start record")
        entry = await books.entry("r1")
        assert entry is not None
        moved = a_record("r1", "fetch", "pantry", epoch=1)
        await books.write(moved, entry.revision)
        release(inn)
        await inn.client.call("kitchen/say", "after", deadline=60)  # its slot is free again
        assert await books.record("r1") == moved
        assert not calling.done()
        assert await books.publish(a_request("r1", "fetch", "theirs"), "pantry", publication=1) is None
        answer = await calling
        assert isinstance(answer, WorkResponse)
        assert (answer.provider, answer.result) == ("pantry", "theirs")


async def test_a_task_whose_record_names_another_provider_is_not_worked_on(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        await books.write(a_record("r1", "fetch", "pantry", epoch=1))
        assert await books.publish(a_request("r1", "hold", "never"), "kitchen") is None
        await inn.client.call("kitchen/say", "after", deadline=60)
        assert effects(inn) == []
        record = await books.record("r1")
        assert record is not None
        assert record.response is None


async def test_what_is_between_two_queues_is_pending_and_never_unknown(tmp_path: Path):
    """Its record names who has it, and neither queue shows it at the moment of the look."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        moved = a_request("r1", "fetch", "beef")
        await books.write(a_record("r1", "fetch", "pantry", epoch=1, moved=moved))
        standing = await inn.client.result(f"{CALLER}/r1", wait=False)
        assert (standing.status, standing.state, standing.expires_at) == ("PENDING", "QUEUED", moved.expires_at)
        await books.write(a_record("r2", "fetch", "pantry"))
        standing = await inn.client.result(f"{CALLER}/r2", wait=False)
        assert (standing.status, standing.expires_at) == ("PENDING", None)
        late = a_request("r3", "fetch", "beef", deadline=timedelta(0))
        await books.write(a_record("r3", "fetch", "pantry", epoch=1, moved=late))
        with pytest.raises(UsageProblem, match="r3"):
            await inn.client.result(f"{CALLER}/r3", wait=False)


async def test_an_unreadable_record_costs_no_slot(tmp_path: Path):
    """The proof of what was handed off cannot be read: the message comes again, and its slot is free meanwhile."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        await books.bucket("results").put(f"{CALLER}.r1", b"{}")
        assert (
            await books.publish(a_request("r1", "say", "", chain=("pantry/fetch",)), "kitchen", sender="pantry") is None
        )
        after = await inn.client.call("kitchen/say", "after", deadline=60)
        assert isinstance(after, WorkResponse)
        assert after.result == "after"


async def test_an_earlier_attempt_of_the_same_provider_is_stale_once_the_epoch_has_grown(tmp_path: Path):
    """As after a dead letter's retry: what the old worker still comes to is nobody's outcome."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        await inn.client.call("kitchen/hold", "old", mode="async", request_id="r1")
        await eventually(lambda: started(books, "r1"), "a start record")
        entry, standing = await books.entry("r1"), await books.record("r1")
        assert entry is not None
        assert standing is not None
        await books.write(standing.model_copy(update={"epoch": 1, "attempts": 0}), entry.revision)
        release(inn)
        await eventually(lambda: effects(inn) == ["old", "old"], "the same task under the new claim")
        answer = await inn.client.result("r1")
        assert isinstance(answer, WorkResponse)
        record = await books.record("r1")
        assert record is not None
        assert (record.epoch, record.attempts) == (1, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=8))
def test_every_start_counts_once_however_often_it_is_written_and_all_but_the_last_are_over(
    starts: list[tuple[str, int]],
):
    request = a_request("r1", "say")
    record = recorded(request, CALLER, "kitchen", None)
    for runner, second in starts:
        at = request.submitted_at + timedelta(seconds=second)
        start = Attempt(number=1, runner=runner, provider="kitchen", started_at=at)
        for _ in range(2):
            record = recorded(request, CALLER, "kitchen", record, start)
    assert record.attempts == len(record.history) == len(set(starts))
    assert [one.number for one in record.history] == list(range(1, len(set(starts)) + 1))
    assert all(one.ended == GONE for one in record.history[:-1])
