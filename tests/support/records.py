"""The records of a live network, over a connection of the test's own: read, written, and requests published by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner.bus.connection import Connection, connect
from runner.bus.records import Bucket, Entry
from runner.bus.requeue import Requeue
from runner.subjects import Subjects, record_key
from runner.work import Priority, Record, WorkError, WorkRequest, new_trace
from tests.support.networks import LiveNetwork

CALLER = "_client-tester"


@dataclass(frozen=True)
class Ledgers:
    """What a runner may do, in the hands of a test."""

    connection: Connection
    subjects: Subjects

    def bucket(self, kind: str) -> Bucket:
        return Bucket(self.connection, self.subjects.bucket(kind))

    async def record(self, request_id: str, caller: str = CALLER) -> Record | None:
        entry = await self.entry(request_id, caller)
        return Record.model_validate_json(entry.value) if entry else None

    async def entry(self, request_id: str, caller: str = CALLER) -> Entry | None:
        return await self.bucket("results").get(record_key(caller, request_id))

    async def write(self, record: Record, revision: int = 0) -> None:
        key = record_key(record.caller, record.request_id)
        assert await self.bucket("results").put_if(key, record.encode(), revision), "somebody was first"

    async def publish(
        self, request: WorkRequest, provider: str, publication: int = 0, *, sender: str | None = None
    ) -> WorkError | None:
        requeue = Requeue(self.connection, self.subjects)
        return await requeue.put(request, provider, sender=sender, publication=publication)


@asynccontextmanager
async def ledgers(inn: LiveNetwork) -> AsyncIterator[Ledgers]:
    state = inn.workspace.state
    url = f"nats://127.0.0.1:{(state / 'port').read_text().strip()}"
    seed = (state / "keys" / "runner.nk").read_text().strip()
    connection = await connect((url,), caller="_runner", credentials=seed)
    try:
        yield Ledgers(connection, Subjects(inn.network.name))
    finally:
        await connection.close()


def a_request(request_id: str, task: str, context: Any = "", **terms: Any) -> WorkRequest:
    return WorkRequest(
        request_id=request_id,
        caller=CALLER,
        task=task,
        context=context,
        trace_context=new_trace(),
        submitted_at=datetime.now(UTC),
        **terms,
    )


def a_record(request_id: str, task: str, provider: str, **terms: Any) -> Record:
    defaults = {"priority": Priority.NORMAL, "submitted_at": datetime.now(UTC), "trace_id": "0" * 32, "attempts": 0}
    return Record(request_id=request_id, task=task, caller=CALLER, provider=provider, **{**defaults, **terms})
