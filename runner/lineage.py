"""Where a request came from, as its chain tells: `ensemble/capability` of all whom it passed."""

from __future__ import annotations

from runner.work import WorkRequest


def sender_of(request: WorkRequest) -> str:
    """Who sent it to where it is: its caller, or whoever handed it off."""
    return request.chain[-1].partition("/")[0] if request.chain else request.caller


def turn_of(request: WorkRequest) -> tuple[str, ...]:
    """Tells the work on one request apart from that of whoever handed it on: a part of a path of ids and spans."""
    return (f"hop {len(request.chain)}",) if request.chain else ()
