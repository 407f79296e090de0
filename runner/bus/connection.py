"""Connections to the NATS server: each user with its own key and inbox, reconnecting for ever."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from nats.aio.client import RawCredentials
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import (
    Error,
    FlushTimeoutError,
    MaxPayloadError,
    NoRespondersError,
    StaleConnectionError,
    UnexpectedEOF,
)
from nats.errors import TimeoutError as NatsTimeout

from runner.bus.outgoing import Outgoing
from runner.endings import ended
from runner.errors import ServerFailed
from runner.subjects import answered_by_server, inbox

SCHEMES = ("nats", "tls", "ws", "wss")
TOKEN_BYTES, TOKENS_DRAWN = 8, 256
CONNECT_SECONDS = 5.0
RECONNECT_SECONDS = 0.1
FRESH_SECONDS = 2.0
FLUSH_SECONDS = 10
BLINKS = (0.001, 0.004, 0.016, 0.064, 0.25, 0.5, 0.5)
"""Seconds between attempts to reach the server's own API. While the server reads its configuration again nobody answers
there for a moment, longer on a machine that is busy: of requests without a pause 5 % met that, and nothing has heard
them."""

API = "$JS.API."
PENDING_BYTES = 64 * 1024 * 1024
_log = logging.getLogger("runner.bus")


class ResponderLost(Exception):
    """Whoever was asked has died, and will not answer. `altogether`: and nobody is there who could in its place."""

    def __init__(self, *, altogether: bool) -> None:
        super().__init__()
        self.altogether = altogether


class Connection(Outgoing):
    """The library's client with a cheaper request: the path that every call takes twice over."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, tuple[str, asyncio.Future[Msg]]] = {}
        self._answers = ""
        self._direct: dict[int, Callable[[Msg], None]] = {}
        self._chance: list[str] = []
        self._came_back: float | None = None
        self._is_lost = False

    @property
    def is_fresh(self) -> bool:
        """Whether it was lost and has just come back, or is about to: others may have yet to.

        What was asked meanwhile is sent, and may be answered, before the library says that the connection is back.
        """
        if self._is_lost:
            return True
        return self._came_back is not None and time.monotonic() - self._came_back < FRESH_SECONDS

    @property
    def server_id(self) -> str | None:
        """The id that the server gave itself when it started."""
        found = self._server_info.get("server_id")
        return str(found) if found else None

    def came_back_since(self, moment: float) -> bool:
        """Whether it was lost and has come back since then, by the monotonic clock."""
        return self._came_back is not None and self._came_back > moment

    def came_back(self) -> None:
        self._is_lost = False
        self._came_back = time.monotonic()

    def lost(self) -> None:
        """What the server was to answer, it will not any more: whoever waits for that need not wait out the time."""
        self._is_lost = True
        for subject, answer in self._asked.values():
            if answered_by_server(subject):
                _late(answer)
        for pong in self._pongs:
            if not pong.done():
                pong.set_exception(FlushTimeoutError())
                pong.exception()  # nobody waits for the library's own

    async def flush(self, timeout: int = FLUSH_SECONDS) -> None:
        """As the library's, which may lose a cancellation: `runner.endings` says why.

        It raises at once where the connection is lost, since no answer ever comes then.
        """
        if not self.is_connected:
            raise FlushTimeoutError
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self._send_ping(pong)
        await asyncio.wait((pong,), timeout=timeout)
        if not pong.done():
            raise FlushTimeoutError
        pong.result()

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,
        old_style: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Msg:
        """As the library's, and raising the same; `old_style` is not offered.

        One timer bounds the wait, where the library wraps it in a task's machinery: 30 to 40 µs a request.
        """
        try:
            return await self._request(subject, payload, timeout, headers)
        except NoRespondersError:
            if not subject.startswith(API):
                raise
        for pause in BLINKS:
            await asyncio.sleep(pause)
            with suppress(NoRespondersError):
                return await self._request(subject, payload, timeout, headers)
        raise NoRespondersError

    async def _request(self, subject: str, payload: bytes, timeout: float, headers: dict[str, str] | None) -> Msg:
        if headers and len(payload) + _size(headers) > self.max_payload:
            raise MaxPayloadError  # the library counts the payload alone, and the server would close the connection
        if not self._answers:
            await self._listen()
        token = self._token()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Msg] = loop.create_future()
        self._asked[token] = (subject, answer)
        timer = loop.call_later(timeout, _late, answer)
        try:
            publish = self.send if len(self._asked) == 1 else self.publish
            await publish(subject, payload, reply=self._answers + token, headers=headers)
            message: Msg = await answer
        finally:
            timer.cancel()
            del self._asked[token]
        if message.headers and message.headers.get("Status") == "503":
            raise NoRespondersError
        return message

    def give_up(self, is_lost: Callable[[str], bool]) -> None:
        """Let every request fail with `ResponderLost` that waits on a subject from which no answer will come."""
        for subject, answer in self._asked.values():
            if not answer.done() and is_lost(subject):
                answer.set_exception(ResponderLost(altogether=True))

    @property
    def answers(self) -> str:
        """With what the address of each answer begins; its token follows."""
        return self._answers

    def asked(self) -> list[tuple[str, str]]:
        """The token and the subject of every request that waits for its answer."""
        return [(token, subject) for token, (subject, answer) in self._asked.items() if not answer.done()]

    def lose(self, tokens: Iterable[str]) -> None:
        """Let these requests fail with `ResponderLost`, where they still wait."""
        for token in tokens:
            if (found := self._asked.get(token)) is not None and not found[1].done():
                found[1].set_exception(ResponderLost(altogether=False))

    async def close(self) -> None:
        """As the library's; a server that went first is no error."""
        with suppress(OSError):
            await super().close()

    def _token(self) -> str:
        """A name for one answer that nobody can guess, from chance drawn for many at a time."""
        if not self._chance:
            drawn = token_hex(TOKEN_BYTES * TOKENS_DRAWN)
            self._chance = [drawn[at : at + 2 * TOKEN_BYTES] for at in range(0, len(drawn), 2 * TOKEN_BYTES)]
        return self._chance.pop()

    async def subscribe_direct(self, subject: str, take: Callable[[Msg], None], *, queue: str = "") -> Subscription:
        """Subscribe and hand over in one."""
        subscription = await self.subscribe(subject, queue=queue, cb=_nobody)
        self.hand_over(subscription, take)
        return subscription

    def hand_over(self, subscription: Subscription, take: Callable[[Msg], None]) -> None:
        """Give what arrives on a subscription to `take` as it is read, past the library's queue and task for each.

        `take` must not wait; what it raises is logged. The turn of the event loop that this spares is a tenth of a
        call.
        """
        self._direct[subscription._id] = take

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        take = self._direct.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        elif sid in self._subs:
            message = self._build_message(sid, subject, reply, data, await self._process_headers(headers))
            try:
                take(message)
            except Exception:  # noqa: BLE001 - one message: it must not take the connection down with it
                _log.exception("a message on %s could not be taken", message.subject)

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """As the library's, which looks at each letter of a name by itself: eight headers take 3 µs in place of 8."""
        headers: dict[str, str] = {}
        for line in raw.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            name = name.strip()
            if colon and name.isascii() and len(name.split()) == 1:
                headers[name.decode()] = value.strip().decode("utf-8", "replace")
        return headers

    async def _process_pong(self) -> None:
        """As the library's, which would stop reading for good where whoever flushed was cancelled meanwhile."""
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._direct.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _listen(self) -> None:
        self._answers = f"{self.new_inbox()}."
        await self.subscribe_direct(f"{self._answers}*", self._on_answer)

    def _on_answer(self, message: Msg) -> None:
        asked = self._asked.get(message.subject.rpartition(".")[2])
        if asked is not None and not asked[1].done():
            asked[1].set_result(message)


