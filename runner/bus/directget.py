"""Reading a stream without a consumer: batched direct gets, in stream order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg

from runner.bus.connection import Connection

BATCH = 512
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StoredMessage:
    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int
    stamp: str


async def read_batch(
    connection: Connection, stream: str, subject: str, *, start: int = 1
) -> AsyncIterator[StoredMessage]:
    """Every stored message on a subject (wildcards allowed) from sequence `start` to the present end.

    Raises TimeoutError where the server does not answer.
    """
    while True:
        count = 0
        for message in await _one_batch(connection, stream, subject, start):
            count += 1
            start = message.sequence + 1
            yield message
        if count < BATCH:
            return


async def _one_batch(connection: Connection, stream: str, subject: str, start: int) -> list[StoredMessage]:
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    address = connection.new_inbox()
    subscription = await connection.subscribe(address, cb=arrived.put)
    try:
        body = json.dumps({"seq": start, "next_by_subj": subject, "batch": BATCH}).encode()
        await connection.publish(f"$JS.API.DIRECT.GET.{stream}", body, reply=address)
        messages: list[StoredMessage] = []
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                message = await arrived.get()
            headers = {str(name): value for name, value in (message.headers or {}).items()}
            if "Status" in headers:  # 204 at the end of the batch, 404 where there is nothing (left), 503 no stream
                return messages
            messages.append(
                StoredMessage(
                    subject=headers["Nats-Subject"],
                    data=message.data,
                    headers=headers,
                    sequence=int(headers["Nats-Sequence"]),
                    stamp=headers["Nats-Time-Stamp"],
                )
            )
    finally:
        await subscription.unsubscribe()
