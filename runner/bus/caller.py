"""Sending requests as one caller, and waiting for what comes back. Ensembles and clients call through this alike.

A reply is a hint; the record is the truth. Whoever waits asks for it when the connection comes back and from time to
time, so that a lost reply costs time and never an answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeout
from pydantic import ValidationError
from pydantic_core import from_json

from runner.bus.away import AWAY
from runner.bus.connection import Connection, ResponderLost, settled
from runner.bus.failures import Rooms, failure, late, lost, no_rooms, nobody, refusal
from runner.bus.notices import TRACEPARENT
from runner.bus.payloads import Payloads
from runner.bus.vigil import Vigil
from runner.bus.waiting import Doubts, Hints, Unclaimed, Waiting
from runner.subjects import Subjects, message_id
from runner.work import (
    Code,
    Standing,
    Status,
    TaskAccepted,
    WorkRequest,
    WorkResponse,
    decode_hint,
)

CLAIM_SECONDS = 5.0
"""After how long somebody who wants to know is told that nobody has claimed the task."""

ASK_SECONDS = 15.0
"""How often a waiting caller asks for the record although nothing went wrong that it knows of."""

UNTOLD_ASK_SECONDS = 1.0
"""How often, where no reply may come: the delivery is, or may be, `none`."""

CALLED_OFF_SECONDS = 1.0
"""How long a caller that calls a running task off waits for what was finished of it."""

PUBLISH_SECONDS = 2.0
PUBLICATIONS = 3
PATIENCE_SECONDS = 10.0
"""A stream's leader may move for up to seven seconds; the message id keeps a repeat from counting twice."""

MOST_ASKED = 3
"""How often a tool that may be called twice is asked, where runner after runner goes away with the call."""

PAUSE_SECONDS = 0.05
"""Before it is published again: with the connection an attempt is lost at once, and with each of several deaths one."""

_log = logging.getLogger("runner.bus")


@dataclass(frozen=True, slots=True)
class Durable:
    """The queue has the task. `repeated`: it had it before, and `response` is the outcome if there is one."""

    response: WorkResponse | None = None
    repeated: bool = False


