"""The server's word that a task is durable: its headers, repeated to whoever does the provider's intake."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from runner.bus.connection import Connection, drain
from runner.subjects import Subjects, TaskCall
from runner.work import REQUEST_ID_PATTERN, TRACEPARENT_PATTERN, TraceContext

TRACEPARENT = "traceparent"
"""The header of a task that carries its trace context, as W3C names it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A task that waits in the queue."""

    call: TaskCall
    request_id: str
    sequence: int
    headers: Mapping[str, str]

    @property
    def caller(self) -> str:
        """Whose request it is, as its message id says: the sender's, unless it was handed off."""
        return named(self.headers)

    @property
    def trace(self) -> TraceContext | None:
        return traced(self.headers)


class Notices:
    """Hears of every task that becomes durable in one ensemble's queue; each notice reaches one replica."""

    def __init__(self, connection: Connection, subjects: Subjects, ensemble: str) -> None:
        self._connection = connection
        self._subjects = subjects
        self._ensemble = ensemble
        self._subscription: Subscription | None = None

    async def open(self, heard: Callable[[Notice], None]) -> None:
        def on_message(message: Msg) -> None:
            if notice := self._parse(message):
                heard(notice)

        self._subscription = await self._connection.subscribe_direct(
            self._subjects.notices_of(self._ensemble), on_message, queue=self._ensemble
        )

    async def close(self) -> None:
        if self._subscription is not None and not self._connection.is_closed:
            await drain(self._subscription)

    def _parse(self, message: Msg) -> Notice | None:
        headers = message.headers or {}
        call = self._subjects.parse_work(message.subject)
        request_id = identified(headers)
        if call is None or request_id is None:
            return None
        return Notice(call, request_id, int(headers["Nats-Sequence"]), headers)


def identified(headers: Mapping[str, str]) -> str | None:
    """The request id that a task's message id says."""
    identity = headers.get("Nats-Msg-Id", "").split(".")
    return identity[1] if len(identity) == 3 and re.fullmatch(REQUEST_ID_PATTERN, identity[1]) else None


def named(headers: Mapping[str, str]) -> str:
    """The caller that a task's message id says. Only a hint: the record decides whose a request is."""
    return headers.get("Nats-Msg-Id", "").partition(".")[0]


def publication(headers: Mapping[str, str]) -> int:
    """Which of the intended publications of a request a task is, as its message id says."""
    last = headers.get("Nats-Msg-Id", "").rpartition(".")[2]
    return int(last) if last.isdecimal() else 0


def traced(headers: Mapping[str, str]) -> TraceContext | None:
    traceparent = headers.get(TRACEPARENT, "")
    return TraceContext(traceparent=traceparent) if re.fullmatch(TRACEPARENT_PATTERN, traceparent) else None
