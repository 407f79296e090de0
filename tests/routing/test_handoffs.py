"""What a record proves of a request that somebody else than its caller sent."""

from __future__ import annotations

from typing import Any

from runner.lineage import sender_of, turn_of
from runner.routing.handoffs import handed_off_by, is_current, is_proven
from runner.work import Priority, Record, Status, WorkRequest, WorkResponse
from tests.support.assignments import a_request

ORIGINAL = a_request("Tea.", caller="bar", chain=("bar/serve",))
HANDED = ORIGINAL.model_copy(update={"task": "brew", "chain": ("bar/serve", "kitchen/cook")})
AGAIN = ORIGINAL.model_copy(update={"task": "wash", "chain": ("bar/serve", "kitchen/cook", "scullery/brew")})


def record(moved: WorkRequest | None, **given: Any) -> Record:
    return Record(
        request_id="r1",
        task="brew",
        caller="bar",
        provider="scullery",
        priority=Priority.NORMAL,
        submitted_at=ORIGINAL.submitted_at,
        trace_id="t",
        moved=moved,
        **given,
    )


def test_who_sent_it_is_the_last_of_its_chain_or_its_caller() -> None:
    assert [sender_of(one) for one in (a_request(), ORIGINAL, HANDED, AGAIN)] == ["_cli", "bar", "kitchen", "scullery"]


def test_each_who_has_it_works_in_a_turn_of_its_own() -> None:
    assert len({turn_of(one) for one in (a_request(), ORIGINAL, HANDED, AGAIN)}) == 4


def test_only_the_record_proves_a_hand_off() -> None:
    assert is_proven(record(HANDED), HANDED, "kitchen")
    assert is_proven(record(AGAIN), HANDED, "kitchen"), "it went on from there"
    done = WorkResponse(request_id="r1", status=Status.COMPLETED)
    assert is_proven(record(None, response=done), HANDED, "kitchen"), "its outcome is all that can be had"
    assert not is_proven(None, HANDED, "kitchen")
    assert not is_proven(record(None), HANDED, "kitchen")
    assert not is_proven(record(ORIGINAL), HANDED, "kitchen")
    assert not is_proven(record(HANDED), HANDED, "cellar"), "whoever else sends it has not passed it on"
    assert not is_proven(record(HANDED), AGAIN, "scullery"), "it has it, and has not passed it on yet"


def test_what_was_sent_on_is_not_worked_on_where_it_was_before() -> None:
    assert is_current(record(None), ORIGINAL)
    assert is_current(record(HANDED), HANDED)
    assert not is_current(record(HANDED), ORIGINAL)
    assert not is_current(record(AGAIN), HANDED)


def test_who_handed_it_off_last_sees_to_it_that_it_arrives() -> None:
    assert handed_off_by(record(HANDED), "kitchen")
    assert not handed_off_by(record(AGAIN), "kitchen")
    assert not handed_off_by(record(None), "kitchen")
