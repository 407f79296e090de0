"""Which answers let a request go to somebody else: those that prove that nobody began with it."""

from __future__ import annotations

import pytest

from runner.routing.failover import may_be_asked_elsewhere, was_refused
from runner.work import Code, Status, WorkError, WorkResponse


@pytest.mark.parametrize(
    ("status", "code", "provider", "refused"),
    [
        (Status.FAILED, Code.NO_PROVIDER, None, True),  # nobody was there
        (Status.FAILED, Code.NO_PROVIDER, "kitchen", False),  # it began, and found nobody itself
        (Status.REJECTED, Code.QUEUE_FULL, None, True),  # its queue said so
        (Status.REJECTED, Code.QUEUE_FULL, "kitchen", True),  # it had no slot
        (Status.FAILED, Code.QUEUE_FULL, "kitchen", False),  # what it asked of others was full
        (Status.REJECTED, Code.UNAVAILABLE, "kitchen", False),  # it stopped in the middle
        (Status.FAILED, Code.UNAVAILABLE, None, False),  # it may be in the queue all the same
        (Status.EXPIRED, Code.DEADLINE_EXCEEDED, None, False),
        (Status.REJECTED, Code.NOT_WIRED, "kitchen", False),
    ],
)
def test_only_what_nobody_began_with_may_go_to_another(
    status: Status, code: Code, provider: str | None, refused: bool
) -> None:
    error = WorkError(code=code, message="no")
    response = WorkResponse(request_id="one", status=status, error=error, provider=provider)
    assert was_refused(response) is refused


def test_a_result_is_no_refusal() -> None:
    assert not was_refused(WorkResponse(request_id="one", status=Status.COMPLETED, result="tea"))


@pytest.mark.parametrize(
    ("status", "code", "provider", "again"),
    [
        (Status.FAILED, Code.UNAVAILABLE, None, True),  # its last runner went away with it
        (Status.REJECTED, Code.UNAVAILABLE, "kitchen", True),  # it stopped in the middle
        (Status.FAILED, Code.HANDLER_FAILED, "kitchen", False),  # it was done, and failed
        (Status.EXPIRED, Code.DEADLINE_EXCEEDED, None, False),  # no time is left
    ],
)
def test_what_ended_unclearly_is_asked_again_where_that_does_no_harm(
    status: Status, code: Code, provider: str | None, again: bool
) -> None:
    error = WorkError(code=code, message="no")
    response = WorkResponse(request_id="one", status=status, error=error, provider=provider)
    assert may_be_asked_elsewhere(response, idempotent=True) is again
    assert not may_be_asked_elsewhere(response, idempotent=False)


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_refusal_may_go_elsewhere_whatever_the_tool_says_of_itself(idempotent: bool) -> None:
    error = WorkError(code=Code.NO_PROVIDER, message="no")
    refused = WorkResponse(request_id="one", status=Status.FAILED, error=error)
    assert may_be_asked_elsewhere(refused, idempotent=idempotent)
    assert not may_be_asked_elsewhere(WorkResponse(request_id="one", status=Status.COMPLETED), idempotent=idempotent)
