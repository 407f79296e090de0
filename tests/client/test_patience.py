"""What a caller from outside makes of a provider that will be late, or has too much."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runner.client.patience import Doubts, Patience
from runner.errors import UsageProblem
from runner.work import Code, Status, TaskAccepted, TaskProgress, WorkResponse
from tests.support.assignments import a_request

CALLED_OFF = WorkResponse(request_id="r1", status=Status.CANCELLED, partial={"first": "began"})


def accepted(seconds: float = 0, *, constrained: bool | None = None) -> TaskAccepted:
    return TaskAccepted(
        request_id="r1",
        queue_position=3,
        estimated_completion=timedelta(seconds=seconds),
        provider="kitchen",
        constrained=constrained,
    )


async def settled(patience: Patience, hint: TaskAccepted) -> tuple[bool, WorkResponse, list[str]]:
    """Whether the task is called off, what its caller is told then, and what it heard before."""
    heard: list[str] = []

    def hear(told: TaskAccepted | TaskProgress) -> None:
        assert isinstance(told, TaskProgress)
        heard.append(told.message)

    doubts = Doubts(a_request(task="cook", deadline=timedelta(seconds=10)), patience, hear)
    called_off = doubts.has(hint) and await doubts.settle(hint)
    return called_off, doubts.made_of(CALLED_OFF, "kitchen"), heard


async def test_a_constrained_provider_is_waited_for_or_not() -> None:
    waited, told, _ = await settled(Patience(), accepted(constrained=True))
    assert (waited, told) == (False, CALLED_OFF), "what somebody else cancelled is told as it is"
    called_off, told, _ = await settled(Patience.of("fail", "accept", "fail"), accepted(constrained=True))
    assert told.error is not None
    assert (called_off, told.status, told.error.code) == (True, Status.REJECTED, Code.CAPACITY_CONSTRAINED)


async def test_a_late_task_is_told_of_and_may_be_called_off() -> None:
    waited, _, heard = await settled(Patience(), accepted(40))
    assert (waited, heard) == (False, ["kitchen/cook expects to take 40s, and has 10s"])
    patience = Patience.of("fail", "continue", "wait")
    called_off, told, _ = await settled(patience, accepted(40))
    assert told.error is not None
    assert (called_off, told.status, told.error.code) == (True, Status.CANCELLED, Code.DEADLINE_EXCEEDED)
    assert told.partial == {"first": "began"}
    assert patience.goes_on_after(told)
    assert not Patience().goes_on_after(told)


async def test_a_task_in_time_leaves_no_doubt() -> None:
    assert await settled(Patience.of("fail", "continue", "fail"), accepted(5)) == (False, CALLED_OFF, [])


def test_only_an_outside_callers_words_are_taken() -> None:
    for words in (("fallback", "accept", "wait"), ("fail", "other-provider", "wait"), ("fail", "accept", "fallback")):
        with pytest.raises(UsageProblem, match="there is no on_"):
            Patience.of(*words)
