"""The line between a runner and an ensemble's process: questions and answers in both directions, side by side.

It is a pair of connected sockets, so that whoever is left knows at once when the other has gone, and nothing of it
passes through the server. Whoever sends more than the other reads, waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from runner.endings import ended
from runner.host.process.failures import raised, told
from runner.host.process.frames import Frame, Frames, Garbled, Kind

AT_ONCE = 1024
"""How many questions of the other end are worked on side by side; then no more are read."""

BYTES_AT_ONCE = 128 * 1024 * 1024
"""How many bytes they may have brought together before no more are read."""

CLOSE_SECONDS = 5.0
CANCEL_SECONDS = 1.0
_log = logging.getLogger("runner.host")
_A = TypeVar("_A")


class LineLost(ConnectionError):
    """Whoever was at the other end has gone."""


@dataclass(frozen=True, slots=True)
class Call(Generic[_A]):
    """One thing that may be asked, or told, over a line. `arguments` is a tuple, `answer` what comes back."""

    name: str
    arguments: TypeAdapter[Any]
    answer: TypeAdapter[_A]


Worked = Callable[..., Awaitable[Any]]
Heard = Callable[..., None]


def nobody_minds() -> None:
    """What a lost line means to one who expects it."""


class Line(asyncio.Protocol):
    """One end. `lost` is called once, when the other has gone; `most` bounds what one frame of it may have."""

    def __init__(self, *, most: int, lost: Callable[[], None] = nobody_minds) -> None:
        self.lost = lost
        self._frames = Frames(most)
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, asyncio.Future[Frame]] = {}
        self._answers: dict[bytes, tuple[Call[Any], Worked, bool]] = {}
        self._hears: dict[bytes, tuple[Call[Any], Heard, bool]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._weight = 0
        self._number = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self.heard_at = 0.0
        self.is_open = False

    def answer(self, call: Call[Any], work: Worked) -> None:
        """Answer a question by what `work` makes of its arguments."""
        self._answers[call.name.encode()] = (call, work, False)

    def answer_bytes(self, call: Call[Any], work: Worked) -> None:
        """The same, where `work` takes the body after the arguments, and gives the answer and a body."""
        self._answers[call.name.encode()] = (call, work, True)

    def hear(self, call: Call[None], heard: Heard) -> None:
        """What is told of this goes to `heard`, which must not wait."""
        self._hears[call.name.encode()] = (call, heard, False)

    def hear_bytes(self, call: Call[None], heard: Heard) -> None:
        """The same, where `heard` takes the body after the arguments."""
        self._hears[call.name.encode()] = (call, heard, True)

    async def ask(self, call: Call[_A], *arguments: object, seconds: float) -> _A:
        """The answer, within so many seconds. Raises LineLost, TimeoutError, and what `failures` tells of."""
        return (await self.ask_bytes(call, *arguments, seconds=seconds))[0]

    async def ask_bytes(
        self, call: Call[_A], *arguments: object, body: bytes = b"", seconds: float
    ) -> tuple[_A, bytes]:
        """The same with a body, in both directions."""
        self._number = number = self._number + 1
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        timer = asyncio.get_running_loop().call_later(seconds, _late, answer, call.name)
        try:
            if not self._writable.is_set():
                await self._wait_writable(answer)
            self._send(Frame(Kind.ASK, number, _question(call, arguments), body))
            frame = await answer
        finally:
            timer.cancel()
            del self._asked[number]
        if frame.kind is Kind.FAIL:
            raise raised(frame.text)
        return call.answer.validate_json(frame.text), frame.body

    def tell(self, call: Call[None], *arguments: object, body: bytes = b"") -> None:
        """Say something that needs no answer. Nobody hears it where the other end has gone."""
        if self.is_open:
            self._send(Frame(Kind.TELL, 0, _question(call, arguments), body))

    @property
    def is_full(self) -> bool:
        """Whether the other end does not read as fast as this one writes."""
        return not self._writable.is_set()

    def cut(self) -> None:
        """End it, whatever is still on its way."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """End it. What the other end asked is worked on to its end, within a bound."""
        if self._work:
            _, late = await asyncio.wait(tuple(self._work), timeout=CLOSE_SECONDS)
            await ended(*late, within=CANCEL_SECONDS)
        if self._transport is not None:
            self._transport.close()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        self.heard_at = asyncio.get_running_loop().time()

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        self._writable.set()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(LineLost("the other end of the line has gone"))
                answer.exception()
        self.lost()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        try:
            for frame in self._frames.fed(data):
                self._take(frame)
        except (Garbled, ValidationError, KeyError, ValueError) as problem:
            _log.warning("a line is cut: %r", problem)
            if self._transport is not None:
                self._transport.abort()

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.ASK:
            task, weight = asyncio.ensure_future(self._worked(frame)), len(frame.body)
            self._work.add(task)
            self._weight += weight
            task.add_done_callback(lambda task: self._done(task, weight))
            if self._has_enough and self._transport is not None:
                self._transport.pause_reading()
        elif frame.kind is Kind.TELL:
            verb, arguments = _parts(frame)
            call, heard, has_body = self._hears[verb]
            given = call.arguments.validate_json(arguments)
            heard(*given, frame.body) if has_body else heard(*given)
        elif (answer := self._asked.get(frame.number)) is not None and not answer.done():
            answer.set_result(frame)

    @property
    def _has_enough(self) -> bool:
        return len(self._work) > AT_ONCE or self._weight > BYTES_AT_ONCE

    def _done(self, task: asyncio.Task[None], weight: int) -> None:
        had_enough = self._has_enough
        self._work.discard(task)
        self._weight -= weight
        if had_enough and not self._has_enough and self._transport is not None and self.is_open:
            self._transport.resume_reading()

    async def _worked(self, frame: Frame) -> None:
        """The door of one question: whatever it comes to, it is answered."""
        try:
            verb, given = _parts(frame)
            call, work, has_body = self._answers[verb]
            arguments = call.arguments.validate_json(given)
            found = await work(*arguments, frame.body) if has_body else (await work(*arguments), b"")
            answer = Frame(Kind.ANSWER, frame.number, call.answer.dump_json(found[0], by_alias=True), found[1])
        except Exception as problem:  # noqa: BLE001 - one question: what nobody expects is logged, and told as broken
            text = told(problem)
            if text is None:
                _log.exception("a question over a line broke")
            answer = Frame(Kind.FAIL, frame.number, text or b"{}")
        if self.is_open:
            await self._writable.wait()
            self._send(answer)

    async def _wait_writable(self, answer: asyncio.Future[Frame]) -> None:
        """Until the other end has read, or the answer has failed meanwhile."""
        waiting = asyncio.ensure_future(self._writable.wait())
        try:
            await asyncio.wait((waiting, answer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(waiting)

    def _send(self, frame: Frame) -> None:
        if self._transport is None or not self.is_open:
            raise LineLost("the other end of the line has gone")
        self._transport.write(frame.encode())


def _question(call: Call[Any], arguments: tuple[object, ...]) -> bytes:
    return call.name.encode() + b"\n" + call.arguments.dump_json(arguments, by_alias=True)


def _parts(frame: Frame) -> tuple[bytes, bytes]:
    verb, _, arguments = frame.text.partition(b"\n")
    return verb, arguments


def _late(answer: asyncio.Future[Frame], name: str) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError(f"no answer to `{name}`"))
