"""What a record proves of a request that somebody else than its caller sent, or that was sent on. Pure."""

from __future__ import annotations

from runner.lineage import sender_of
from runner.work import Record, WorkRequest


def is_proven(record: Record | None, request: WorkRequest, sender: str) -> bool:
    """Whether a request that `sender` sent in its caller's name was handed off to go there.

    Only runners write records, and what is in `moved` was given by whoever held the claim.
    """
    if record is None or sender_of(request) != sender:
        return False
    passed = record.moved.chain if record.moved is not None else ()
    return record.response is not None or passed[: len(request.chain)] == request.chain


def is_current(record: Record, request: WorkRequest) -> bool:
    """Whether it is the last that was sent of it: nobody has handed it off, or retried it, since."""
    if is_outdated(record, request):
        return False
    return record.moved is None or record.moved.chain == request.chain


def is_outdated(record: Record, request: WorkRequest) -> bool:
    """Whether the record is of a later submission: a retry sends its request anew, and an old message may come late."""
    return request.submitted_at < (record.moved or record).submitted_at


def handed_off_by(record: Record, ensemble: str) -> bool:
    """Whether the last hand-off was this ensemble's, who sees to it that it arrives."""
    return record.moved is not None and sender_of(record.moved) == ensemble
