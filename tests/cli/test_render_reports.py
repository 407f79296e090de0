"""Tables, events, waterfalls and the coming-up lines as printed, whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runner.cli.render import events, hints, problems, tables
from runner.cli.render.waterfall import waterfall
from runner.errors import NotRunning
from runner.event import Event
from runner.reports import (
    CatalogEntry,
    EnsembleReport,
    QueuedReport,
    ReloadReport,
    RequestReport,
    RunnerReport,
    SpanReport,
    StatusReport,
    TraceReport,
)
from runner.work import (
    Authority,
    CapabilityType,
    EnsembleState,
    Priority,
    Standing,
    TaskAccepted,
    TaskProgress,
    WorkError,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_status_is_the_runners_and_a_row_for_each_ensemble() -> None:
    report = StatusReport(
        network="hotel",
        generation=3,
        runners=(
            RunnerReport(id="r1", pid=7, started_at=NOON, url="nats://127.0.0.1:1", ensembles=("kitchen", "spa")),
        ),
        ensembles=(
            EnsembleReport(
                name="kitchen",
                state=EnsembleState.READY,
                replicas=1,
                in_flight=2,
                queued=QueuedReport(high=1, low=4),
                capabilities=("check-inventory", "prepare-meal"),
            ),
            EnsembleReport(
                name="spa",
                state=EnsembleState.STARTING,
                replicas=1,
                in_flight=0,
                queued=QueuedReport(),
                capabilities=(),
            ),
        ),
        last_reload=ReloadReport(ok=False, generation=2, diagnostics=("network.yaml:1:1: error[x]: no",)),
    )
    assert tables.status(report) == (
        "hotel, generation 3\n"
        "  runner r1 (pid 7) on nats://127.0.0.1:1 since 2026-05-01 12:00:00: kitchen, spa\n"
        "  the last reload failed:\n"
        "    network.yaml:1:1: error[x]: no\n"
        "\n"
        "ENSEMBLE  STATE     REPLICAS  IN FLIGHT  QUEUED         SHARES\n"
        "kitchen   READY     1         2          1 high, 4 low  check-inventory, prepare-meal\n"
        "spa       STARTING  1         0          0              -"
    )


def test_status_tells_of_an_ensemble_that_is_removed_and_whose_tasks_are_held() -> None:
    laundry = EnsembleReport(
        name="laundry",
        state=EnsembleState.STOPPED,
        replicas=0,
        in_flight=0,
        queued=QueuedReport(normal=4),
        held=4,
        removed=True,
        capabilities=(),
    )
    last = ReloadReport(ok=True, generation=3)
    told = tables.status(
        StatusReport(network="hotel", generation=3, runners=(), ensembles=(laundry,), last_reload=last)
    )
    assert told.split("\n")[3:] == [
        "laundry   STOPPED  0         0          4 normal (held)  -",
        "",
        "laundry is removed from the files; 4 tasks held for its return",
    ]


def test_the_catalog_is_a_row_for_each_capability() -> None:
    entry = CatalogEntry(
        name="check-inventory",
        type=CapabilityType.TOOL,
        provider="kitchen",
        tags=("food", "stock"),
        authority=Authority.SUPERVISED,
        status=EnsembleState.READY,
        load=0.25,
        description="How many\x1b[2J portions.",
    )
    assert tables.catalog([entry]) == (
        "CAPABILITY               TYPE  TAGS         AUTHORITY   STATUS  LOAD  DESCRIPTION\n"
        "kitchen/check-inventory  TOOL  food, stock  supervised  READY   25%   How many\\x1b[2J portions."
    )
    assert tables.catalog([]) == "nothing is on offer"


def test_requests_are_named_by_caller_and_id_so_that_either_can_be_pasted() -> None:
    request = RequestReport(
        request_id="a1",
        task="prepare-meal",
        caller="_cli",
        provider="kitchen",
        status="COMPLETED",
        priority=Priority.NORMAL,
        submitted_at=NOON,
        duration_ms=1234.5,
        attempts=1,
        trace_id="t",
    )
    assert tables.requests([request]) == (
        "REQUEST  TASK                  STATUS     STATE  PRIORITY  SUBMITTED            TOOK      ATTEMPTS\n"
        "_cli/a1  kitchen/prepare-meal  COMPLETED         normal    2026-05-01 12:00:00  1,234 ms  1"
    )
    assert tables.requests([]) == "no requests"


def test_an_event_is_one_line() -> None:
    event = Event(
        kind="completed",
        at=NOON + timedelta(milliseconds=123),
        ensemble="kitchen",
        request_id="5f0c1234567890abcdef",
        caller="room-service",
        capability="prepare-meal",
        status="COMPLETED",
        duration_ms=41.4,
        message="two\nlines",
    )
    assert events.line(event) == (
        "12:00:00.123  kitchen         completed   prepare-meal  COMPLETED in 41 ms  from room-service  "
        "5f0c12345678…  two\\nlines"
    )


def test_a_step_is_told_at_its_end() -> None:
    step = Event(kind="step", at=NOON, ensemble="kitchen", name="stock", status="COMPLETED", duration_ms=1500)
    assert events.line(step).startswith("12:00:01.500  kitchen ")
    assert events.happened(step) == NOON + timedelta(milliseconds=1500)
    assert events.happened(step.model_copy(update={"kind": "completed"})) == NOON, "all others say when they happened"


def test_in_a_narrow_terminal_columns_go_and_ids_stay_whole() -> None:
    request = RequestReport(
        request_id="5f0c1234567890abcdef1234",
        task="prepare-meal",
        caller="_client-erp",
        provider="kitchen",
        status="PENDING",
        state="RUNNING",
        priority=Priority.NORMAL,
        submitted_at=NOON,
        attempts=1,
        trace_id="t",
    )
    assert tables.requests([request], width=80) == (
        "REQUEST                               TASK                  STATUS   STATE\n"
        "_client-erp/5f0c1234567890abcdef1234  kitchen/prepare-meal  PENDING  RUNNING"
    )
    assert "_client-erp/5f0c1234567890abcdef1234  kitchen/prepare-meal" in tables.requests([request], width=20)


def test_a_waterfall_indents_children_and_draws_them_on_one_axis() -> None:
    def span(id: str, parent: str | None, ensemble: str, start: float, took: float | None, status: str) -> SpanReport:
        begun = NOON + timedelta(milliseconds=start)
        return SpanReport(
            span_id=id,
            parent_id=parent,
            name=f"work-{id}",
            ensemble=ensemble,
            start=begun,
            duration_ms=took,
            status=status,
        )

    spans = (
        span("c", "b", "procurement", 50, None, "RUNNING"),
        span("b", "a", "kitchen", 25, 50, "FAILED"),
        span("a", "outside", "front", 0, 100, "COMPLETED"),
    )
    assert waterfall(TraceReport(trace_id="4bf9", spans=spans), width=69) == (
        "trace 4bf9: 3 spans in 100.0 ms\n"
        "\n"
        "front  work-a            COMPLETED    100.0 ms |████████████████████|\n"
        "  kitchen  work-b        FAILED        50.0 ms |     ██████████     |\n"
        "    procurement  work-c  RUNNING       running |          ██████████|"
    )


def test_a_trace_whose_spans_claim_each_other_as_parent_still_prints() -> None:
    spans = tuple(
        SpanReport(
            span_id=id, parent_id=parent, name="n", ensemble="e", start=NOON, duration_ms=1.0, status="COMPLETED"
        )
        for id, parent in (("a", "b"), ("b", "a"))
    )
    assert waterfall(TraceReport(trace_id="t", spans=spans)).count("COMPLETED") == 2


def test_a_trace_without_spans_says_so() -> None:
    assert waterfall(TraceReport(trace_id="t", spans=())) == "trace t: nothing recorded"


def test_hints_are_lines() -> None:
    accepted = TaskAccepted(
        request_id="5f0c", queue_position=3, estimated_completion=timedelta(seconds=40), provider="kitchen"
    )
    assert hints.accepted(accepted) == "accepted by kitchen: position 3, about 40s to go (5f0c)"
    at_once = accepted.model_copy(update={"estimated_completion": timedelta(0)})
    assert hints.accepted(at_once) == "accepted by kitchen: position 3 (5f0c)"
    assert hints.progress(TaskProgress(request_id="5f0c", message="plating", percent=80)) == "   80% plating"
    assert hints.progress(TaskProgress(request_id="5f0c", message="plating")) == "  plating"


def test_what_nobody_takes_is_told_with_who_should_and_until_when() -> None:
    until = datetime(2026, 1, 1, 12, 30, 5, 123456).astimezone()
    held = Standing(
        request_id="5f0c",
        status="PENDING",
        state="HELD",
        provider="kitchen",
        provider_state=EnsembleState.STOPPED,
        expires_at=until,
    )
    assert hints.unclaimed(held) == "nobody has taken it yet: kitchen is STOPPED; it is held until 12:30:05 (5f0c)"


def test_a_problem_says_what_and_the_next_step() -> None:
    assert problems.human(NotRunning(), colour=False) == (
        "error[not-running]: No network is running in this directory.\n"
        "hint: start it with `run-network up`, or point at another with --file or --nats"
    )
    assert problems.as_json(NotRunning("gone", hint="wait")) == {
        "error": {"code": "not-running", "message": "gone", "hint": "wait"}
    }
    told = problems.failure(WorkError(code="R\x1b[2J", message="a\x1b]0;b\x07\nc\x9b", hint="\rd"), colour=False)
    assert told == "error[R\\x1b[2J]: a\\x1b]0;b\\x07\nc\\x9b\nhint: \\rd"
    assert problems.failure(WorkError(code="REFUSED", message="closed"), colour=False) == "error[REFUSED]: closed"


def test_a_runner_that_could_not_go_along_is_named() -> None:
    here = {"pid": 7, "started_at": NOON, "url": "nats://127.0.0.1:1", "ensembles": ("spa",)}
    report = StatusReport(
        network="hotel",
        generation=3,
        runners=(RunnerReport(id="r1", generation=3, **here), RunnerReport(id="r2", generation=2, **here)),
        ensembles=(),
        last_reload=ReloadReport(ok=True, generation=3),
    )
    assert tables.status(report).splitlines()[1:3] == [
        "  runner r1 (pid 7) on nats://127.0.0.1:1 since 2026-05-01 12:00:00: spa",
        "  runner r2 (pid 7) on nats://127.0.0.1:1 since 2026-05-01 12:00:00, still generation 2: spa",
    ]
