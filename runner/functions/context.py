"""What a user's function may ask for beside its input: the request it works on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from pydantic import JsonValue

from runner.assignment import Assignment, Place, whatever_attempt
from runner.errors import CallFailed
from runner.lineage import turn_of
from runner.work import Code, WorkRequest, child_id

_GRACE = timedelta(seconds=5)
"""How much longer than the deadline a blocked function waits, so that it is the host that tells of the deadline."""


class Context:
    """The request, for a parameter annotated `runner.Context`.

    `call` and `progress` are awaited in an `async` function; in a plain one, which runs in a thread of its own, the
    same methods block and return the value itself.
    """

    __slots__ = ("_assignment", "_calls", "_place")

    def __init__(self, assignment: Assignment, place: Place) -> None:
        self._assignment = assignment
        self._place = place
        self._calls = 0

    @property
    def request(self) -> WorkRequest:
        return self._assignment.request

    @property
    def deadline(self) -> datetime:
        """When the request expires, in UTC."""
        return self._assignment.deadline

    @property
    def log(self) -> logging.Logger:
        return self._assignment.log

    @property
    def idempotency_key(self) -> str:
        """The same for every delivery of this request to this step and every attempt at it, and for nothing else: give
        it to what must happen once."""
        request = self._assignment.request
        place = (*turn_of(request), *whatever_attempt(self._place))
        return child_id(request.caller, request.request_id, "idempotency", *place)

    @property
    def memory(self) -> NoReturn:
        """What outlasts a reload. Raises CallFailed: this version has no memory yet."""
        raise CallFailed("`context.memory` is not supported yet", code=Code.NOT_YET_SUPPORTED)

    def call(self, use: str, text: JsonValue = "") -> Any:
        """Delegate through one of the ensemble's uses and give its result. Raises CallFailed."""
        return self._run(self._assignment.use(use, text, place=self._next_place()))

    def progress(self, message: str, percent: float | None = None) -> Any:
        """Tell whoever waits how far the work is. Percent from 0 to 100."""
        return self._run(self._assignment.progress(message, percent))

    def _next_place(self) -> Place:
        """Calls are numbered in the order they are made, so that a repeat of the work re-joins them."""
        self._calls += 1
        return (*self._place, self._calls)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return work


class BlockingContext(Context):
    """The context of a function that runs in a thread: its methods hop to the event loop and wait there.

    On the loop itself, where what the function left to await may go on, they give something to await.
    """

    __slots__ = ("_abandoned", "_lock", "_loop", "_waiting")

    def __init__(self, assignment: Assignment, place: Place, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(assignment, place)
        self._loop = loop
        self._lock = threading.Lock()
        self._abandoned = False
        self._waiting: set[concurrent.futures.Future[Any]] = set()

    def abandon(self) -> None:
        """Nobody waits for the function any more: end what it waits for, and refuse what it asks for next."""
        with self._lock:
            self._abandoned = True
            waiting = tuple(self._waiting)
        for future in waiting:
            future.cancel()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        with self._lock:
            if self._abandoned:
                work.close()
                raise CallFailed("nobody waits for this request any more", code=Code.CANCELLED)
            if asyncio._get_running_loop() is self._loop:
                return work
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._waiting.add(future)
        try:
            return self._awaited(future)
        finally:
            with self._lock:
                self._waiting.discard(future)

    def _awaited(self, future: concurrent.futures.Future[Any]) -> Any:
        left = (self.deadline + _GRACE - datetime.now(UTC)).total_seconds()
        try:
            return future.result(timeout=max(left, 0))
        except concurrent.futures.CancelledError:
            raise CallFailed("nobody waits for this request any more", code=Code.CANCELLED) from None
        except concurrent.futures.TimeoutError:
            if future.done():
                raise  # the work's own TimeoutError
            future.cancel()
            raise CallFailed("the request's deadline has passed", code=Code.DEADLINE_EXCEEDED) from None
