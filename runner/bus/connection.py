"""Connections to the NATS server: each user with its own key and inbox, reconnecting for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from nats.aio.client import Client, RawCredentials
from nats.aio.subscription import Subscription
from nats.errors import Error

from runner.errors import ServerFailed
from runner.subjects import inbox

Connection = Client

CONNECT_SECONDS = 5.0
RECONNECT_SECONDS = 0.1
PENDING_BYTES = 64 * 1024 * 1024
_log = logging.getLogger("runner.bus")


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

    problems: list[Exception] = []

    async def on_error(problem: Exception) -> None:
        problems[:] = [problem]
        _log.warning("%s: %s", caller, problem)

    async def on_reconnected() -> None:
        _log.info("%s: reconnected", caller)
        if on_reconnect is not None:
            await on_reconnect()

    seed = credentials.strip() if credentials and credentials.strip().startswith("SU") else None
    connection = Client()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):  # the library itself would try for ever, as it should later on
            await connection.connect(
                list(urls),
                name=caller,
                inbox_prefix=inbox(caller),
                nkeys_seed_str=seed,
                user_credentials=RawCredentials(credentials) if credentials and seed is None else None,
                error_cb=on_error,
                reconnected_cb=on_reconnected,
                no_echo=not echo,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]  # it only adds and sleeps
                pending_size=PENDING_BYTES,
                skip_subject_validation=True,  # `subjects` builds them all, and the server checks again
            )
    except (Error, OSError, TimeoutError, ValueError) as problem:
        await connection.close()
        why = problems[-1] if problems else problem
        raise ServerFailed(
            f"no NATS server takes {caller} at {', '.join(urls)}: {str(why) or type(why).__name__}",
            hint="check the address and the credentials",
        ) from problem
    return connection


async def settled(connection: Connection) -> None:
    """A barrier: the server has seen every subscription and publication made so far.

    The library's flush alone is none: its PING overtakes what is still queued. One turn of the loop lets go of that.
    """
    await asyncio.sleep(0)
    await connection.flush()


async def drain(subscription: Subscription) -> None:
    """End a subscription; what was delivered before is handled when this returns."""
    await subscription.drain()  # type: ignore[no-untyped-call]
