"""The streams, consumers and buckets of a network. Only the runner's own user can make them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from runner.bus.connection import Connection
from runner.errors import NoRoom, ServerFailed
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

SHARES = (1, 5, 25, 125)
"""What of the room that streams are to have is asked for, as the divisor: all of it, then less, where there is none.

No powers of two, as limits are: of a stream that fills a server to the byte the server makes no smaller one.
"""

EVENT_BYTES = 1024**3
PAYLOAD_BYTES = 4 * 1024**3
"""Full, the bucket of large payloads refuses."""

_TIMEOUT_SECONDS = 30.0
_NAME_IN_USE = 10058
_NO_ROOM = (10002, 10023, 10028, 10047)
"""Those for: the account's limits, the server's resources, its memory and its storage do not suffice."""

_log = logging.getLogger("runner.bus")


async def ensure_network(connection: Connection, subjects: Subjects, *, results_kept: timedelta) -> None:
    """The buckets that every network has. Idempotent: what differs is updated in place. Raises ServerFailed."""
    await asyncio.gather(
        ensure_stream(connection, _bucket(subjects, "results", results_kept)),
        ensure_stream(connection, _bucket(subjects, "checkpoints", max(results_kept, CHECKPOINTS_KEPT))),
        ensure_capabilities(connection, subjects),
        ensure_stream(connection, _bucket(subjects, "leader", None)),
        ensure_stream(connection, _bucket(subjects, "dead", None)),
        ensure_stream(connection, _bucket(subjects, "contents", results_kept)),
        ensure_applied(connection, subjects),
    )


async def ensure_capabilities(connection: Connection, subjects: Subjects) -> None:
    """Where registrations are kept. Idempotent. Raises ServerFailed."""
    await ensure_stream(connection, _bucket(subjects, "capabilities", None))


async def ensure_applied(connection: Connection, subjects: Subjects) -> None:
    """Where the applied configuration is kept, and what of it is large. The first that a runner needs. Idempotent."""
    await asyncio.gather(
        ensure_stream(connection, _bucket(subjects, "applied", None)),
        ensure_reserved(connection, (payload_stream(subjects),)),
    )


async def ensure_reserved(connection: Connection, streams: Sequence[api.StreamConfig]) -> None:
    """As `ensure_stream`, for those for whose `max_bytes` the server sets room aside at once.

    Where it has not got so much they all get less, in the same proportion, which is told as a warning. Raises
    ServerFailed.
    """
    largest_first = sorted(streams, key=lambda stream: -(stream.max_bytes or 0))  # the one that fails is made first
    for share in SHARES:
        try:
            for stream in largest_first:
                await ensure_stream(connection, stream.evolve(max_bytes=(stream.max_bytes or 0) // share))
            break
        except NoRoom:
            if share == SHARES[-1]:
                raise
    if share > 1:
        _log.warning("the server may store too little: events, payloads and deliveries get 1/%d of their room", share)


def event_stream(subjects: Subjects, kept: timedelta) -> api.StreamConfig:
    """Events are acknowledged before they reach the disk: they are published without waiting, and the record of an
    outcome never depends on them.
    """
    return api.StreamConfig(
        name=subjects.event_stream(),
        subjects=[subjects.events()],
        max_age=kept.total_seconds(),
        max_bytes=EVENT_BYTES,
        discard=api.DiscardPolicy.OLD,
        storage=api.StorageType.FILE,
        persist_mode=api.PersistMode.ASYNC,
        allow_direct=True,
    )


async def ensure_queue(connection: Connection, subjects: Subjects, ensemble: str, queue_limit: int) -> None:
    """The work queue of one ensemble: full at `queue_limit`, headers repeated as notices, one consumer a priority.

    The consumers live in memory: the stream itself keeps what is not acknowledged, and a restarted server gives it out
    again at once.
    """
    await ensure_stream(connection, _queue(subjects, ensemble, queue_limit))
    await ensure_consumers(connection, subjects, ensemble)


async def ensure_consumers(connection: Connection, subjects: Subjects, ensemble: str) -> None:
    """The consumers of a queue that is there, whoever it was for. Idempotent. Raises ServerFailed."""
    await asyncio.gather(*(_ensure_consumer(connection, subjects, ensemble, priority) for priority in Priority))


async def queues_there(connection: Connection, subjects: Subjects) -> frozenset[str]:
    """The ensembles that have a work queue on the server. Raises ServerFailed."""
    found: set[str] = set()
    offset, total = 0, 1
    while offset < total:
        body = json.dumps({"subject": subjects.work("*", "*", "*", "*"), "offset": offset}).encode()
        answer = json.loads((await connection.request("$JS.API.STREAM.NAMES", body, timeout=_TIMEOUT_SECONDS)).data)
        if error := answer.get("error"):
            raise ServerFailed(f"the queues cannot be listed: {error.get('description', error)}")
        names = answer.get("streams") or []
        found |= {ensemble for name in names if (ensemble := subjects.parse_work_stream(name)) is not None}
        offset, total = offset + max(1, len(names)), answer.get("total", 0)
    return frozenset(found)


async def queue_limit(connection: Connection, subjects: Subjects, ensemble: str) -> int:
    """How many tasks the queue of an ensemble takes now. Raises ServerFailed."""
    try:
        found = await context(connection).stream_info(subjects.work_stream(ensemble))
    except APIError as problem:
        raise ServerFailed(f"the queue of {ensemble} cannot be looked at: {problem.description}") from problem
    return int(found.config.max_msgs or -1)


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
            raise _refused(config, "made", problem) from problem
        try:
            await jetstream.update_stream(config)
        except APIError as refusal:
            raise _refused(config, "changed", refusal) from refusal


async def drop_empty(connection: Connection, subjects: Subjects, ensemble: str) -> bool:
    """Delete a work queue in which there is nothing; whether it was. It takes nothing while that is found out, so that
    no task is lost that somebody was told is durable. Raises ServerFailed.
    """
    jetstream, stream = context(connection), subjects.work_stream(ensemble)
    try:
        config = (await jetstream.stream_info(stream)).config
        closed = await jetstream.update_stream(config.evolve(max_bytes=1))
        if closed.state.messages == 0:
            return bool(await jetstream.delete_stream(stream))
        await jetstream.update_stream(config)
    except NotFoundError:
        return True
    except APIError as problem:
        raise ServerFailed(f"the queue of {ensemble} cannot be taken away: {problem.description}") from problem
    return False


async def drop_queues(connection: Connection, subjects: Subjects, ensembles: Iterable[str]) -> None:
    """Delete work queues. What waits in them is lost: for tests and tools only."""
    for ensemble in ensembles:
        try:
            await context(connection).delete_stream(subjects.work_stream(ensemble))
        except NotFoundError:
            continue


def context(connection: Connection) -> JetStreamContext:
    return connection.jetstream(timeout=_TIMEOUT_SECONDS)


def _refused(config: api.StreamConfig, what: str, problem: APIError) -> ServerFailed:
    kind = NoRoom if problem.err_code in _NO_ROOM else ServerFailed
    return kind(f"the stream {config.name} cannot be {what}: {problem.description}")


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


def payload_stream(subjects: Subjects) -> api.StreamConfig:
    """The stream behind the object bucket of large payloads, as the object-store clients of every language expect it.

    Each object says itself how long it is kept: a bucket's one age would outlive most deadlines and not the longest.
    """
    name = subjects.bucket("payloads")
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
