"""The dead letters: tasks that were started too often, kept until somebody retries them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from runner.bus.away import AWAY
from runner.bus.records import Bucket
from runner.dead_letter import DeadLetter
from runner.errors import ServerFailed
from runner.host.desk import Desk, StoreAway
from runner.host.keepsakes import Keepsakes
from runner.subjects import publication_of_epoch, record_key
from runner.work import Code, Record, WorkError, WorkRequest

_log = logging.getLogger("runner.host")


class DeadLetters:
    """Over the `dead` bucket, whose entries never expire."""

    def __init__(self, bucket: Bucket, keepsakes: Keepsakes) -> None:
        self._bucket = bucket
        self._keepsakes = keepsakes

    async def bury(self, letter: DeadLetter) -> None:
        """Keep a dead letter; burying it again changes nothing. Raises StoreAway."""
        try:
            if await self._bucket.get(_key(letter)) is None:
                request = await self._keepsakes.kept(letter.request, _key(letter))
                await self._bucket.put(_key(letter), letter.model_copy(update={"request": request}).encode())
        except (ServerFailed, *AWAY) as problem:
            raise StoreAway from problem

    async def all(self) -> AsyncIterator[DeadLetter]:
        async for letter in self._read(">"):
            yield letter

    async def of(self, request_id: str, caller: str = "*") -> tuple[DeadLetter, ...]:
        """The dead letters of this id, in order of caller."""
        found = [letter async for letter in self._read(f"{caller}.{request_id}")]
        return tuple(sorted(found, key=lambda letter: letter.caller))

    async def retry(self, letter: DeadLetter, desk: Desk) -> WorkError | None:
        """Queue a dead letter's request again, with its whole deadline before it: None, or why it is not.

        The record is opened anew, then the request published, then the letter removed: whatever dies in between, a
        second retry completes it, as the same submission and with what is left of that deadline. Where the queue
        refuses, all is as it was. Raises StoreAway.
        """
        held = await desk.read(letter.caller, letter.request.request_id)
        if not _awaits_retry(letter, held.record):
            await self._remove(letter)
            return _revived(letter)
        renewed = _renewed(letter, held.record, datetime.now(UTC))
        request = await self._keepsakes.taken(renewed, _key(letter))
        opened = _opened(letter, request, held.record)
        revision = await desk.record(opened, held.revision)
        if revision is None:
            return _revived(letter)
        publication = publication_of_epoch(opened.epoch)
        refused = await desk.publish(request, letter.provider, sender=letter.sender, publication=publication)
        if refused is None:
            await self._remove(letter)
        elif held.record is not None:
            await desk.record(held.record.model_copy(update={"epoch": opened.epoch}), revision)
        return refused

    async def _read(self, keys: str) -> AsyncIterator[DeadLetter]:
        async for entry in self._bucket.entries(keys):
            try:
                yield DeadLetter.model_validate_json(entry.value)
            except ValidationError:
                _log.warning("the dead letter %s cannot be read", entry.key)

    async def _remove(self, letter: DeadLetter) -> None:
        try:
            await self._bucket.delete(_key(letter))
            await self._keepsakes.forget(letter.request, _key(letter))
        except (ServerFailed, *AWAY) as problem:
            raise StoreAway from problem


def _key(letter: DeadLetter) -> str:
    return record_key(letter.caller, letter.request.request_id)


def is_dead(record: Record) -> bool:
    """Whether the outcome of a record is that its task was started too often."""
    error = record.response.error if record.response else None
    return error is not None and error.code == Code.DEAD_LETTER


def _awaits_retry(letter: DeadLetter, record: Record | None) -> bool:
    """Whether the letter is all there is of its request, or stands for its outcome, or its retry was cut short."""
    return record is None or is_dead(record) or (record.response is None and record.epoch > letter.epoch)


def _renewed(letter: DeadLetter, before: Record | None, now: datetime) -> WorkRequest:
    """The request as it is submitted now, later than before by whatever clock; or as the retry did that was cut short.

    What was published of that one is then the same, and its record stands for both; unless it is past its deadline.
    """
    if before is not None and before.response is None:
        begun = letter.request.model_copy(update={"submitted_at": before.submitted_at})
        if begun.expires_at > now:
            return begun
    later = letter.request.submitted_at + timedelta(milliseconds=1)
    return letter.request.model_copy(update={"submitted_at": max(now, later)})


def _opened(letter: DeadLetter, request: WorkRequest, before: Record | None) -> Record:
    """The record without its outcome: no start counts any more, and no worker from before may record one."""
    if before is not None and before.response is None and before.submitted_at == request.submitted_at:
        return before
    return Record(
        epoch=max(letter.epoch, before.epoch if before else 0) + 1,
        request_id=request.request_id,
        task=request.task,
        caller=letter.caller,
        provider=letter.provider,
        priority=request.priority,
        submitted_at=request.submitted_at,
        trace_id=request.trace_context.trace_id,
        attempts=0,
        history=letter.history,
        moved=request if letter.sender != letter.caller else None,  # the proof that it was handed off
        delivery=request.delivery,
    )


def _revived(letter: DeadLetter) -> WorkError:
    message = (
        f"{letter.caller}/{letter.request.request_id} is dead no longer: somebody retried it, or its id was reused"
    )
    return WorkError(code=Code.NOT_DEAD, message=message, hint=f"`run-network result {letter.request.request_id}`")
