"""Whether a key can be in a bucket at all, known without asking the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nats.aio.msg import Msg

from runner.bus.away import AWAY
from runner.bus.connection import Connection, settled
from runner.bus.keyset import KeySet
from runner.bus.records import Bucket
from runner.endings import ended

RETRY_SECONDS = 1.0

Heard = Callable[[str, bytes], None]
"""(key, value)."""


class KnownKeys:
    """Hears of every write to a bucket, whoever makes it. Until all that was there before is known, anything may be."""

    def __init__(self, connection: Connection, bucket: Bucket) -> None:
        self._connection = connection
        self._bucket = bucket
        self._keys = KeySet()
        self._complete = False
        self._loading: set[asyncio.Task[None]] = set()
        self._told: list[Heard] = []

    def tell(self, heard: Heard) -> None:
        """Call this, from now on, for each write that somebody else makes or tries."""
        self._told.append(heard)

    async def open(self) -> None:
        async def on_message(message: Msg) -> None:
            key = self._bucket.key_of(message.subject)
            self.add(key)
            for heard in self._told:
                heard(key, message.data)

        await self._connection.subscribe(self._bucket.subject(">"), cb=on_message)
        await settled(self._connection)
        self.reload()

    def reload(self) -> None:
        """Writes may have gone unheard: until they are known again, anything may be there."""
        self._complete = False
        for loading in self._loading:
            loading.cancel()
        loading = asyncio.ensure_future(self._load())
        self._loading.add(loading)
        loading.add_done_callback(self._loading.discard)

    async def close(self) -> None:
        await ended(*self._loading)

    def add(self, key: str) -> None:
        self._keys.add(key)

    def may_hold(self, key: str) -> bool:
        return not self._complete or self._keys.may_hold(key)

    async def _load(self) -> None:
        while not self._complete:
            try:
                async for entry in self._bucket.entries():
                    self._keys.add(entry.key)
                self._complete = True
            except AWAY:
                await asyncio.sleep(RETRY_SECONDS)
