"""From a piece of work to its one outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from runner.bus.payloads import Payloads
from runner.host.pipeline import WorkFailed
from runner.routing.guards import Refusal
from runner.work import Code, Status, WorkError, WorkRequest, WorkResponse

Partial = Callable[[], dict[str, JsonValue] | None]
"""The outputs of the steps that are finished by now."""
RECORD_OVERHEAD_BYTES = 8192
"""What a record has around its result."""


def _nothing() -> None:
    return None


async def outcome(
    request: WorkRequest, provider: str, work: Awaitable[JsonValue], partial: Partial = _nothing
) -> WorkResponse:
    """Do the work within the request's deadline. Only a cancellation comes through."""
    started = time.perf_counter()
    status, result, error = Status.COMPLETED, None, None
    try:
        async with asyncio.timeout(seconds_left(request)):
            result = await work
    except WorkFailed as failed:
        status, error = failed.status, failed.error
    except TimeoutError:
        status, error = Status.EXPIRED, _expired(request, provider)
    return WorkResponse(
        request_id=request.request_id,
        status=status,
        result=result,
        error=error,
        duration_ms=_elapsed_ms(started),
        provider=provider,
        partial=None if status is Status.COMPLETED else partial(),
    )


def cancelled(
    request: WorkRequest, provider: str, partial: Partial = _nothing, *, started: float | None = None
) -> WorkResponse:
    """What becomes of work that was stopped because somebody asked for it; `started` is what `perf_counter` said."""
    error = WorkError(code=Code.CANCELLED, message="the request was cancelled while it was worked on")
    return WorkResponse(
        request_id=request.request_id,
        status=Status.CANCELLED,
        error=error,
        duration_ms=0.0 if started is None else _elapsed_ms(started),
        provider=provider,
        partial=partial(),
    )


def refused(request_id: str, provider: str, refusal: Refusal) -> WorkResponse:
    return WorkResponse(request_id=request_id, status=refusal.status, error=refusal.error, provider=provider)


def rejected(request_id: str, provider: str, code: Code, message: str, hint: str) -> WorkResponse:
    error = WorkError(code=code, message=message, hint=hint)
    return WorkResponse(request_id=request_id, status=Status.REJECTED, error=error, provider=provider)


def dead(request: WorkRequest, provider: str, attempts: int) -> WorkResponse:
    """The outcome of a task that was started too often."""
    message = (
        f"{provider}/{request.task} was started {attempts} times, and each time whoever worked on it was gone before "
        "there was an outcome"
    )
    hint = f"once the cause is mended: `run-network retry {request.caller}/{request.request_id}`"
    error = WorkError(code=Code.DEAD_LETTER, message=message, hint=hint)
    return WorkResponse(request_id=request.request_id, status=Status.FAILED, error=error, provider=provider)


async def fitting(response: WorkResponse, payloads: Payloads, kept: timedelta, patience: timedelta) -> WorkResponse:
    """The response with what is large by reference, kept for so long; or what stands in for one that cannot be carried.

    Raises PayloadsAway where the object store is away for longer than the patience.
    """
    if payloads.message(response) is not None:
        return response
    response = await payloads.packed_response(response, kept, patience)
    limit, size = payloads.server_limit - RECORD_OVERHEAD_BYTES, len(response.encode())
    return response if size <= limit else oversized(response, size, limit)


def oversized(response: WorkResponse, size: int, limit: int) -> WorkResponse:
    """What stands in for a result that the server would not carry; one that ended early goes without its steps."""
    if response.status is not Status.COMPLETED:
        return response.model_copy(update={"partial": None})
    message = f"the result is {size:,} bytes; the server takes {limit:,}"
    error = WorkError(code=Code.PAYLOAD_TOO_LARGE, message=message, hint="return less")
    return response.model_copy(update={"status": Status.FAILED, "result": None, "error": error})


def seconds_left(request: WorkRequest) -> float:
    return max(0.0, (request.expires_at - datetime.now(UTC)).total_seconds())


def _elapsed_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def _expired(request: WorkRequest, provider: str) -> WorkError:
    message = f"{provider}/{request.task} was stopped at its deadline of {request.deadline.total_seconds():g} s"
    return WorkError(code=Code.DEADLINE_EXCEEDED, message=message, hint="give it a longer deadline")
