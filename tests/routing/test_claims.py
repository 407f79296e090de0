"""What the leader makes of a task that nobody claims: as a table, and as laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.capability import CapabilityInfo
from runner.routing.claims import (
    Answer,
    Candidate,
    Complete,
    Expire,
    Health,
    Hold,
    Leave,
    Reroute,
    Unclaimed,
    Verdict,
    judge,
)
from runner.subjects import TaskCall
from runner.work import (
    Attempt,
    Authority,
    CapabilityType,
    Need,
    Priority,
    Record,
    Status,
    WorkRequest,
    WorkResponse,
    new_trace,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SLA = timedelta(seconds=30)
TRACE = new_trace()
NEED = Need(name="cook")
UP = Health(SLA)
DOWN = Health(SLA, down_since=NOW - timedelta(seconds=31))


def request(**changes: object) -> WorkRequest:
    settings = {
        "request_id": "r1",
        "caller": "room-service",
        "task": "cook",
        "need": NEED,
        "trace_context": TRACE,
        "submitted_at": NOW - timedelta(seconds=60),
        "deadline": timedelta(seconds=120),
        **changes,
    }
    return WorkRequest.model_validate(settings)


def record(provider: str = "kitchen", *starters: str, response: bool = False, moved: bool = False) -> Record:
    return Record(
        epoch=1,
        request_id="r1",
        task="cook",
        caller="room-service",
        provider=provider,
        priority=Priority.NORMAL,
        submitted_at=NOW - timedelta(seconds=60),
        trace_id=TRACE.trace_id,
        history=tuple(Attempt(number=1, runner="r", provider=name, started_at=NOW) for name in starters),
        moved=request() if moved else None,
        response=WorkResponse(request_id="r1", status=Status.COMPLETED) if response else None,
    )


def unclaimed(asked: WorkRequest | None = None, *, seconds: float = 60, **changes: object) -> Unclaimed:
    call = TaskCall("room-service", "kitchen", Priority.NORMAL, "cook")
    return Unclaimed(call, asked or request(), NOW - timedelta(seconds=seconds), **changes)  # type: ignore[arg-type]


def offer(provider: str, name: str = "cook", **changes: object) -> Candidate:
    authority = Authority(str(changes.pop("authority", "AUTONOMOUS")))
    kind = CapabilityType(str(changes.pop("type", "TASK")))
    return Candidate(CapabilityInfo(name=name, type=kind, provider=provider, authority=authority), **changes)  # type: ignore[arg-type]


def verdict(task: Unclaimed, health: Health, *candidates: Candidate) -> str:
    """What is decided, as a word and to whom."""
    return said(judge(task, health, candidates, max_hops=4, now=NOW))


def said(decided: Verdict) -> str:
    match decided:
        case Reroute(to):
            return f"reroute {' '.join(candidate.target for candidate in to)}"
        case Complete(record):
            return f"complete {record.provider}"
        case Hold(why):
            return f"hold: {why}"
        case other:
            return type(other).__name__.lower()


BISTRO = offer("bistro")
LATE = request(deadline=timedelta(seconds=60))
RETRIED = record().model_copy(update={"submitted_at": NOW - timedelta(seconds=1)})


@pytest.mark.parametrize(
    ("task", "health", "candidates", "decided"),
    [
        (unclaimed(), UP, [BISTRO], "leave"),
        (unclaimed(LATE), UP, [BISTRO], "leave"),
        (unclaimed(record=record("kitchen", response=True)), UP, [BISTRO], "leave"),
        (unclaimed(), DOWN, [BISTRO], "reroute bistro/cook"),
        (unclaimed(), DOWN, [], "hold: nobody else who is up may have it"),
        (unclaimed(request(need=None)), DOWN, [BISTRO], "hold: it was asked for by name"),
        (unclaimed(request(caller="_cli")), DOWN, [BISTRO], "hold: nobody else who is up may have it"),
        (unclaimed(request(caller="_cli"), handed_off=True), DOWN, [BISTRO], "reroute bistro/cook"),
        (unclaimed(LATE), DOWN, [BISTRO], "expire"),
        (unclaimed(LATE), Health(SLA, down_since=NOW), [], "expire"),
        (unclaimed(LATE, under_work=True), DOWN, [BISTRO], "leave"),
        (unclaimed(LATE, record=RETRIED), DOWN, [BISTRO], "leave"),
        (unclaimed(under_work=True), DOWN, [BISTRO], "leave"),
        (unclaimed(record=record("kitchen", response=True)), DOWN, [BISTRO], "answer"),
        (unclaimed(record=record("kitchen", "kitchen")), DOWN, [BISTRO], "reroute bistro/cook"),
        (unclaimed(record=record("bistro", moved=True)), DOWN, [BISTRO], "complete bistro"),
        (unclaimed(record=record("bistro", moved=True)), UP, [BISTRO], "complete bistro"),
        (unclaimed(LATE, record=record("bistro", moved=True)), DOWN, [], "complete bistro"),
        (unclaimed(record=record("bistro", moved=True, response=True)), DOWN, [BISTRO], "answer"),
    ],
)
def test_the_table_of_verdicts(task: Unclaimed, health: Health, candidates: list[Candidate], decided: str) -> None:
    assert verdict(task, health, *candidates) == decided


@pytest.mark.parametrize(
    ("durable_for", "down_for", "decided"),
    [
        (60.0, 30.0, "reroute bistro/cook"),
        (60.0, 29.9, "leave"),
        (30.0, 600.0, "reroute bistro/cook"),
        (29.9, 600.0, "leave"),
    ],
)
def test_the_sla_runs_from_when_the_task_could_have_been_claimed(
    durable_for: float, down_for: float, decided: str
) -> None:
    health = Health(SLA, down_since=NOW - timedelta(seconds=down_for))
    assert verdict(unclaimed(seconds=durable_for), health, BISTRO) == decided


@pytest.mark.parametrize(
    "candidate",
    [
        offer("kitchen"),
        offer("kitchen", "roast"),
        offer("room-service"),
        offer("bistro", type="TOOL"),
        offer("bistro", wired=False),
        offer("canteen"),
        offer("butcher", "cook"),
        offer("diner"),
    ],
    ids=lambda candidate: candidate.target,
)
def test_a_provider_that_may_not_have_it_does_not_get_it(candidate: Candidate) -> None:
    """The one that has it, the one that asks, a tool, one without a wire, outside the scope, in the chain, tried."""
    asked = request(
        scope=("kitchen/*", "bistro/*", "butcher/*", "diner/*"), chain=("butcher/cook", "room-service/serve")
    )
    task = unclaimed(asked, record=record("kitchen", "diner", "kitchen"))
    assert verdict(task, DOWN, candidate) == "hold: nobody else who is up may have it"


def test_the_registered_authority_must_be_as_high_as_the_request_requires() -> None:
    task = unclaimed(request(authority="SUPERVISED"))
    assert verdict(task, DOWN, BISTRO, offer("diner", authority="SUPERVISED")) == "reroute diner/cook"


def test_the_constrained_come_last_and_else_the_name_decides() -> None:
    found = verdict(unclaimed(), DOWN, offer("diner"), offer("bistro", constrained=True), offer("canteen"))
    assert found == "reroute canteen/cook diner/cook bistro/cook"


def test_somebody_whose_capability_has_another_name_may_meet_the_need() -> None:
    task = unclaimed(request(need=Need(tags=("food",))))
    assert verdict(task, DOWN, offer("bistro", "serve")) == "reroute bistro/serve"


# laws

names = st.sampled_from(["kitchen", "bistro", "canteen", "diner", "room-service"])
offers = st.builds(
    lambda provider, wired, constrained, kind, authority: offer(
        provider, wired=wired, constrained=constrained, type=kind, authority=authority
    ),
    names,
    st.booleans(),
    st.booleans(),
    st.sampled_from(CapabilityType),
    st.sampled_from(Authority),
)
requests = st.builds(
    lambda seconds, need, scope, chain, authority: request(
        deadline=timedelta(seconds=seconds), need=need, scope=scope, chain=chain, authority=authority
    ),
    st.integers(0, 120),
    st.sampled_from([None, NEED]),
    st.sampled_from([("*",), ("bistro/*",), ()]),
    st.sampled_from([(), ("canteen/cook", "room-service/serve")]),
    st.sampled_from(Authority),
)
records = st.none() | st.builds(
    lambda provider, starters, response, moved: record(provider, *starters, response=response, moved=moved),
    names,
    st.lists(names, max_size=3),
    st.booleans(),
    st.booleans(),
)
tasks = st.builds(
    lambda asked, seconds, found, under_work: unclaimed(asked, seconds=seconds, record=found, under_work=under_work),
    requests,
    st.integers(0, 90),
    records,
    st.booleans(),
)
healths = st.builds(
    lambda seconds: Health(SLA, None if seconds is None else NOW - timedelta(seconds=seconds)),
    st.none() | st.integers(0, 90),
)


@given(tasks, healths, st.lists(offers, max_size=6))
def test_a_task_is_only_moved_when_nobody_has_it_and_only_to_who_may_have_it(
    task: Unclaimed, health: Health, candidates: list[Candidate]
) -> None:
    decided = judge(task, health, candidates, max_hops=4, now=NOW)
    if not isinstance(decided, Reroute):
        return
    assert health.down_since is not None, "claimed"
    assert not task.under_work, "claimed"
    assert task.request.expires_at > NOW, "expired"
    assert task.request.need is not None, "asked for by name"
    assert task.record is None or task.record.response is None, "done"
    assert min(NOW - task.durable_since, NOW - health.down_since) >= SLA, "too early"
    tried = {"kitchen", "room-service"} | {attempt.provider for attempt in (task.record.history if task.record else ())}
    for candidate in decided.to:
        assert candidate in candidates
        assert candidate.wired
        assert candidate.capability.type is CapabilityType.TASK
        assert candidate.capability.provider not in tried
        assert candidate.capability.authority.rank >= task.request.authority.rank
        assert candidate.target not in task.request.chain


@given(tasks, healths, st.permutations([offer("bistro"), offer("canteen", constrained=True), offer("diner")]))
def test_the_order_in_which_candidates_come_changes_nothing(
    task: Unclaimed, health: Health, candidates: list[Candidate]
) -> None:
    ordered = sorted(candidates, key=lambda candidate: candidate.target)
    assert verdict(task, health, *candidates) == verdict(task, health, *ordered)


@given(tasks, st.lists(offers, max_size=3))
def test_the_queue_of_a_provider_that_is_up_is_its_own(task: Unclaimed, candidates: list[Candidate]) -> None:
    """But for a task that is half moved away already."""
    assert isinstance(judge(task, UP, candidates, max_hops=4, now=NOW), Leave | Complete)


@given(tasks, healths, st.lists(offers, max_size=3))
def test_what_has_its_outcome_is_answered_or_left(task: Unclaimed, health: Health, candidates: list[Candidate]) -> None:
    if task.record is not None and task.record.response is not None:
        assert isinstance(judge(task, health, candidates, max_hops=4, now=NOW), Leave | Answer)


@given(tasks, healths)
def test_a_deadline_that_passed_ends_what_nobody_has(task: Unclaimed, health: Health) -> None:
    decided = judge(task, health, [], max_hops=4, now=NOW)
    if isinstance(decided, Expire):
        assert task.request.expires_at <= NOW
    if isinstance(decided, Hold):
        assert task.request.expires_at > NOW
