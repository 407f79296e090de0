"""The bucket `applied`: what the network runs, what it ran before, and the files of both.

`current` is the record in force, written by compare-and-set. `gen.N` repeats the record of each of the last
generations. `proposal` is what somebody is about to put in force, empty when nobody is. `blob.SHA` is the content of a
file; a large one is an object among the payloads, and `large.SHA` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from runner.applied import Applied, Proposal
from runner.bundle import Bundle, Bundled, digest
from runner.bus.away import AWAY
from runner.bus.connection import Connection
from runner.bus.objects import Objects
from runner.bus.records import Bucket, Stamp
from runner.errors import ServerFailed
from runner.payload import Kind, PayloadProblem, PayloadsAway, Reference
from runner.subjects import Subjects
from runner.workspace import MAX_FILE_BYTES

CURRENT = "current"
PROPOSAL = "proposal"
KEPT = 50
"""Generations that stay in the history, with their files."""

BLOB_BYTES = 512 * 1024
RECORD_ROOM_BYTES = 4096
AT_ONCE = 64
_T = TypeVar("_T")
UNCLAIMED = timedelta(minutes=10)
"""Files that nothing refers to stay for so long: somebody may be about to apply them."""


class Bundles:
    """Methods raise ServerFailed where the store refuses, and what `runner.bus.away` lists while it is away."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._bucket = Bucket(connection, subjects.bucket("applied"))
        self._objects = Objects(connection, subjects.bucket("payloads"))

    async def current(self) -> tuple[Applied | None, int]:
        """The record in force and its revision, 0 where nothing was ever applied."""
        entry = await self._bucket.get(CURRENT)
        return (_record(entry.value), entry.revision) if entry else (None, 0)

    async def put_away(self, bundled: Bundled, before: Applied | None) -> None:
        """What is needed to put this bundle in force after `before`: its files, and the history up to here.

        The files of `before` stay where they are.
        """
        present = frozenset(before.bundle.files.values()) if before else frozenset()
        missing = {sha: data for sha, data in sorted(bundled.blobs.items()) if sha not in present}
        if before is not None:
            await self._remember(before)
        await _side_by_side(lambda sha: self._put_blob(sha, missing[sha]), missing)

    async def commit(self, applied: Applied, revision: int) -> bool:
        """Put a record in force in place of the one at `revision`. False: somebody else was first.

        `put_away` was done. Half of it is nothing: until the one write that counts, the record before is in force.
        """
        record = applied.encode()
        if len(record) > self._connection.max_payload - RECORD_ROOM_BYTES:
            count = len(applied.bundle.files)
            raise ServerFailed(f"the network has too many files to apply: {count:,}", hint="put ensembles together")
        if await self._bucket.put_if(CURRENT, record, revision) is None:
            return False
        with suppress(ServerFailed, *AWAY):  # whoever applies the next mends the history
            await self._remember(applied)
        return True

    async def history(self) -> tuple[Applied, ...]:
        """The generations that are kept, oldest first, the one in force last."""
        found = {record.generation: record async for record in self._remembered()}
        current, _ = await self.current()
        if current is None:
            return ()
        found[current.generation] = current
        return tuple(record for number, record in sorted(found.items()) if number <= current.generation)

    async def generation(self, number: int) -> Applied | None:
        """The record of one generation, or None where it is not kept."""
        current, _ = await self.current()
        if current is None or current.generation <= number:
            return current if current is not None and current.generation == number else None
        entry = await self._bucket.get(f"gen.{number}")
        return _record(entry.value) if entry else None

    async def load(self, bundle: Bundle, own: Mapping[str, bytes] | None = None) -> Bundled:
        """A bundle with its files; those in `own`, by SHA-256, are not asked for."""
        blobs = {sha: data for sha in bundle.files.values() if (data := (own or {}).get(sha)) is not None}
        paths = {sha: path for path, sha in bundle.files.items() if sha not in blobs}

        async def fetch(sha: str) -> None:
            blobs[sha] = await self._blob(sha, paths[sha])

        await _side_by_side(fetch, paths)
        return Bundled(bundle, blobs)

    async def watch(self, heard: Callable[[], None]) -> None:
        """Tell that somebody has put a record in force, from now on: it is there to be read.

        Not whoever died between that and its history, so look from time to time as well.
        """

        def on_write(*_: object) -> None:
            heard()

        await self._bucket.listen(on_write, "gen.*")

    async def claim(self, proposal: Proposal, is_void: Callable[[Proposal], bool]) -> Proposal | int:
        """Be the only one who proposes: the revision to `release` with, or whose proposal stands."""
        entry = await self._bucket.get(PROPOSAL)
        if entry is not None and entry.value:
            other = Proposal.model_validate_json(entry.value)
            if other.id == proposal.id:  # by an attempt whose answer was lost
                return entry.revision
            if not is_void(other):
                return other
        revision = await self._bucket.put_if(PROPOSAL, proposal.encode(), entry.revision if entry else 0)
        return revision if revision is not None else await self.claim(proposal, is_void)

    async def release(self, revision: int) -> None:
        """Nothing is proposed any more, unless somebody else does already."""
        await self._bucket.put_if(PROPOSAL, b"", revision)

    async def tidy(self) -> None:
        """Forget generations beyond those that are kept, and files that nothing kept refers to."""
        current, _ = await self.current()
        if current is None:
            return
        for record in [record async for record in self._remembered()]:
            if record.generation <= current.generation - KEPT:
                await self._bucket.purge(f"gen.{record.generation}")
        wanted = {sha for record in await self.history() for sha in record.bundle.files.values()}
        written = await self._bucket.stamp(CURRENT)
        for key in [key for key in await self._bucket.keys() if key.startswith(("blob.", "large."))]:
            sha = key.partition(".")[2]
            stamp = await self._bucket.stamp(key) if sha not in wanted else None
            if stamp is not None and written is not None and stamp.at < written.at - UNCLAIMED:
                await self._drop(key, stamp, written.at - UNCLAIMED)

    async def _drop(self, key: str, stamp: Stamp, before: datetime) -> None:
        """Unless somebody has put it there again in the meantime, or is just doing so."""
        if key.startswith("large."):
            deleted = await self._answered(self._objects.delete(_object(key.partition(".")[2]), before=before))
            if not deleted:
                return
        await self._bucket.purge(key, up_to=stamp.revision)

    async def _remember(self, applied: Applied) -> None:
        """Of each generation one record: whoever put it in force may have died before it was kept."""
        await self._bucket.put_if(f"gen.{applied.generation}", applied.encode(), 0)

    async def _remembered(self) -> AsyncIterator[Applied]:
        async for entry in self._bucket.entries("gen.*"):
            yield _record(entry.value)

    async def _put_blob(self, sha: str, data: bytes) -> None:
        if len(data) <= BLOB_BYTES:
            await self._bucket.put(f"blob.{sha}", data)
            return
        putting = self._objects.put(_object(sha), data, kind=Kind.UNSAID, kept=None, replace=True)
        await self._answered(putting)
        await self._bucket.put(f"large.{sha}", b"")

    async def _blob(self, sha: str, path: str) -> bytes:
        entry = await self._bucket.get(f"blob.{sha}")
        if entry is not None:
            data = entry.value
        else:
            wanted = Reference(object=_object(sha), sha256=sha)
            data = bytes((await self._answered(self._objects.load_payload(wanted, MAX_FILE_BYTES))).data)
        if digest(data) != sha:
            raise ServerFailed(f"the applied `{path}` is not what it was when it was applied")
        return data

    async def _answered(self, asking: Awaitable[_T]) -> _T:
        """What the object store answers, failing as this class says."""
        try:
            return await asking
        except PayloadsAway as away:
            raise TimeoutError(str(away)) from away
        except PayloadProblem as problem:
            raise ServerFailed(problem.error.message, hint=problem.error.hint) from problem


def _object(sha: str) -> str:
    return f"applied.{sha}"


def _record(data: bytes) -> Applied:
    try:
        return Applied.model_validate_json(data)
    except ValidationError as problem:
        raise ServerFailed("the record of what is applied cannot be read") from problem


async def _side_by_side(work: Callable[[str], Awaitable[None]], items: Iterable[str]) -> None:
    """A few at a time; the first that fails is raised once none is at work any more."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: str) -> None:
        async with gate:
            await work(item)

    outcomes = await asyncio.gather(*map(one, items), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
