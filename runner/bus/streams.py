"""The streams, consumers and buckets of a network. Only the runner's own user can make them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from runner.bus.connection import Connection
from runner.errors import ServerFailed
from runner.subjects import Subjects, priority_consumer
from runner.work import Priority

ACK_WAIT = timedelta(seconds=5)
"""A delivered task is given to another after this long without a sign of life from the one who holds it.

Said three times in it. Longer than the three seconds after which a silent runner counts as dead, so that nobody is
given the work of one that others still believe alive; and longer than any pause of the collector or of a busy disk. One
that is stopped for longer is taken for dead: its work is done again, and the record takes one outcome.
"""

CHECKPOINTS_KEPT = timedelta(days=7)
"""At least: what is left of a task is wanted for as long as it may be started again."""

EVENT_BYTES = 1024**3
PAYLOAD_BYTES = 4 * 1024**3
"""Full, the bucket of large payloads refuses."""

_TIMEOUT_SECONDS = 30.0
_NAME_IN_USE = 10058


async def ensure_network(
    connection: Connection, subjects: Subjects, *, events_kept: timedelta, results_kept: timedelta
) -> None:
    """The event stream and the buckets that every network has. Idempotent: what differs is updated in place.

    Events are acknowledged before they reach the disk: they are published without waiting, and the record of an
    outcome never depends on them.
    """
    events = api.StreamConfig(
        name=subjects.event_stream(),
        subjects=[subjects.events()],
        max_age=events_kept.total_seconds(),
        max_bytes=EVENT_BYTES,
        discard=api.DiscardPolicy.OLD,
        storage=api.StorageType.FILE,
        persist_mode=api.PersistMode.ASYNC,
        allow_direct=True,
    )
    await asyncio.gather(
        ensure_stream(connection, events),
        ensure_stream(connection, _bucket(subjects, "results", results_kept)),
        ensure_stream(connection, _bucket(subjects, "checkpoints", max(results_kept, CHECKPOINTS_KEPT))),
        ensure_stream(connection, _bucket(subjects, "capabilities", None)),
        ensure_stream(connection, _bucket(subjects, "leader", None)),
        ensure_stream(connection, _bucket(subjects, "dead", None)),
        ensure_stream(connection, _bucket(subjects, "contents", results_kept)),
        ensure_stream(connection, _objects(subjects, "payloads")),
    )


async def ensure_queue(connection: Connection, subjects: Subjects, ensemble: str, queue_limit: int) -> None:
    """The work queue of one ensemble: full at `queue_limit`, headers repeated as notices, one consumer a priority.

    The consumers live in memory: the stream itself keeps what is not acknowledged, and a restarted server gives it out
    again at once.
    """
    await ensure_stream(connection, _queue(subjects, ensemble, queue_limit))
    await asyncio.gather(*(_ensure_consumer(connection, subjects, ensemble, priority) for priority in Priority))


async def limit_queue(connection: Connection, subjects: Subjects, ensemble: str, queue_limit: int) -> None:
    """The queue of an ensemble that has one is full at this. What is in it stays. Raises ServerFailed."""
    await ensure_stream(connection, _queue(subjects, ensemble, queue_limit))


async def ensure_stream(connection: Connection, config: api.StreamConfig) -> None:
    """Create the stream, or bring the one of this name to this configuration. Raises ServerFailed."""
    jetstream = context(connection)
    try:
        await jetstream.add_stream(config)
    except APIError as problem:
        if problem.err_code != _NAME_IN_USE:
            raise ServerFailed(f"the stream {config.name} cannot be made: {problem.description}") from problem
        try:
            await jetstream.update_stream(config)
        except APIError as refusal:
            raise ServerFailed(f"the stream {config.name} cannot be changed: {refusal.description}") from refusal


async def drop_queues(connection: Connection, subjects: Subjects, ensembles: Iterable[str]) -> None:
    """Delete work queues. What waits in them is lost: for tests and tools only."""
    for ensemble in ensembles:
        try:
            await context(connection).delete_stream(subjects.work_stream(ensemble))
        except NotFoundError:
            continue


def context(connection: Connection) -> JetStreamContext:
    return connection.jetstream(timeout=_TIMEOUT_SECONDS)


def _queue(subjects: Subjects, ensemble: str, queue_limit: int) -> api.StreamConfig:
    return api.StreamConfig(
        name=subjects.work_stream(ensemble),
        subjects=[subjects.work_of(ensemble)],
        retention=api.RetentionPolicy.WORK_QUEUE,
        max_msgs=queue_limit,
        discard=api.DiscardPolicy.NEW,
        storage=api.StorageType.FILE,
        allow_direct=True,
        duplicate_window=120,
        republish=api.RePublish(
            src=subjects.work("*", ensemble, "*", "*"), dest=_notice_mapping(subjects, ensemble), headers_only=True
        ),
    )


def _bucket(subjects: Subjects, kind: str, kept: timedelta | None) -> api.StreamConfig:
    """The stream behind a key–value bucket, as the key–value clients of every language expect it."""
    name = subjects.bucket(kind)
    return api.StreamConfig(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        max_msgs_per_subject=1,
        max_age=kept.total_seconds() if kept else 0,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_direct=True,
        allow_msg_ttl=True,
    )


def _objects(subjects: Subjects, kind: str) -> api.StreamConfig:
    """The stream behind an object bucket, as the object-store clients of every language expect it.

    Each object says itself how long it is kept: a bucket's one age would outlive most deadlines and not the longest.
    """
    name = subjects.bucket(kind)
    return api.StreamConfig(
        name=f"OBJ_{name}",
        subjects=[f"$O.{name}.C.>", f"$O.{name}.M.>"],
        max_bytes=PAYLOAD_BYTES,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        allow_direct=True,
        allow_msg_ttl=True,
    )


async def _ensure_consumer(connection: Connection, subjects: Subjects, ensemble: str, priority: Priority) -> None:
    """Raises ServerFailed."""
    name = priority_consumer(priority)
    config = api.ConsumerConfig(
        name=name,
        durable_name=name,
        filter_subject=subjects.work("*", ensemble, priority, "*"),
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT.total_seconds(),
        max_ack_pending=-1,
        max_waiting=512,
        mem_storage=True,
    )
    try:
        await context(connection).add_consumer(subjects.work_stream(ensemble), config)
    except APIError as problem:
        raise ServerFailed(f"a consumer of {ensemble} cannot be made: {problem.description}") from problem


def _notice_mapping(subjects: Subjects, ensemble: str) -> str:
    return subjects.notice("{{wildcard(1)}}", ensemble, "{{wildcard(2)}}", "{{wildcard(3)}}")
