"""The work queues as the leader handles them: read with their places, and taken out of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from runner.bus.connection import Connection
from runner.bus.directget import read_batch, read_one
from runner.bus.notices import identified
from runner.bus.streams import limit_queue, queue_limit
from runner.errors import ServerFailed
from runner.subjects import Subjects, TaskCall, delivered_sequence
from runner.work import DeliverySpec, WorkRequest

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A task that is not acknowledged, with its place in the queue and when it became durable."""

    call: TaskCall
    request: WorkRequest
    sequence: int
    durable_since: datetime


class WorkQueues:
    """The queues of one network, over the runner's own connection. Everything here raises what `AWAY` lists."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects

    async def stored(self, ensemble: str, *, start: int = 1) -> AsyncIterator[Stored]:
        """Every task in an ensemble's queue from a sequence on, oldest first; what is no task is passed over."""
        stream, subject = self._subjects.work_stream(ensemble), self._subjects.work("*", ensemble, "*", "*")
        async for message in read_batch(self._connection, stream, subject, start=start):
            if found := self._read(message.subject, message.data, message.sequence, message.stamp):
                yield found

    async def get(self, ensemble: str, sequence: int) -> Stored | None:
        """The task at this sequence, or None where it is acknowledged or deleted."""
        stream = self._subjects.work_stream(ensemble)
        body = json.dumps({"seq": sequence}).encode()
        answer = await self._connection.request(f"$JS.API.DIRECT.GET.{stream}", body, timeout=ANSWER_SECONDS)
        headers = answer.headers or {}
        if "Nats-Subject" not in headers or int(headers["Nats-Sequence"]) != sequence:
            return None
        return self._read(headers["Nats-Subject"], answer.data, sequence, headers["Nats-Time-Stamp"])

    async def requests_at(self, ticket: str, ensemble: str) -> Mapping[tuple[str, str], DeliverySpec | None]:
        """Which requests, by caller and id, the message is about that was delivered with this acknowledgement subject,
        and where it wants the outcome to go.

        By its subject, its id and its content. None where it is not, or no longer, in this ensemble's queue.
        """
        stream = self._subjects.work_stream(ensemble)
        sequence = delivered_sequence(ticket, stream)
        message = await read_one(self._connection, stream, sequence) if sequence is not None else None
        call = self._subjects.parse_work(message.subject) if message is not None else None
        if message is None or call is None:
            return {}
        found: dict[tuple[str, str], DeliverySpec | None] = {}
        if request_id := identified(message.headers):
            found[call.caller, request_id] = None
        with suppress(ValidationError):
            request = WorkRequest.model_validate_json(message.data)
            found |= {(caller, request.request_id): request.delivery for caller in (call.caller, request.caller)}
        return found

    async def give_back(self, ticket: str) -> None:
        """Let another have what was delivered with this acknowledgement subject."""
        await self._connection.publish(ticket, b"-NAK")

    async def delete(self, ensemble: str, sequence: int) -> None:
        """The queue no longer has the task at this sequence when this returns. Raises ServerFailed where refused."""
        subject = f"$JS.API.STREAM.MSG.DELETE.{self._subjects.work_stream(ensemble)}"
        body = json.dumps({"seq": sequence, "no_erase": True}).encode()
        answer = await self._connection.request(subject, body, timeout=ANSWER_SECONDS)
        error = json.loads(answer.data).get("error")
        if error is not None and await self.get(ensemble, sequence) is not None:  # it may have gone before
            raise ServerFailed(f"a task could not be taken out of the queue of {ensemble}: {error.get('description')}")

    @asynccontextmanager
    async def one_more(self, ensemble: str, limit: int) -> AsyncIterator[None]:
        """Inside the block the queue takes one task beyond its limit, from whoever is first.

        Should we die in it, that stays until a runner lays the queue anew. A queue that gets another limit meanwhile
        keeps that one. Raises ServerFailed.
        """
        if await queue_limit(self._connection, self._subjects, ensemble) not in (limit, limit + 1):
            yield
            return
        await limit_queue(self._connection, self._subjects, ensemble, limit + 1)
        try:
            yield
        finally:
            if await queue_limit(self._connection, self._subjects, ensemble) == limit + 1:
                await limit_queue(self._connection, self._subjects, ensemble, limit)

    def _read(self, subject: str, data: bytes, sequence: int, stamp: str) -> Stored | None:
        call = self._subjects.parse_work(subject)
        try:
            request = WorkRequest.model_validate_json(data)
        except ValidationError:
            return None
        return Stored(call, request, sequence, datetime.fromisoformat(stamp)) if call else None
