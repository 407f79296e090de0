"""Outcomes that no provider gave: what the caller's side makes of silence, refusals and full queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.work import Code, Status, WorkError, WorkRequest, WorkResponse

_FULL = 10077
"""The server's error code for a stream that holds as many messages as it may."""

_NO_ROOM = {10023, 10047, 10122}
"""Those for: the server's, the account's and a stream's storage exceeded."""


def failure(
    request: WorkRequest, code: Code, message: str, hint: str | None = None, *, status: Status = Status.FAILED
) -> WorkResponse:
    """An outcome that no provider gave."""
    elapsed = (datetime.now(UTC) - request.submitted_at).total_seconds() * 1000
    return WorkResponse(
        request_id=request.request_id,
        status=status,
        error=WorkError(code=code, message=message, hint=hint),
        duration_ms=max(0.0, round(elapsed, 3)),
    )


@dataclass(frozen=True, slots=True)
class Room:
    """What a caller knows of a provider's queue: how many tasks it takes, and which others offer the same."""

    limit: int | None = None
    others: tuple[str, ...] = ()


Rooms = Callable[[str, str], Room]
"""(provider, task) → what is known of the queue."""

UNKNOWN_ROOM = Room()


def no_rooms(_: str, __: str) -> Room:
    """Of whoever knows nothing of queues."""
    return UNKNOWN_ROOM


def refusal(
    error: Mapping[str, object], request: WorkRequest, provider: str, room: Room = UNKNOWN_ROOM
) -> WorkResponse:
    """What it means that the queue did not take the task."""
    if error.get("err_code") in _NO_ROOM:
        return failure(
            request,
            Code.QUEUE_FULL,
            f"the server may store no more: the queue of {provider} takes nothing",
            "let what waits be worked off, or give the server more to store on",
            status=Status.REJECTED,
        )
    if error.get("err_code") == _FULL:
        return failure(
            request,
            Code.QUEUE_FULL,
            f"the queue of {provider} is full{_depth(room)}",
            _elsewhere(room) + "wait for it to empty, or raise `capacity.queue_limit` or `capacity.max_concurrent`",
            status=Status.REJECTED,
        )
    return failure(request, Code.UNAVAILABLE, f"the queue of {provider} refused the task: {error.get('description')}")


def _depth(room: Room) -> str:
    return f": {room.limit} of {room.limit} tasks wait or are worked on" if room.limit else ""


def _elsewhere(room: Room) -> str:
    return f"ask {' or '.join(room.others)}, which offers the same; " if room.others else ""


def too_large(request: WorkRequest, size: int, limit: int) -> WorkResponse:
    """Refused before anything is sent."""
    return failure(
        request,
        Code.PAYLOAD_TOO_LARGE,
        f"the request is {size:,} bytes; the server takes {limit:,}",
        "send a shorter context",
        status=Status.REJECTED,
    )


def unfit(request: WorkRequest, error: WorkError) -> WorkResponse:
    """A context that cannot be carried: nothing was sent."""
    status = Status.FAILED if error.code == Code.UNAVAILABLE else Status.REJECTED
    return failure(request, Code(error.code), error.message, error.hint, status=status)


def nobody(request: WorkRequest, provider: str) -> WorkResponse:
    """Nobody listens where the request was sent."""
    return failure(
        request,
        Code.NO_PROVIDER,
        f"no live provider serves {provider}/{request.task}",
        "`run-network status` shows who is up, `run-network catalog` what is on offer",
    )


def lost(request: WorkRequest, provider: str) -> WorkResponse:
    """Its provider died with the call in hand, or with it on its way there."""
    return failure(
        request,
        Code.UNAVAILABLE,
        f"a runner of {provider} went away with {provider}/{request.task} in hand",
        "whether it was done nobody knows: ask again where that does no harm",
    )


def late(request: WorkRequest, provider: str, hint: str) -> WorkResponse:
    """No answer came within the deadline."""
    return failure(
        request,
        Code.DEADLINE_EXCEEDED,
        f"{provider}/{request.task} did not answer within {request.deadline.total_seconds():g} s",
        hint,
        status=Status.EXPIRED,
    )
