"""Putting a request into a queue in somebody else's name: only a runner's own connection may."""

from __future__ import annotations

import asyncio
import json
import time

from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from runner.bus.connection import Connection
from runner.bus.failures import nobody, refusal
from runner.bus.notices import TRACEPARENT
from runner.subjects import Subjects, message_id
from runner.work import WorkError, WorkRequest

PUBLISH_SECONDS = 2.0
PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.05


class Requeue:
    """Publishes with the runner's own connection."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects

    async def put(
        self, request: WorkRequest, provider: str, *, sender: str | None = None, publication: int = 0
    ) -> WorkError | None:
        """The request is durable with the provider when this returns None; else why it is not.

        `sender` is whom the subject says it is from, which is the request's own caller unless it was handed off. The
        same `publication` again is swallowed by the server. Raises nats.errors.TimeoutError while the server is away.
        """
        subject = self._subjects.work(sender or request.caller, provider, request.priority, request.task)
        headers = {
            "Nats-Msg-Id": message_id(request.caller, request.request_id, publication),
            TRACEPARENT: request.trace_context.traceparent,
        }
        body = request.encode()
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            try:
                answer = await self._connection.request(subject, body, timeout=PUBLISH_SECONDS, headers=headers)
            except NoRespondersError:
                return nobody(request, provider).error
            except (NatsTimeout, TimeoutError):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            error = json.loads(answer.data).get("error")
            return refusal(error, request, provider).error if error else None
        raise NatsTimeout