class Caller:
    """Calls as `name`. `open` before the first call; whoever opened the connection closes it after `close`."""

    def __init__(
        self, connection: Connection, subjects: Subjects, name: str, payloads: Payloads, room: Rooms = no_rooms
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self.name = name
        self.payloads = payloads
        self._room = room
        self._waiting: dict[str, set[Waiting]] = {}
        self._vigil = Vigil(connection, subjects, name)
        self.dropped = 0

    async def open(self) -> None:
        """Listen for replies: to all of this name, since a subscription a request would cost more than it spares."""
        await self._connection.subscribe_direct(self._subjects.replies_to(self.name), self._on_reply)
        await settled(self._connection)

    async def close(self) -> None:
        """Ask for nothing any more by itself."""
        await self._vigil.close()

    def nudge(self) -> None:
        """The connection came back: replies may have been lost, so everybody who waits asks."""
        for asked in self._waiting.values():
            for waiting in asked:
                waiting.look()

    async def tool(
        self, provider: str, capability: str, request: WorkRequest, *, idempotent: bool = False
    ) -> WorkResponse:
        """Call a tool, until the deadline. Every outcome is a WorkResponse; silence fails at once.

        At most once, unless it is `idempotent`: where a runner goes away with the call, another replica is asked.
        """
        subject = self._subjects.tool(self.name, provider, capability)
        body = await self.payloads.body(request)
        if isinstance(body, WorkResponse):
            return body
        self._vigil.begin()
        was_lost = False
        for left in reversed(range(MOST_ASKED if idempotent else 1)):
            try:
                answer = await self._connection.request(subject, body, timeout=max(0.001, _remaining(request)))
                break
            except NoRespondersError:
                return lost(request, provider) if was_lost else nobody(request, provider)
            except (NatsTimeout, TimeoutError):
                hint = "give it a longer deadline, or see what it is doing: `run-network status`"
                return late(request, provider, hint)
            except ResponderLost as loss:
                was_lost = True
                if loss.altogether or not left:
                    return lost(request, provider)
            except ConnectionClosedError:
                return failure(request, Code.UNAVAILABLE, "the connection to the network is closed")
        return await self.payloads.opened(self._checked(answer.data, request, provider), request)

    def give_up(self, is_gone: Callable[[str], bool]) -> None:
        """Let tool calls end whose provider is gone: nothing tells of it but its beats, and no answer will come."""

        def is_lost(subject: str) -> bool:
            call = self._subjects.parse_tool(subject)
            return call is not None and is_gone(call.provider)

        self._connection.give_up(is_lost)

    async def submit(self, provider: str, request: WorkRequest) -> WorkResponse | Durable:
        """Put a task into the provider's queue: it is durable, or why it is not, as its outcome.

        What the server calls a repeat is looked up; where nobody knows of it, its message id was used up by somebody
        else, and it is published under the next one.
        """
        body = await self.payloads.body(request)
        if isinstance(body, WorkResponse):
            return body
        for publication in range(PUBLICATIONS):
            submitted = await self._publish(provider, request, body, publication)
            if isinstance(submitted, WorkResponse) or not submitted.repeated:
                return submitted
            standing = await self.standing(request.request_id)
            if standing is None or standing.status != "UNKNOWN":
                return Durable(standing.response if standing else None, repeated=True)
        return failure(request, Code.UNAVAILABLE, f"the queue of {provider} takes every publication for a repeat")

    async def _publish(
        self, provider: str, request: WorkRequest, body: bytes, publication: int
    ) -> WorkResponse | Durable:
        subject = self._subjects.work(self.name, provider, request.priority, request.task)
        headers = {
            "Nats-Msg-Id": message_id(self.name, request.request_id, publication),
            TRACEPARENT: request.trace_context.traceparent,
        }
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            try:
                answer = await self._connection.request(subject, body, timeout=PUBLISH_SECONDS, headers=headers)
            except NoRespondersError:
                return nobody(request, provider)
            except (NatsTimeout, TimeoutError, OSError):
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            except ConnectionClosedError:
                break
            acknowledged = from_json(answer.data)
            if error := acknowledged.get("error"):
                return refusal(error, request, provider, self._room(provider, request.task))
            return Durable(repeated=acknowledged.get("duplicate", False))
        return failure(
            request,
            Code.UNAVAILABLE,
            f"the queue of {provider} did not acknowledge the task",
            "the server may be down or its disk full; "
            f"it may have been queued all the same: ask with `run-network result {request.request_id}`",
        )

    async def task(
        self,
        provider: str,
        request: WorkRequest,
        hints: Hints | None = None,
        *,
        doubts: Doubts | None = None,
        grace: float = 0.0,
        unclaimed: Unclaimed | None = None,
    ) -> WorkResponse:
        """Submit a task and wait for its outcome until the deadline. Every outcome is a WorkResponse.

        What `doubts` has of the acceptance is settled while the task waits or runs. `grace` is how many seconds after
        the deadline a task that runs may take to say what it finished. `unclaimed` hears, after a few seconds without
        a claim, where the task stands.
        """
        with self._listening(request.request_id, provider, hints, doubts) as waiting:
            waiting.unclaimed = unclaimed
            submitted = await self.submit(provider, request)
            if isinstance(submitted, WorkResponse):
                return submitted
            response = submitted.response or await self._outcome(request, waiting, doubts)
            if response is None and grace:
                response = await self._last_word(request, waiting, grace)
        if response is not None:
            return await self.payloads.opened(response, request)
        return late(request, waiting.providers[-1], _after(request, waiting.standing))

    async def accepted(
        self, provider: str, request: WorkRequest, patience: float
    ) -> TaskAccepted | WorkResponse | Standing:
        """Submit a task and return when it is claimed or has its outcome; after `patience` seconds, where it stands."""
        with self._listening(request.request_id, provider, None, None) as waiting:
            submitted = await self.submit(provider, request)
            if isinstance(submitted, WorkResponse):
                return submitted
            if submitted.response:
                return await self.payloads.opened(submitted.response, request)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await waiting.claimed()
        if waiting.acceptance is None and waiting.response is not None:
            return await self.payloads.opened(waiting.response, request)
        return waiting.acceptance or Standing(request_id=request.request_id, status="PENDING", state="QUEUED")

    async def standing(self, request_id: str, *, caller: str | None = None) -> Standing | None:
        """Where a request stands, or None while no runner answers."""
        subject = self._subjects.result(caller or self.name, request_id)
        try:
            answer = await self._connection.request(subject, b"", timeout=PUBLISH_SECONDS)
            return Standing.model_validate_json(answer.data)
        except AWAY:
            return None
        except ValidationError:
            self._drop("a standing that is none")
            return None

    async def cancel(self, provider: str, request_id: str, *, caller: str | None = None) -> Standing | None:
        """Ask for a request to be cancelled; where it stands afterwards, or None where no runner answers."""
        subject = self._subjects.cancel(caller or self.name, provider, request_id)
        try:
            answer = await self._connection.request(subject, b"", timeout=PUBLISH_SECONDS)
        except AWAY:
            return None
        return Standing.model_validate_json(answer.data)

    async def _outcome(
        self, request: WorkRequest, waiting: Waiting, doubts: Doubts | None = None
    ) -> WorkResponse | None:
        """Wait for the reply; ask for the record after a reconnect, now and then, and when the time is up.

        None where there was no outcome until the deadline.
        """
        loop = asyncio.get_running_loop()
        while (remaining := _remaining(request)) > 0:
            look = loop.call_later(min(remaining, _ask_seconds(request, waiting)), waiting.look)
            try:
                response = await waiting.news()
            finally:
                look.cancel()
            if response is None and doubts and (accepted := waiting.doubted):
                waiting.doubted = None
                if await doubts.settle(accepted):
                    return await self._called_off(request, waiting)
                continue
            if response := response or await self._recorded(request, waiting):
                return response
        return None

    async def _called_off(self, request: WorkRequest, waiting: Waiting) -> WorkResponse:
        """Cancel it. Its own outcome, where that was first."""
        standing = await self.cancel(waiting.providers[-1], request.request_id)
        if standing and standing.response:
            return standing.response
        response = await self._last_word(request, waiting, CALLED_OFF_SECONDS)
        called_off = f"{waiting.providers[-1]}/{request.task} was called off"
        return response or failure(request, Code.CANCELLED, called_off, status=Status.CANCELLED)

    async def _last_word(self, request: WorkRequest, waiting: Waiting, seconds: float) -> WorkResponse | None:
        """What a task that is being stopped says. One that was never started says nothing, and is not waited for."""
        standing = await self.standing(request.request_id)
        if standing is None or standing.response or standing.state in ("QUEUED", "HELD"):
            return standing.response if standing else None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while waiting.response is None:
                    await waiting.news()
        return waiting.response

    async def _recorded(self, request: WorkRequest, waiting: Waiting) -> WorkResponse | None:
        standing = await self.standing(request.request_id)
        if standing is not None:
            waiting.stands(standing)
        return standing.response if standing else None

    @contextmanager
    def _listening(
        self, request_id: str, provider: str, hints: Hints | None, doubts: Doubts | None
    ) -> Iterator[Waiting]:
        waiting = Waiting(provider, hints, doubts)
        others = self._waiting.setdefault(request_id, set())
        others.add(waiting)
        try:
            yield waiting
        finally:
            others.discard(waiting)
            if not others:
                self._waiting.pop(request_id, None)

    def _on_reply(self, message: Msg) -> None:
        reply = self._subjects.parse_reply(message.subject)
        asked = self._waiting.get(reply.request_id, set()) if reply else set()
        if reply is None or not asked:
            return  # late, or for somebody else of this name
        waiting = [one for one in asked if reply.provider in one.providers]  # only who was asked may answer
        for one in asked.difference(waiting):
            one.meet(reply.provider)
        if not waiting:
            return
        try:
            hint = decode_hint(message.data)
        except ValidationError:
            self._drop(f"garbage on {message.subject}")
            return
        if hint.request_id != reply.request_id:
            self._drop(f"an answer to another request on {message.subject}")
            return
        for one in waiting:
            one.take(hint)

    def _checked(self, data: bytes, request: WorkRequest, provider: str) -> WorkResponse:
        try:
            response = WorkResponse.model_validate_json(data)
        except ValidationError:
            response = None
        if response is None or response.request_id != request.request_id:
            self._drop(f"a wrong answer of {provider}/{request.task}")
            return failure(
                request, Code.INVALID_RESPONSE, f"{provider}/{request.task} answered something that is no response"
            )
        return response

    def _drop(self, what: str) -> None:
        self.dropped += 1
        _log.warning("%s: dropped %s", self.name, what)


def _ask_seconds(request: WorkRequest, waiting: Waiting) -> float:
    if request.delivery is not None and request.delivery.method in ("none", "named"):
        return UNTOLD_ASK_SECONDS
    return CLAIM_SECONDS if waiting.wants_to_know else ASK_SECONDS


def _after(request: WorkRequest, standing: Standing | None) -> str:
    """What there is to do after the deadline."""
    if standing is not None and standing.state == "HELD":
        return "nobody was up to take it, and nobody will: see who is up with `run-network status`, and ask again"
    return f"it may still complete: ask with `run-network result {request.request_id}`"


def _remaining(request: WorkRequest) -> float:
    return (request.expires_at - datetime.now(UTC)).total_seconds()