def _size(headers: Mapping[str, str]) -> int:
    return sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers) + 14


async def _nobody(_: Msg) -> None:
    """What a subscription calls that is handed over: nothing comes here."""


def _late(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(NatsTimeout())


async def connect(
    urls: Sequence[str],
    *,
    caller: str,
    credentials: str | None,
    on_reconnect: Callable[[], Awaitable[None]] | None = None,
    echo: bool = True,
) -> Connection:
    """Connect as `caller`. `credentials` is an nkey seed or the text of a credentials file. The caller closes it.

    Without `echo` it does not hear what it publishes itself.
    Raises ServerFailed where no server answers or the credentials are refused.
    """

    where = ", ".join(url.rpartition("@")[2] for url in urls)
    if not all(map(_is_address, urls)):
        raise ServerFailed(f"{where or 'nothing'} is no address of a NATS server", hint="say nats://HOST:PORT")
    problems: list[Exception] = []

    async def on_error(problem: Exception) -> None:
        problems[:] = [problem]
        went = isinstance(problem, OSError | UnexpectedEOF | StaleConnectionError)  # it comes back by itself
        _log.log(logging.INFO if went else logging.WARNING, "%s: %s", caller, problem)

    async def on_reconnected() -> None:
        _log.info("%s: reconnected", caller)
        connection.came_back()
        if on_reconnect is not None:
            await on_reconnect()

    async def on_lost() -> None:
        connection.lost()

    seed = credentials.strip() if credentials and credentials.strip().startswith("SU") else None
    connection = Connection()
    try:
        attempt = connection.connect(
            list(urls),
            name=caller,
            inbox_prefix=inbox(caller),
            nkeys_seed_str=seed,
            user_credentials=RawCredentials(credentials) if credentials and seed is None else None,
            error_cb=on_error,
            disconnected_cb=on_lost,
            reconnected_cb=on_reconnected,
            no_echo=not echo,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]  # it only adds and sleeps
            pending_size=PENDING_BYTES,
            skip_subject_validation=True,  # `subjects` builds them all, and the server checks again
        )
        await _within(CONNECT_SECONDS, attempt)  # the library itself would try for ever, as it should later on
    except (Error, OSError, TimeoutError, ValueError) as problem:
        await connection.close()
        why = problems[-1] if problems else problem
        raise ServerFailed(
            f"no NATS server takes {caller} at {where}: {str(why) or type(why).__name__}",
            hint="check the address and the credentials",
        ) from problem
    return connection


