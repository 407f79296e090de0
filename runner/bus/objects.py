"""Objects of a bucket, as the object-store clients of every language expect them, over raw JetStream requests.

The library's own client waits for each chunk before it sends the next, appends to immutable bytes (60 MiB are copied
some hundred times over), and reads through a consumer that needs leave to be made and waits for ever where a chunk is
gone. Here chunks are sent a few at a time and read by batched direct gets, which need no consumer and have a bound.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import ceil
from secrets import token_hex

from runner.bus.away import AWAY
from runner.bus.connection import Connection
from runner.bus.directget import read_batch
from runner.payload import Document, Kind, PayloadProblem, PayloadsAway, Reference, kind_of, over_limit
from runner.work import Code

CHUNK_BYTES = 512 * 1024
CHUNKS_AT_ONCE = 8
HEADER_ROOM_BYTES = 1024
ANSWER_SECONDS = 5.0
LOOKS = 3
LOOK_PAUSE_SECONDS = 0.1
"""Whoever asks may be answered by a replica that is behind: what is not there is looked for again."""

_FULL = {10077, 10023, 10047, 10122}
_DIGEST = "SHA-256="


@dataclass(frozen=True, slots=True)
class _Meta:
    """What the bucket says of an object."""

    nuid: str
    size: int
    digest: str
    headers: Mapping[str, object]
    revision: int
    at: datetime


class Objects:
    """One bucket. Its methods raise PayloadsAway while the server does not answer, PayloadProblem where it refuses."""

    def __init__(self, connection: Connection, bucket: str) -> None:
        self._connection = connection
        self._bucket = bucket
        self._stream = f"OBJ_{bucket}"

    async def store_payload(self, data: bytes, kept: timedelta) -> Reference:
        """Put JSON away under a name that nobody can guess."""
        return await self.put(token_hex(16), data, kind=Kind.JSON, kept=kept)

    async def load_payload(self, reference: Reference, most: int) -> Document:
        """Raises PayloadProblem DOCUMENT_MISSING where it is not there or not what the reference says."""
        for look in range(LOOKS):
            try:
                return await self._get(reference, most)
            except PayloadProblem as problem:
                if problem.error.code != Code.DOCUMENT_MISSING or look == LOOKS - 1:
                    raise
            except AWAY as away:
                raise PayloadsAway(str(away)) from away
            await asyncio.sleep(LOOK_PAUSE_SECONDS)
        raise AssertionError("the last look returns or raises")

    async def put(
        self, name: str, data: bytes | bytearray, *, kind: Kind, kept: timedelta | None, replace: bool = False
    ) -> Reference:
        """Put an object, for as long as `kept` says; `replace` removes what stood under the name before."""
        try:
            before = await self._meta(name) if replace else None
            nuid = token_hex(11)
            digest = sha256()
            await self._send_chunks(self._chunk_subject(nuid), data, _expiring(kept), digest.update)
            await self._send_meta(name, nuid, len(data), digest.digest(), kind, kept)
            if before is not None:
                await self._purge(self._chunk_subject(before.nuid))
        except AWAY as away:
            raise PayloadsAway(str(away)) from away
        return Reference(object=name, size=len(data), sha256=digest.hexdigest())

    async def copy(self, reference: Reference, name: str, *, kept: timedelta | None, most: int) -> Reference:
        """Put what a reference names under another name, in place of what stood there."""
        found = await self.load_payload(reference, most)
        return await self.put(name, found.data, kind=found.kind, kept=kept, replace=True)

    async def delete(self, name: str, *, before: datetime | None = None) -> bool:
        """Nothing is under the name when this returns, and was not where there was nothing.

        False: what is there was put there after `before`, and stays. What is put there meanwhile stays as well.
        """
        try:
            meta = await self._meta(name)
            if meta is not None:
                if before is not None and meta.at >= before:
                    return False
                await self._purge(self._meta_subject(name), up_to=meta.revision)
                await self._purge(self._chunk_subject(meta.nuid))
        except AWAY as away:
            raise PayloadsAway(str(away)) from away
        return True

    async def _send_chunks(
        self,
        subject: str,
        data: bytes | bytearray,
        headers: dict[str, str] | None,
        also: Callable[[memoryview], None],
    ) -> None:
        """A few at a time: they are stored in the order in which they are published here."""
        size = min(CHUNK_BYTES, self._connection.max_payload - HEADER_ROOM_BYTES)
        view = memoryview(data)
        chunks = [view[at : at + size] for at in range(0, len(view), size)]
        for at in range(0, len(chunks), CHUNKS_AT_ONCE):
            group = chunks[at : at + CHUNKS_AT_ONCE]
            sent = await asyncio.gather(
                *(self._publish(subject, chunk, headers) for chunk in group), return_exceptions=True
            )
            for failed in sent:
                if failed is not None:
                    raise failed
            for chunk in group:
                also(chunk)

    async def _send_meta(
        self, name: str, nuid: str, size: int, digest: bytes, kind: Kind, kept: timedelta | None
    ) -> None:
        """The object exists from here on."""
        told = {
            "name": name,
            "bucket": self._bucket,
            "nuid": nuid,
            "size": size,
            "chunks": ceil(size / min(CHUNK_BYTES, self._connection.max_payload - HEADER_ROOM_BYTES)),
            "digest": _DIGEST + base64.urlsafe_b64encode(digest).decode(),
            "mtime": datetime.now(UTC).isoformat(),
        }
        if kind is not Kind.UNSAID:
            told["headers"] = {"Content-Type": [kind.value]}
        headers = {"Nats-Rollup": "sub", **(_expiring(kept) or {})}
        await self._publish(self._meta_subject(name), json.dumps(told).encode(), headers)

    async def _publish(self, subject: str, body: bytes | memoryview, headers: dict[str, str] | None) -> None:
        answer = await self._connection.request(
            subject,
            body,  # type: ignore[arg-type]  # it is only measured and joined
            timeout=ANSWER_SECONDS,
            headers=headers,
        )
        if error := json.loads(answer.data).get("error"):
            raise _refused(error)

    async def _purge(self, subject: str, *, up_to: int = 0) -> None:
        wanted: dict[str, str | int] = {"filter": subject}
        if up_to:
            wanted["seq"] = up_to + 1
        await self._connection.request(
            f"$JS.API.STREAM.PURGE.{self._stream}", json.dumps(wanted).encode(), timeout=ANSWER_SECONDS
        )

    async def _get(self, reference: Reference, most: int) -> Document:
        name = reference.object
        meta = await self._meta(name)
        if meta is None:
            raise _missing(f"there is no object {name}")
        if meta.size > most:
            raise over_limit(f"the object {name}", meta.size, most)
        data, digest = bytearray(), sha256()
        async for message in read_batch(self._connection, self._stream, self._chunk_subject(meta.nuid)):
            data += message.data
            digest.update(message.data)
            if len(data) > meta.size:
                break
        if len(data) != meta.size or _DIGEST + base64.urlsafe_b64encode(digest.digest()).decode() != meta.digest:
            raise _missing(f"the object {name} is not whole")
        if reference.size not in (None, meta.size) or reference.sha256 not in (None, digest.hexdigest()):
            raise _missing(f"the object {name} is not the one that the reference was made for")
        return Document(f"the object {name}", data, kind_of(name, meta.headers))

    async def _meta(self, name: str) -> _Meta | None:
        answer = await self._connection.request(
            f"$JS.API.DIRECT.GET.{self._stream}.{self._meta_subject(name)}", b"", timeout=ANSWER_SECONDS
        )
        headers = answer.headers or {}
        if headers.get("Status") == "404":
            return None
        try:
            told = json.loads(answer.data)
            if told.get("deleted"):
                return None
            return _Meta(
                nuid=str(told["nuid"]),
                size=int(told.get("size") or 0),
                digest=_padded(told),
                headers=told.get("headers") or {},
                revision=int(headers["Nats-Sequence"]),
                at=datetime.fromisoformat(headers["Nats-Time-Stamp"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def _chunk_subject(self, nuid: str) -> str:
        return f"$O.{self._bucket}.C.{nuid}"

    def _meta_subject(self, name: str) -> str:
        return f"$O.{self._bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"


def _padded(told: Mapping[str, object]) -> str:
    """Some clients leave the padding out, and older ones write the name of the hash in lower case."""
    _, _, digest = str(told.get("digest", "")).partition("=")
    return _DIGEST + digest + "=" * (-len(digest) % 4)


def _expiring(kept: timedelta | None) -> dict[str, str] | None:
    return None if kept is None else {"Nats-TTL": f"{max(1, ceil(kept.total_seconds()))}s"}


def _missing(message: str) -> PayloadProblem:
    hint = "it was never put there, was replaced, or has expired: put it there again, or send the content itself"
    return PayloadProblem(Code.DOCUMENT_MISSING, message, hint)


def _refused(error: Mapping[str, object]) -> PayloadProblem:
    if error.get("err_code") in _FULL:
        return PayloadProblem(
            Code.UNAVAILABLE,
            f"the object store for large payloads is full: {error.get('description')}",
            "what is in it expires with its deadline or with `defaults.results_kept`; delete documents, or send less",
        )
    message = f"the object store refused a payload: {error.get('description')}"
    return PayloadProblem(Code.UNAVAILABLE, message, "see the server's log")
