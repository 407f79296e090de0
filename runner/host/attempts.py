"""The record of a request as its attempts and its outcome make it. Pure: who, when and what came of it are given."""

from __future__ import annotations

from runner.work import Attempt, Record, WorkRequest, WorkResponse

GONE = "its runner went away"
"""How an attempt ended after which there was another one."""

STOPPED = "its runner was stopped"
"""How an attempt ended that a drain cut short: nothing is wrong with the task."""


def recorded(
    request: WorkRequest,
    caller: str,
    provider: str,
    before: Record | None,
    attempt: Attempt | None = None,
    response: WorkResponse | None = None,
) -> Record:
    """What stands after `before`: with `attempt` counted, once however often it is told, and with the outcome.

    `caller` is whose record it is.
    """
    attempts, history = (before.attempts, before.history) if before else (0, ())
    if attempt is not None and not any(_same(attempt, one) for one in history):
        attempts, history = attempts + 1, (*map(_over, history), _numbered(attempt, history))
    if attempt is None and response is not None:  # who started it before never came to an end
        history = tuple(map(_over, history))
    return Record(
        epoch=before.epoch if before else 0,
        request_id=request.request_id,
        task=request.task,
        caller=caller,
        provider=provider,
        priority=request.priority,
        submitted_at=request.submitted_at,
        trace_id=request.trace_context.trace_id,
        attempts=attempts,
        history=history,
        moved=before.moved if before and response is None else None,
        delivery=request.delivery,
        response=response,
    )


def passed_on(record: Record, provider: str, request: WorkRequest) -> Record:
    """What stands once it is the claim of another provider. That one's starts are counted anew."""
    ended = _handed_off_to(provider, request.task)
    history = tuple(one if one.ended else one.model_copy(update={"ended": ended}) for one in record.history)
    return _claimed(record, provider, request, history)


def passed_over(passed: Record, provider: str, request: WorkRequest) -> Record:
    """What stands where the one it was passed on to never got it, and it is the claim of another."""
    before, ended = _handed_off_to(passed.provider, passed.task), _handed_off_to(provider, request.task)
    last = passed.history[-1:]
    if last and last[0].ended == before:
        last = (last[0].model_copy(update={"ended": ended}),)
    return _claimed(passed, provider, request, (*passed.history[:-1], *last))


def _handed_off_to(provider: str, task: str) -> str:
    return f"handed off to {provider}/{task}"


def _claimed(record: Record, provider: str, request: WorkRequest, history: tuple[Attempt, ...]) -> Record:
    return record.model_copy(
        update={
            "epoch": record.epoch + 1,
            "task": request.task,
            "provider": provider,
            "priority": request.priority,
            "attempts": 0,
            "history": history,
            "moved": request,
        }
    )


def taken_back(passed: Record, request: WorkRequest, provider: str, response: WorkResponse) -> Record:
    """What stands where the one it was passed on to never got it: the outcome is of the one before."""
    return passed.model_copy(
        update={
            "epoch": passed.epoch + 1,
            "task": request.task,
            "provider": provider,
            "priority": request.priority,
            "attempts": len(passed.history),
            "moved": None,
            "response": response,
        }
    )


def called_off(record: Record, attempt: Attempt) -> Record:
    """What stands once an attempt was cut short by its own runner."""
    history = (
        one.model_copy(update={"ended": STOPPED}) if _same(attempt, one) and one.ended is None else one
        for one in record.history
    )
    return record.model_copy(update={"history": tuple(history)})


def fatal(record: Record | None) -> int:
    """How many starts of the present claim came to nothing by themselves."""
    if record is None or not record.attempts:
        return 0
    return record.attempts - sum(one.ended == STOPPED for one in record.history[-record.attempts :])


def _same(one: Attempt, other: Attempt) -> bool:
    return (one.runner, one.provider, one.started_at) == (other.runner, other.provider, other.started_at)


def _over(attempt: Attempt) -> Attempt:
    return attempt if attempt.ended else attempt.model_copy(update={"ended": GONE})


def _numbered(attempt: Attempt, history: tuple[Attempt, ...]) -> Attempt:
    number = history[-1].number + 1 if history else 1
    return attempt if attempt.number == number else attempt.model_copy(update={"number": number})
