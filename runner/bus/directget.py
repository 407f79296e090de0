"""Reading a stream without a consumer: batched direct gets, in stream order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from runner.bus.connection import BLINKS, Connection

BATCH = 512
BATCH_BYTES = 8 * 1024 * 1024
SIDE_BY_SIDE_BYTES = 1024 * 1024
"""Where many streams are read at a time: the server gives up a client that has more than 64 MiB before it."""

TURN = 64
"""After so many messages others have their turn: taking a batch apart would keep them from theirs for long."""

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StoredMessage:
    subject: str
    data: bytes
    headers: Mapping[str, str]
    sequence: int
    stamp: str


async def read_batch(
    connection: Connection, stream: str, subject: str, *, start: int = 1, most_bytes: int = BATCH_BYTES
) -> AsyncIterator[StoredMessage]:
    """Every stored message on a subject (wildcards allowed) from sequence `start` to the present end.

    At a time `most_bytes` are on their way, or one message that is longer. Raises what `away.AWAY` lists where the
    server, or the stream, does not answer.
    """
    more = True
    while more:
        messages, more = await _batch(connection, stream, subject, start, most_bytes)
        for number, message in enumerate(messages, 1):
            start = message.sequence + 1
            yield message
            if number % TURN == 0:
                await asyncio.sleep(0)
        more = more and bool(messages)


async def read_one(connection: Connection, stream: str, sequence: int) -> StoredMessage | None:
    """The stored message with this sequence, or None where there is none any more. Raises as `read_batch`."""
    return await _ask_for_one(connection, stream, {"seq": sequence})


async def read_next(connection: Connection, stream: str, subject: str, start: int) -> StoredMessage | None:
    """The first stored message on a subject from sequence `start` on, or None. Raises as `read_batch`."""
    return await _ask_for_one(connection, stream, {"seq": start, "next_by_subj": subject})


async def _ask_for_one(connection: Connection, stream: str, terms: dict[str, str | int]) -> StoredMessage | None:
    body = json.dumps(terms).encode()
    message = await connection.request(f"$JS.API.DIRECT.GET.{stream}", body, timeout=ANSWER_SECONDS)
    headers = {str(name): value for name, value in (message.headers or {}).items()}
    return None if "Status" in headers else _stored(message, headers)


async def _batch(
    connection: Connection, stream: str, subject: str, start: int, most_bytes: int
) -> tuple[list[StoredMessage], bool]:
    """As `_one_batch`, and asked again as `Connection.request` does where nobody is there."""
    for pause in BLINKS:
        try:
            return await _one_batch(connection, stream, subject, start, most_bytes)
        except NoRespondersError:
            await asyncio.sleep(pause)
    return await _one_batch(connection, stream, subject, start, most_bytes)


async def _one_batch(
    connection: Connection, stream: str, subject: str, start: int, most_bytes: int
) -> tuple[list[StoredMessage], bool]:
    """The messages of one batch, and whether there are more behind it: it ends by count or by bytes."""
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    address = connection.new_inbox()
    subscription = await connection.subscribe(address, cb=arrived.put, pending_msgs_limit=0, pending_bytes_limit=0)
    messages: list[StoredMessage] = []
    try:
        body = {"seq": start, "next_by_subj": subject, "batch": BATCH, "max_bytes": most_bytes}
        await connection.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(body).encode(), reply=address)
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                message = await arrived.get()
            headers = {str(name): value for name, value in (message.headers or {}).items()}
            match headers.get("Status"):
                case None:
                    messages.append(_stored(message, headers))
                case "204":  # the end of the batch
                    return messages, int(headers.get("Nats-Num-Pending", "0")) > 0
                case "404":  # nothing, or nothing more
                    return messages, False
                case _:
                    raise NoRespondersError
    finally:
        if not connection.is_closed:
            await subscription.unsubscribe()


def _stored(message: Msg, headers: Mapping[str, str]) -> StoredMessage:
    return StoredMessage(
        subject=headers["Nats-Subject"],
        data=message.data,
        headers=headers,
        sequence=int(headers["Nats-Sequence"]),
        stamp=headers["Nats-Time-Stamp"],
    )
