"""Key–value records over raw JetStream requests: read, compare-and-set, list.

The library's own key–value client costs several times as much on the path that every task takes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from pydantic_core import from_json

from runner.bus.connection import Connection, settled
from runner.bus.directget import read_batch
from runner.errors import ServerFailed

READ_SECONDS = 5.0
MARKER_SECONDS = 60
"""How long it shows that a key was deleted. For ever, every start would read a marker of every runner there was."""

HEADER_ROOM_BYTES = 1024
"""What a write says beside its value."""

_GONE = ("DEL", "PURGE")
_WRONG_LAST_SEQUENCE = 10071
_NO_STREAM = 10059


@dataclass(frozen=True, slots=True)
class Entry:
    """A value with the revision that a compare-and-set must name."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a value was written, and as which revision."""

    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class BucketState:
    """`messages` are its values and the markers of what was deleted; one that is made anew is `created` anew."""

    created: str
    messages: int


class Bucket:
    """One key–value bucket. Keys are subject tokens joined by dots."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."

    @property
    def most_bytes(self) -> int:
        """How long a value may be that the server takes."""
        return self._connection.max_payload - HEADER_ROOM_BYTES

    def subject(self, key: str) -> str:
        """The subject that a write of a key is published on."""
        return self._prefix + key

    def key_of(self, subject: str) -> str:
        return subject.removeprefix(self._prefix)

    async def get(self, key: str) -> Entry | None:
        """The value under a key, or None. Raises nats.errors.TimeoutError while the server is away."""
        answer = await self._connection.request(
            f"$JS.API.DIRECT.GET.{self._stream}.{self._prefix}{key}", b"", timeout=READ_SECONDS
        )
        headers = answer.headers or {}
        if headers.get("Status") == "404" or headers.get("KV-Operation") in _GONE:
            return None
        return Entry(key, answer.data, int(headers["Nats-Sequence"]))

    async def put_if(self, key: str, value: bytes, revision: int, *, lasting: bool = False) -> int | None:
        """Write where the key still stands at `revision` (0: no value). The new revision, or None: somebody was first.

        What is `lasting` stays until it is written again, however short a time the bucket keeps what is in it. Raises
        ServerFailed where the store refuses, nats.errors.TimeoutError while the server is away.
        """
        headers = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        if lasting:
            headers["Nats-TTL"] = "never"
        answer = await self._connection.request(self._prefix + key, value, timeout=READ_SECONDS, headers=headers)
        return _sequence_or_conflict(answer.data)

    async def put(self, key: str, value: bytes) -> None:
        """Write whatever stands there. Raises as `put_if`."""
        answer = await self._connection.request(self._prefix + key, value, timeout=READ_SECONDS)
        _sequence_or_conflict(answer.data)

    async def delete(self, key: str) -> None:
        """Leave a marker in place of the value, which tells watchers for a while, and goes. Raises as `put_if`."""
        headers = {"KV-Operation": "DEL", "Nats-TTL": f"{MARKER_SECONDS}s"}
        answer = await self._connection.request(self._prefix + key, b"", timeout=READ_SECONDS, headers=headers)
        _sequence_or_conflict(answer.data)

    async def purge(self, keys: str, *, up_to: int = 0) -> None:
        """Forget every key that matches, without a marker in its place; what was written after revision `up_to` stays.

        Without one all goes. Raises as `put_if`.
        """
        wanted: dict[str, str | int] = {"filter": self._prefix + keys}
        if up_to:
            wanted["seq"] = up_to + 1
        answer = await self._connection.request(
            f"$JS.API.STREAM.PURGE.{self._stream}", json.dumps(wanted).encode(), timeout=READ_SECONDS
        )
        if error := json.loads(answer.data).get("error"):
            raise ServerFailed(f"the store refused to forget: {error.get('description')}")

    async def keys(self) -> tuple[str, ...]:
        """Every key that has a value or a marker, in order. Raises as `put_if`."""
        answer = await self._connection.request(
            f"$JS.API.STREAM.INFO.{self._stream}",
            json.dumps({"subjects_filter": f"{self._prefix}>"}).encode(),
            timeout=READ_SECONDS,
        )
        told = json.loads(answer.data)
        if error := told.get("error"):
            raise ServerFailed(f"the keys of {self._stream} cannot be listed: {error.get('description')}")
        return tuple(sorted(map(self.key_of, told["state"].get("subjects") or {})))

    async def state(self) -> BucketState | None:
        """What the server says of it; None where there is no such bucket. Raises as `put_if`."""
        answer = await self._connection.request(f"$JS.API.STREAM.INFO.{self._stream}", b"", timeout=READ_SECONDS)
        told = json.loads(answer.data)
        if error := told.get("error"):
            if error.get("err_code") == _NO_STREAM:
                return None
            raise ServerFailed(f"{self._stream} cannot be looked at: {error.get('description')}")
        return BucketState(told["created"], told["state"]["messages"])

    async def stamp(self, key: str) -> Stamp | None:
        """When the server stored what stands under a key, by its own clock; None where nothing does."""
        async for message in read_batch(self._connection, self._stream, self._prefix + key):
            return Stamp(datetime.fromisoformat(message.stamp), message.sequence)
        return None

    async def watch(self, heard: Callable[[str, bytes | None], None]) -> None:
        """Tell of every value that stands now and of every change from now on; None is a deletion.

        A write is a publication on the key's own subject, so that listening needs no consumer. Not for a bucket that
        is written by compare-and-set: a refused write is heard too. Where this raises, or is cut off, nothing is told.
        """

        subscription = await self._subscribe(heard, ">")
        try:
            await settled(self._connection)
            async for entry in self.entries():
                heard(entry.key, entry.value)
        except BaseException:
            with suppress(NatsError):  # closed: then it is gone as well
                await subscription.unsubscribe()
            raise

    async def listen(self, heard: Callable[[str, bytes | None], None], keys: str = ">") -> None:
        """The same of changes alone, of the keys that match."""
        await self._subscribe(heard, keys)
        await settled(self._connection)

    async def _subscribe(self, heard: Callable[[str, bytes | None], None], keys: str) -> Subscription:
        async def on_message(message: Msg) -> None:
            deleted = (message.headers or {}).get("KV-Operation") in _GONE
            heard(message.subject.removeprefix(self._prefix), None if deleted else message.data)

        return await self._connection.subscribe(self._prefix + keys, cb=on_message)

    async def entries(self, keys: str = ">") -> AsyncIterator[Entry]:
        """Every live key that matches, oldest write first."""
        async for message in read_batch(self._connection, self._stream, self._prefix + keys):
            if message.headers.get("KV-Operation") not in _GONE:
                yield Entry(message.subject.removeprefix(self._prefix), message.data, message.sequence)


def _sequence_or_conflict(data: bytes) -> int | None:
    acknowledgement = from_json(data)
    if error := acknowledgement.get("error"):
        if error.get("err_code") == _WRONG_LAST_SEQUENCE:
            return None
        raise ServerFailed(f"the store refused a record: {error.get('description')}")
    return int(acknowledgement["seq"])
