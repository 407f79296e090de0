"""The way out of a connection: what leaves in which packet, and when."""

from __future__ import annotations

import asyncio

from nats.aio.client import Client


class Outgoing(Client):
    """The library's client, which has one callback for a packet where the library has a queue, a future and a task."""

    def __init__(self) -> None:
        super().__init__()
        self._is_alone = False
        self._is_leaving = False

    async def send(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Publish what is alone: it leaves now, where `publish` lets it wait for what else comes in this turn."""
        self._is_alone = True
        try:
            await self.publish(subject, payload, reply, headers)
        finally:
            self._is_alone = False

    def push(self) -> None:
        """What is published leaves now: for the last of several that have nothing else to wait for in this turn."""
        if not self._is_behind:
            self._leave()

    async def _flush_pending(self, force_flush: bool = False) -> None:
        """As the library's, with one callback where that has a queue, a future and a task for each packet.

        What is published in one turn of the loop leaves in one packet. Where the socket takes no more, the library's
        own flusher waits for it, and what is published meanwhile stays within its bound.
        """
        if self._is_leaving and not self._is_alone and not force_flush:
            return
        if force_flush or not self.is_connected or self._is_behind:
            await super()._flush_pending(force_flush)
        elif self._is_alone:
            self._leave()
        else:
            self._is_leaving = True
            asyncio.get_running_loop().call_soon(self._turned)

    def _turned(self) -> None:
        self._is_leaving = False
        self._leave()

    def _leave(self) -> None:
        if self._pending_data_size and self.is_connected and self._transport is not None:
            pending, self._pending, self._pending_data_size = self._pending, [], 0
            self._transport.writelines(pending)

    @property
    def _is_behind(self) -> bool:
        """Whether something is left that the socket did not take, or this cannot be known."""
        writer = getattr(self._transport, "_io_writer", None)
        return writer is None or writer.transport.get_write_buffer_size() > 0
