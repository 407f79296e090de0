"""The tools of one ensemble as a NATS micro service: `nats micro ls`, `info` and `stats` show them.

The library runs a service's handlers one after the other and times only their start; here each request is a task of
the caller's, and the counts that `stats` shows are the real ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from nats.aio.msg import Msg
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, EndpointStats, Service, ServiceConfig

from runner.bus.connection import Connection, drain, settled
from runner.subjects import Subjects, ToolCall, inbox


class Answers(Protocol):
    """Whoever may answer in the ensemble's place, and how often the server was reloaded: odd while it is."""

    @property
    def reloads(self) -> int: ...

    async def answer(self, reply: str, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class ToolMessage:
    """One tool call, verified to come from its caller's own inbox."""

    call: ToolCall
    data: bytes
    _reply: str
    _connection: Connection
    _answers: Answers
    _reloads: int
    _open: set[str]

    @property
    def reply(self) -> str:
        """Where its caller waits for the answer."""
        return self._reply

    def close(self) -> None:
        """It is worked on no more: its answer is sent, or none will be."""
        self._open.discard(self._reply)

    async def respond(self, data: bytes, *, alone: bool) -> None:
        """Send the answer, at once where it is `alone`, else with what others answer in this turn of the loop.

        The server's leave to answer is lost where it is reloaded between the call and the answer.
        """
        if self._reloads != self._answers.reloads or self._reloads & 1:
            await self._answers.answer(self._reply, data)
        elif alone:
            await self._connection.send(self._reply, data)
        else:
            await self._connection.publish(self._reply, data)


@dataclass(slots=True)
class ToolCounts:
    """What `nats micro stats` reports of one tool."""

    requests: int = 0
    errors: int = 0
    nanoseconds: int = 0
    last_error: str = ""

    def count(self, started: float, error: str | None) -> None:
        """One call that began at `started` (perf_counter) ended."""
        self.requests += 1
        self.nanoseconds += int((time.perf_counter() - started) * 1e9)
        if error is not None:
            self.errors += 1
            self.last_error = error


async def _unused(_: Request) -> None:
    """The library wants a handler; calls are handed over before it."""


Handle = Callable[[ToolMessage], None]
"""Must return at once: it starts the work and owns it."""


class ToolService:
    """Endpoints come and go, and no call is lost by it. Without one there is no service."""

    def __init__(
        self, connection: Connection, subjects: Subjects, ensemble: str, version: str, answers: Answers
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._ensemble = ensemble
        self._version = version
        self._answers = answers
        self._service: Service | None = None
        self._handles: dict[str, Handle] = {}
        self._kept: list[tuple[Handle, ToolMessage]] | None = None
        self.counts: dict[str, ToolCounts] = {}
        self._open: set[str] = set()
        self.dropped = 0
        self._is_settled = True

    async def extend(self, tools: Mapping[str, str], handle: Handle, description: str | None) -> None:
        """Serve those of these tools (name → description) as well that are not served yet.

        The server knows of them when this returns.
        """
        service = self._service = self._service or await self._add(description)
        for name in sorted(tools.keys() - self._handles.keys()):
            self._is_settled = False
            self._handles[name] = handle
            self.counts.setdefault(name, ToolCounts())
            await service.add_endpoint(
                EndpointConfig(
                    name=name,
                    subject=self._subjects.tool("*", self._ensemble, name),
                    handler=_unused,
                    metadata={"description": tools[name]},
                )
            )
            self._connection.hand_over(service._endpoints[-1]._subscription, self._take)
        await self._settle()

    async def open(self, addresses: frozenset[str]) -> frozenset[str]:
        """Those of the calls to be answered there that are in hand: what was sent here before is, also unread.

        Raises what `AWAY` lists where the connection is away.
        """
        if not self._connection.is_closed:
            await settled(self._connection)
        return addresses & self._open

    def pause(self) -> None:
        """Calls that come are kept until the next `switch`."""
        self._kept = self._kept or []

    def switch(self, tools: Mapping[str, str], handle: Handle, description: str | None) -> None:
        """From the next call on, and of those that are kept, these tools are handled so; others stay with whoever has
        them."""
        if self._service is not None:
            self._service._description = description or self._ensemble
        self._handles |= dict.fromkeys(self._handles.keys() & tools.keys(), handle)
        for endpoint in self._service._endpoints if self._service else ():
            if endpoint._name in tools:
                endpoint._metadata = {"description": tools[endpoint._name]}
        kept, self._kept = self._kept or (), None
        for before, message in kept:
            self._handles.get(message.call.capability, before)(message)

    async def withdraw(self, kept: Collection[str]) -> None:
        """Serve only these from now on; calls of others that were delivered here have been handed over by then.

        In a queue group the server gives what comes after to other replicas, or says at once that there is nobody.
        (The library's own stop drops what is in flight: 18 of 4,910 calls measured. So each endpoint drains first.)
        """
        service = self._service
        if service is None or self._connection.is_closed:
            return
        for endpoint in [endpoint for endpoint in service._endpoints if endpoint._name not in kept]:
            self._is_settled = False
            service._endpoints.remove(endpoint)
            try:
                await drain(endpoint._subscription)
            finally:
                del self._handles[endpoint._name]
        if not service._endpoints:
            self._service = None
            await service.stop()
        await self._settle()

    async def _settle(self) -> None:
        """The server knows of every endpoint that came or went. Of many services in a change, few have to ask it."""
        if not self._is_settled:
            await settled(self._connection)
            self._is_settled = True

    async def _add(self, description: str | None) -> Service:
        config = ServiceConfig(
            name=self._ensemble,
            version=self._version,
            description=description or self._ensemble,
            metadata={"network": self._subjects.network},
            queue_group=self._ensemble,
            stats_handler=self._stats,
        )
        return await add_service(self._connection, config)

    def _take(self, message: Msg) -> None:
        call = self._subjects.parse_tool(message.subject)
        if call is None or not message.reply.startswith(f"{inbox(call.caller)}."):
            self.dropped += 1  # a reply to somebody else's inbox: the server does not check it, so we do
            return
        answers = self._answers
        handed = ToolMessage(call, message.data, message.reply, self._connection, answers, answers.reloads, self._open)
        self._open.add(message.reply)
        if self._kept is None:
            self._handles[call.capability](handed)
        else:
            self._kept.append((self._handles[call.capability], handed))

    def _stats(self, stats: EndpointStats) -> dict[str, int]:
        """Put the real counts where the library has those of a handler that only starts the work."""
        counts = self.counts[stats.name]
        stats.num_requests, stats.num_errors = counts.requests, counts.errors
        stats.processing_time, stats.last_error = counts.nanoseconds, counts.last_error
        stats.average_processing_time = counts.nanoseconds // max(1, counts.requests)
        return {"dropped": self.dropped}
