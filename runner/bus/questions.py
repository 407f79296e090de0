"""Questions that any runner answers: core request–reply, one handler a subject."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from runner.bus.connection import Connection, settled
from runner.endings import ended
from runner.subjects import Subjects

SHARES = (0.1, 0.2, 0.7)
"""A question is asked so many times, each with this part of its time."""

PAUSE_SECONDS = 0.05
_log = logging.getLogger("runner.bus")

Answer = Callable[[str, bytes], Awaitable[bytes | None]]
"""(subject, body) → what to answer, or None for silence."""


class Questions:
    """Answers on a connection until `close`. Each question is a task of its own, owned here."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, subject: str, answer: Answer, *, queue: str = "") -> None:
        """Answer what comes on a subject; with `queue`, one of those who share it does."""

        async def on_message(message: Msg) -> None:
            if message.reply and not self._subjects.may_answer_to(message.subject, message.reply):
                _log.warning("dropped a question on %s that asks for an answer elsewhere", message.subject)
                return
            task = asyncio.ensure_future(self._reply(message, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        await self._connection.subscribe(subject, queue=queue, cb=on_message)

    async def ask(self, subject: str, body: bytes = b"", seconds: float = 1.0) -> bytes | None:
        """The first answer, or None where nobody gives one within the bound.

        A question may be lost with a connection that breaks, so that it is asked again; after that, nobody to ask is
        somebody who has yet to come back.
        """
        began = time.monotonic()
        for share in SHARES:
            ends = time.monotonic() + share * seconds
            while (left := ends - time.monotonic()) > 0:
                try:
                    return (await self._connection.request(subject, body, timeout=left)).data
                except NatsTimeout:
                    break
                except NoRespondersError:
                    if not self._connection.is_fresh and not self._connection.came_back_since(began):
                        return None
                    await asyncio.sleep(PAUSE_SECONDS)
        return None

    async def is_anybody(self, subject: str, seconds: float) -> bool:
        """False where nobody listens; whoever does need not answer within the bound."""
        try:
            await self._connection.request(subject, timeout=seconds)
        except NoRespondersError:
            return False
        except NatsTimeout:
            return True
        return True

    async def ready(self) -> None:
        await settled(self._connection)

    async def close(self) -> None:
        await ended(*self._tasks)

    async def _reply(self, message: Msg, answer: Answer) -> None:
        try:
            data = await answer(message.subject, message.data)
            if data is not None and message.reply and not self._connection.is_closed:
                await self._connection.publish(message.reply, data)
        except Exception:  # noqa: BLE001 - one piece of work: log it, and let the asker's bound end the question
            _log.exception("no answer on %s", message.subject)