async def _within(seconds: float, attempt: Coroutine[Any, Any, None]) -> None:
    """Raises TimeoutError, and whatever the attempt does. It has ended then, also where the library loses a
    cancellation, as it may while a server refuses it."""
    trying = asyncio.ensure_future(attempt)
    try:
        await asyncio.wait((trying,), timeout=seconds)
        if not trying.done():
            raise TimeoutError
        trying.result()
    finally:
        await ended(trying)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        return bool(parts.hostname) and parts.scheme in SCHEMES and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none
        return False


async def settled(connection: Connection) -> None:
    """A barrier: the server has seen every subscription and publication made so far.

    The library's flush alone is none: its PING overtakes what is still queued. One turn of the loop lets go of that.
    """
    await asyncio.sleep(0)
    await connection.flush()


async def left(connection: Connection) -> None:
    """It is closed, and the server has what was sent before. Raises as `settled`."""
    if not connection.is_closed:
        await settled(connection)
        await connection.close()


async def drain(subscription: Subscription) -> None:
    """End a subscription; what was delivered before is handled when this returns.

    It has ended too where the connection is lost meanwhile, which raises what `AWAY` lists.
    The library's own PING may overtake its UNSUB; one turn of the loop lets go of that first.
    """
    connection = subscription._conn
    await connection._send_unsubscribe(subscription._id)
    await asyncio.sleep(0)
    try:
        await subscription.drain()  # type: ignore[no-untyped-call]
    finally:
        connection._remove_sub(subscription._id)  # else it would be back with the connection
