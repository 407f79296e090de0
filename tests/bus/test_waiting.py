"""What a caller makes of what it hears, in whatever order and however often."""

from __future__ import annotations

from datetime import timedelta

from runner.bus.waiting import Waiting
from runner.work import TaskAccepted, TaskMoved, TaskProgress


def accepted(provider: str, position: int) -> TaskAccepted:
    return TaskAccepted(
        request_id="r1", queue_position=position, estimated_completion=timedelta(seconds=1), provider=provider
    )


async def test_each_provider_is_heard_to_accept_once_for_each_time_that_it_gets_the_task() -> None:
    """Replicas may both say so, and a worker says it again of what comes a second time."""
    heard: list[TaskAccepted | TaskProgress] = []
    waiting = Waiting("kitchen", heard.append, None)
    for hint in (accepted("kitchen", 3), accepted("kitchen", 2), accepted("kitchen", 0), accepted("bar", 1)):
        waiting.take(hint)
    assert heard == [accepted("kitchen", 3), accepted("bar", 1)]
    waiting.take(TaskMoved(request_id="r1", provider="kitchen", reason="handed back"))
    waiting.take(accepted("kitchen", 5))
    waiting.take(accepted("kitchen", 4))
    assert heard[2:] == [accepted("kitchen", 5)]
    assert waiting.acceptance == accepted("kitchen", 3)
