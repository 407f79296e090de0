"""How one ensemble is linked to the network: a connection of its own, and what it calls and tells over that."""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger

from runner.bus.caller import Caller
from runner.bus.connection import Connection, connect, left, settled
from runner.bus.events import Events
from runner.bus.failures import Rooms
from runner.bus.payloads import Payloads
from runner.host.desk import Desk
from runner.host.losses import give_up_soon
from runner.host.quietly import quietly
from runner.subjects import Subjects


class Link:
    """Of the ensemble `name`, opened once. `close` ends whatever of it came up.

    `room` tells what is known of a provider's queue; `reconnected` is called whenever the connection came back.
    """

    def __init__(self, name: str, desk: Desk, log: Logger, room: Rooms, reconnected: Callable[[], None]) -> None:
        self._name = name
        self._desk = desk
        self._log = log
        self._room = room
        self._reconnected = reconnected
        self._connection: Connection | None = None
        self._caller: Caller | None = None
        self._events: Events | None = None

    @property
    def connection(self) -> Connection:
        """Once it is open; so are the others."""
        assert self._connection is not None
        return self._connection

    @property
    def caller(self) -> Caller:
        assert self._caller is not None
        return self._caller

    @property
    def events(self) -> Events:
        assert self._events is not None
        return self._events

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_connected

    @property
    def client(self) -> int | None:
        """The server's number for the connection; None while there is none."""
        return self.connection.client_id if self.is_connected else None

    async def open(self, urls: tuple[str, ...], credentials: str | None, subjects: Subjects, max_payload: int) -> None:
        """Connected, and answers to its calls are heard. `max_payload` is the network's. Raises ServerFailed."""
        self._connection = await connect(
            urls, caller=self._name, credentials=credentials, on_reconnect=self._on_reconnect
        )
        payloads = Payloads.over(self._desk, max_payload, self._connection.max_payload)
        self._caller = Caller(self._connection, subjects, self._name, payloads, self._room)
        await self._caller.open()
        self._events = Events(self._connection, subjects)

    async def settled(self) -> None:
        """The server has seen what was sent to it, and what it delivered before is here. Raises what `AWAY` lists."""
        await settled(self.connection)

    def see_change(self) -> None:
        """Runners came or went: calls in the hands of those who are gone end."""
        if self._caller is not None:
            give_up_soon(self._caller, self._desk)

    async def close(self) -> None:
        """It asks for nothing more, what it had to tell is sent, and the connection is closed. A server that is away
        is not waited for for long."""
        if self._caller is not None and self._events is not None:
            await self._caller.close()
            await quietly(self._events.close(), self._log)
        if self._connection is not None:
            await quietly(left(self._connection), self._log)

    async def _on_reconnect(self) -> None:
        if self._caller is not None:
            self._caller.nudge()
        self._reconnected()
