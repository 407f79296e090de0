"""The hard limits on a request, as a table of decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner.routing.guards import Arrival, Refusal, in_scope, refuse
from runner.work import Authority, Budget, Code, Status, WorkRequest, new_trace

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def arrival(*, caller: str = "room-service", wired: bool = True, registered: str = "AUTONOMOUS", **changes) -> Arrival:
    request = WorkRequest(
        **{
            "request_id": "r1",
            "caller": "room-service",
            "task": "cook",
            "trace_context": new_trace(),
            "submitted_at": NOW - timedelta(seconds=1),
            **changes,
        }
    )
    return Arrival(request, caller, "kitchen/cook", Authority(registered), wired=wired, max_hops=4)


def test_a_sound_request_is_let_through():
    assert refuse(arrival(), NOW) is None


@pytest.mark.parametrize(
    ("broken", "code", "status"),
    [
        (arrival(caller="spa"), Code.INVALID_REQUEST, Status.REJECTED),
        (arrival(wired=False), Code.NOT_WIRED, Status.REJECTED),
        (arrival(scope=("procurement/*",)), Code.NOT_WIRED, Status.REJECTED),
        (arrival(scope=()), Code.NOT_WIRED, Status.REJECTED),
        (arrival(authority="SUPERVISED"), Code.AUTHORITY_EXCEEDED, Status.REJECTED),
        (arrival(authority="HUMAN_REQUIRED", registered="SUPERVISED"), Code.AUTHORITY_EXCEEDED, Status.REJECTED),
        (arrival(authority="SUPERVISED", registered="SUPERVISED"), Code.REVIEW_UNAVAILABLE, Status.REJECTED),
        (arrival(chain=("a/x", "kitchen/cook")), Code.DELEGATION_CYCLE, Status.REJECTED),
        (arrival(chain=("a/1", "a/2", "a/3", "a/4")), Code.HOPS_EXCEEDED, Status.REJECTED),
        (arrival(budget=Budget(hops=-1)), Code.HOPS_EXCEEDED, Status.REJECTED),
        (arrival(deadline=timedelta(milliseconds=500)), Code.DEADLINE_EXCEEDED, Status.EXPIRED),
    ],
)
def test_each_broken_limit_is_refused_with_its_code_and_a_hint(broken: Arrival, code: Code, status: Status):
    refusal = refuse(broken, NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.error.code, refusal.status) == (code, status)
    assert refusal.error.hint


def test_a_use_that_says_max_hops_lets_a_loop_turn():
    assert refuse(arrival(chain=("a/x", "kitchen/cook"), budget=Budget(hops=0)), NOW) is None


@pytest.mark.parametrize(
    ("scope", "lends"),
    [
        (("*",), True),
        (("kitchen/*",), True),
        (("kitchen/cook",), True),
        (("kitchen/bake", "spa/*"), False),
        ((), False),
    ],
)
def test_a_scope_is_a_list_of_patterns_over_ensemble_and_capability(scope: tuple[str, ...], lends: bool):
    assert in_scope("kitchen/cook", scope) is lends
