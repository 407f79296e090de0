"""What the next provider is sent: the caller's own request in all but what is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runner.capability import CapabilityInfo
from runner.host.successor import handed_on
from runner.model import Discovery, StaticTarget, Use
from runner.work import (
    Authority,
    Budget,
    CapabilityType,
    Dedupe,
    DeliverySpec,
    Need,
    Priority,
    WorkRequest,
)
from tests.support.assignments import a_request

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COOK = CapabilityInfo(name="cook", type=CapabilityType.TASK, provider="kitchen")


def asked(**changes: object) -> WorkRequest:
    return a_request("Tea.", task="greet", submitted_at=NOW, **changes)


def test_it_stays_the_same_request() -> None:
    request = asked(
        deadline=timedelta(minutes=10),
        delivery=DeliverySpec(method="topic", address="board"),
        dedupe=Dedupe.CONTENT,
        generation=3,
        budget=Budget(hops=4, cost=1.5),
        chain=("bar/serve",),
        caller="bar",
    )
    use = Use("cook", Discovery(None, ("food",)), priority=Priority.HIGH, authority=Authority.SUPERVISED)
    passed = handed_on(request, use, COOK, "door/greet", {"guest": "Ann"}, NOW + timedelta(minutes=3))
    trace = passed.trace_context
    assert passed == request.model_copy(
        update={
            "task": "cook",
            "context": {"guest": "Ann"},
            "priority": Priority.HIGH,
            "authority": Authority.SUPERVISED,
            "need": Need(tags=("food",)),
            "chain": ("bar/serve", "door/greet"),
            "budget": Budget(hops=3, cost=1.5),
            "trace_context": trace,
        }
    )
    assert trace.trace_id == request.trace_context.trace_id
    assert trace.span_id != request.trace_context.span_id


@given(
    given=st.timedeltas(timedelta(0), timedelta(days=300)),
    own=st.none() | st.timedeltas(timedelta(0), timedelta(days=300)),
    passed=st.timedeltas(timedelta(days=-1), timedelta(days=300)),
)
def test_a_deadline_only_ever_shrinks(given: timedelta, own: timedelta | None, passed: timedelta) -> None:
    request, now = asked(deadline=given), NOW + passed
    use = Use("cook", StaticTarget("kitchen", "cook"), deadline=own)
    expires_at = handed_on(request, use, COOK, "door/greet", None, now).expires_at
    assert expires_at <= request.expires_at
    assert own is None or expires_at <= max(now, NOW) + own
