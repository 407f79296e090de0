"""A message in a work queue that is no WorkRequest: it has its outcome too, under the id that its message carries."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import ValidationError

from runner.bus.events import NO_TRACE
from runner.bus.puller import TaskMessage
from runner.host.desk import StoreAway
from runner.host.outcome import rejected
from runner.host.recording import Recording
from runner.host.workplace import Workplace
from runner.work import Code, Record


async def refuse(message: TaskMessage, problem: ValidationError, workplace: Workplace, recording: Recording) -> None:
    """Reject it, unless its id has a record; while the store is away, it is left to come again."""
    why = problem.errors()[0]["msg"]
    workplace.log.warning("%s sent a task that is no WorkRequest: %s", message.call.caller, why)
    if message.request_id is not None:
        record = _rejected(message, message.request_id, workplace.name, why)
        try:
            if await workplace.desk.record(record, 0) is not None:
                await recording.reply(record)
        except StoreAway:
            return
    await message.ack()


def _rejected(message: TaskMessage, request_id: str, provider: str, why: str) -> Record:
    hint = "see schemas/work-request.schema.json"
    return Record(
        request_id=request_id,
        task=message.call.capability,
        caller=message.call.caller,
        provider=provider,
        priority=message.call.priority,
        submitted_at=datetime.now(UTC),
        trace_id=NO_TRACE,
        attempts=0,
        response=rejected(request_id, provider, Code.INVALID_REQUEST, f"this is no WorkRequest: {why}", hint),
    )
