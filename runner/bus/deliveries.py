"""Where results go that nobody waits for: a stream of queues, a stream of topics, and a bucket.

Only the runner's own user publishes there. A result goes under the id of its request, so that the server drops what is
sent again within its window.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from math import ceil

from nats.js import api

from runner.bus.connection import Connection
from runner.bus.objects import Objects
from runner.bus.records import Bucket
from runner.bus.streams import ensure_stream
from runner.errors import ServerFailed
from runner.payload import Reference
from runner.subjects import Subjects

PUBLISH_SECONDS = 5.0
DUPLICATE_SECONDS = 120.0
QUEUE_LIMIT = 100_000
"""How many results wait in one queue before the next one is refused."""

STREAM_BYTES = 256 * 1024**2
"""What the queues, and the topics, may take of the disk. Full, queues refuse and topics forget their oldest."""

DELIVERED = "delivered"
"""Where the large results of stored outcomes are, in the bucket of payloads."""

EXPIRY_TOLD_SECONDS = 60.0
"""How long a marker tells the watchers of a bucket that a key has expired."""


async def ensure_deliveries(connection: Connection, subjects: Subjects) -> None:
    """The bucket. Idempotent. Raises ServerFailed."""
    await ensure_stream(connection, _bucket(subjects.bucket("deliveries")))


def delivery_streams(subjects: Subjects, kept: timedelta) -> tuple[api.StreamConfig, ...]:
    """That of the queues, and that of the topics, which keep what they carried for `kept`."""
    queues = api.StreamConfig(
        name=subjects.queue_stream(),
        subjects=[subjects.queue("*")],
        retention=api.RetentionPolicy.WORK_QUEUE,
        max_msgs_per_subject=QUEUE_LIMIT,
        max_bytes=STREAM_BYTES,
        discard=api.DiscardPolicy.NEW,
        discard_new_per_subject=True,
        storage=api.StorageType.FILE,
        duplicate_window=DUPLICATE_SECONDS,
        allow_direct=True,
    )
    topics = api.StreamConfig(
        name=subjects.topic_stream(),
        subjects=[subjects.topic("*")],
        max_age=kept.total_seconds(),
        max_bytes=STREAM_BYTES,
        discard=api.DiscardPolicy.OLD,
        storage=api.StorageType.FILE,
        duplicate_window=min(DUPLICATE_SECONDS, kept.total_seconds()),
        allow_direct=True,
    )
    return queues, topics


class Outbox:
    """Sends results on their way; each method returns when the server has it.

    They raise ServerFailed where the server refuses, and one of AWAY while it or the stream does not answer.
    """

    def __init__(self, connection: Connection, subjects: Subjects, objects: Objects, most: Callable[[], int]) -> None:
        self._connection = connection
        self._subjects = subjects
        self._objects = objects
        self._most = most
        self._store = Bucket(connection, subjects.bucket("deliveries"))

    async def queue(self, name: str, message_id: str, body: bytes) -> None:
        await self._publish(self._subjects.queue(name), body, {"Nats-Msg-Id": message_id})

    async def topic(self, name: str, message_id: str, body: bytes) -> None:
        await self._publish(self._subjects.topic(name), body, {"Nats-Msg-Id": message_id})

    async def keep(self, key: str, message_id: str, body: bytes, ttl: timedelta | None) -> None:
        """Put a value under a key of the bucket, for as long as `ttl`, at least a second, or until it is put again."""
        headers = {"Nats-Msg-Id": message_id}
        if ttl is not None:
            headers["Nats-TTL"] = f"{ceil(ttl.total_seconds())}s"
        await self._publish(self._store.subject(key), body, headers)

    async def copy(self, reference: Reference, key: str, ttl: timedelta | None) -> Reference:
        """A copy of an object that stays for as long as what is kept under a key; it replaces the last one.

        Raises PayloadProblem where there is nothing to copy, PayloadsAway while the server does not answer.
        """
        return await self._objects.copy(reference, f"{DELIVERED}/{key}", kept=ttl, most=self._most())

    async def _publish(self, subject: str, body: bytes, headers: dict[str, str]) -> None:
        answer = await self._connection.request(subject, body, timeout=PUBLISH_SECONDS, headers=headers)
        if error := json.loads(answer.data).get("error"):
            raise ServerFailed(f"the server refused a result for {subject}: {error.get('description')}")


def _bucket(name: str) -> api.StreamConfig:
    """As the key–value clients of every language expect it; single keys may expire, and watchers see it."""
    return api.StreamConfig(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        max_msgs_per_subject=1,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_direct=True,
        allow_msg_ttl=True,
        subject_delete_marker_ttl=EXPIRY_TOLD_SECONDS,
        duplicate_window=DUPLICATE_SECONDS,
    )
