"""Large contexts and results put away before they are sent, and fetched again before anybody works with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pydantic import JsonValue

from runner.bus.failures import too_large, unfit
from runner.payload import (
    INLINE_BYTES,
    PayloadProblem,
    PayloadsAway,
    PayloadStore,
    Reference,
    encoded,
    is_reference,
    over_limit,
    reference_in,
)
from runner.work import Code, Status, WorkRequest, WorkResponse

GRACE = timedelta(minutes=15)
"""How long an object outlives what it was put away for."""

STORE_PATIENCE = timedelta(seconds=10)
"""How long a caller waits for a store that is away. A finished result waits longer."""

OPEN_PATIENCE = timedelta(seconds=10)
"""How long a result that is there is fetched for, beyond the deadline."""

HEADER_ROOM_BYTES = 1024
"""What the headers of a request may take of the server's limit."""

RETRY_SECONDS = 0.25
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Payloads:
    """`most` is the network's `max_payload`, `server_limit` the most bytes of a message, `inline` those of a value."""

    store: PayloadStore
    most: int
    server_limit: int
    inline: int

    @classmethod
    def over(cls, store: PayloadStore, most: int, server_limit: int) -> Payloads:
        """For a server whose messages may have `server_limit` bytes."""
        return cls(store, most, server_limit, min(INLINE_BYTES, server_limit // 2, most))

    async def body(self, request: WorkRequest) -> bytes | WorkResponse:
        """What is sent, a large context by reference; or the outcome of a request that cannot be."""
        data = b"" if self._is_special(request) else request.encode()
        if not data or len(data) > self.inline:
            try:
                request = await self.packed(request)
            except PayloadProblem as problem:
                return unfit(request, problem.error)
            data = request.encode()
        if len(data) > self.server_limit - HEADER_ROOM_BYTES:
            return too_large(request, len(data), self.server_limit)
        return data

    async def opened(self, response: WorkResponse, request: WorkRequest) -> WorkResponse:
        """A response as its caller gets it, with the result that it refers to."""
        if not _refers(response):
            return response
        return await self.unpacked_response(response, max(request.expires_at, datetime.now(UTC) + OPEN_PATIENCE))

    def _is_special(self, request: WorkRequest) -> bool:
        """Whether a request need not be encoded to know that it must be packed: it is too long, or has a reference."""
        context = request.context
        return len(context) > self.inline if isinstance(context, str) else is_reference(context)

    async def packed(self, request: WorkRequest) -> WorkRequest:
        """The request as it is sent: its context by reference where that is large.

        Raises PayloadProblem, also for a context over the limit, before anything is sent.
        """
        if is_reference(request.context):
            self._reference(request.context)
            return request
        until = datetime.now(UTC) + STORE_PATIENCE
        try:
            kept = request.expires_at - until + GRACE
            context = await self._put_away(request.context, "the context", kept, until, "send less")
        except PayloadsAway:
            message, hint = "the context could not be put away: the server is away", "try again later"
            raise PayloadProblem(Code.UNAVAILABLE, message, hint) from None
        return request if context is request.context else request.model_copy(update={"context": context})

    async def unpacked(self, request: WorkRequest, size: int) -> WorkRequest:
        """A request that came in a message of this size, with its context.

        Raises PayloadProblem; while the store is away, waits until the deadline.
        """
        if not is_reference(request.context):
            if size > self.most and (length := len(encoded(request.context))) > self.most:
                raise over_limit("the context", length, self.most)
            return request
        return request.model_copy(update={"context": await self._fetched(request.context, request.expires_at)})

    def message(self, response: WorkResponse) -> bytes | None:
        """A response as a message, or None where it must be packed."""
        if isinstance(response.result, str) and len(response.result) > self.inline:
            return None
        data = response.encode()
        return data if len(data) <= self.inline else None

    async def packed_response(self, response: WorkResponse, kept: timedelta, patience: timedelta) -> WorkResponse:
        """The response as it is recorded and sent; what is over the limit is its failure.

        The objects are kept for `kept` and a grace. Raises PayloadsAway where the store is away for longer than the
        patience.
        """
        until, kept = datetime.now(UTC) + patience, kept + GRACE
        try:
            result = await self._put_away(response.result, "the result", kept, until)
        except PayloadProblem as problem:
            lost = {"status": Status.FAILED, "result": None, "partial": None, "error": problem.error}
            return response.model_copy(update=lost)
        try:
            partial = await self._put_away(response.partial, "what was finished", kept, until)
        except PayloadProblem:
            partial = None  # the outcome stands without it
        return response.model_copy(update={"result": result, "partial": partial})

    async def unpacked_response(self, response: WorkResponse, until: datetime) -> WorkResponse:
        """The response with its result and partial; a result that is not there any more is a failure."""
        if not _refers(response):
            return response
        try:
            result = await self.value(response.result, until)
        except PayloadProblem as problem:
            code = Code.INVALID_RESPONSE if problem.error.code == Code.INVALID_INPUT else problem.error.code
            error = problem.error.model_copy(update={"code": code, "message": f"the result: {problem.error.message}"})
            return response.model_copy(update={"status": Status.FAILED, "result": None, "error": error})
        try:
            partial = await self.value(response.partial, until)
        except PayloadProblem:
            partial = None
        found = partial if isinstance(partial, dict) else None
        return response.model_copy(update={"result": result, "partial": found})

    async def value(self, value: JsonValue, until: datetime) -> JsonValue:
        """What a value is, wherever it is. Raises PayloadProblem."""
        return await self._fetched(value, until) if is_reference(value) else value

    async def _put_away(
        self, value: JsonValue, what: str, kept: timedelta, until: datetime, mend: str = "return less"
    ) -> JsonValue:
        """The value, or where it is large the reference to it."""
        if value is None or is_reference(value):
            return value
        data = encoded(value)
        if len(data) > self.most:
            raise over_limit(what, len(data), self.most, mend=mend)
        if len(data) <= self.inline:
            return value
        return (await _patiently(lambda: self.store.store_payload(data, kept), until)).told()

    def _reference(self, value: dict[str, JsonValue]) -> Reference:
        reference = reference_in(value)
        if reference.size is not None and reference.size > self.most:
            raise over_limit(f"the object {reference.object}", reference.size, self.most)
        return reference

    async def _fetched(self, value: dict[str, JsonValue], until: datetime) -> JsonValue:
        reference = self._reference(value)
        try:
            document = await _patiently(lambda: self.store.load_payload(reference, self.most), until)
        except PayloadsAway:
            message = f"the object {reference.object} cannot be read: the server is away"
            raise PayloadProblem(Code.UNAVAILABLE, message, "try again later") from None
        if len(document.data) <= INLINE_BYTES:
            return document.value()
        return await asyncio.to_thread(document.value)  # judging a large structure takes its time


def _refers(response: WorkResponse) -> bool:
    """Whether any of it is elsewhere."""
    return is_reference(response.result) or is_reference(response.partial)


async def _patiently(attempt: Callable[[], Awaitable[_T]], until: datetime) -> _T:
    """Again and again while the store is away. Raises PayloadsAway when the time is up."""
    while True:
        try:
            return await attempt()
        except PayloadsAway:
            if datetime.now(UTC) >= until:
                raise
        await asyncio.sleep(RETRY_SECONDS)
