"""Whether a request that came back may be sent to another provider: only where nobody can have begun with it. Pure.

A tool is called at most once, and a task that may be in somebody's queue is not put into another's. So the code alone
decides nothing: `QUEUE_FULL` may as well be what the work itself came to, further on.
"""

from __future__ import annotations

from runner.work import Code, Status, WorkError, WorkResponse


def was_refused(response: WorkResponse) -> bool:
    """Whether it came back as it was sent: nobody was there to take it, or whoever was had no room."""
    if response.error is None:
        return False
    if response.error.code == Code.NO_PROVIDER:
        return response.provider is None  # a provider that says so has begun, and found nobody itself
    return response.status is Status.REJECTED and response.error.code in (Code.QUEUE_FULL, Code.CAPABILITY_DEGRADED)


def may_be_asked_elsewhere(response: WorkResponse, *, idempotent: bool) -> bool:
    """Whether the next provider may be sent what came back so: nobody began with it, or nobody knows whether it was
    done and it does no harm to do it twice (what MCP calls `idempotentHint`)."""
    return was_refused(response) or (idempotent and response.error is not None and is_unclear(response.error))


def is_unclear(error: WorkError) -> bool:
    """Whether it may have been done, or not: its provider went away, or stopped, with it in hand."""
    return error.code == Code.UNAVAILABLE


def has_no_room(refused: WorkError) -> bool:
    """Whether what kept a task out of a provider's queue may be otherwise with another: it has none, or it is full."""
    return refused.code in (Code.NO_PROVIDER, Code.QUEUE_FULL)
