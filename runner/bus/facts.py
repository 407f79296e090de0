"""What a server says of itself: its version, and whether it fsyncs before it acknowledges."""

from __future__ import annotations

import json
from dataclasses import dataclass

from runner.bus.connection import Connection, connect
from runner.errors import ServerFailed

OLDEST = (2, 12, 0)
"""Streams that acknowledge before they write, and strict API requests, came with it."""

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServerFacts:
    version: str
    sync_always: bool


async def facts_of(url: str, system_seed: str) -> ServerFacts:
    """Ask as a user of the system account. Raises ServerFailed where there is no answer, or no JetStream."""
    connection = await connect((url,), caller="_system", credentials=system_seed)
    try:
        answer = await connection.request("$SYS.REQ.SERVER.PING.JSZ", b"{}", timeout=ANSWER_SECONDS)
        config = json.loads(answer.data)["data"]["config"]
        return ServerFacts(version_of(connection), bool(config.get("sync_always")))
    except KeyError as problem:
        raise ServerFailed("the server says nothing of JetStream") from problem
    finally:
        await connection.close()


def version_of(connection: Connection) -> str:
    """The version of the server that a connection reached. Raises ServerFailed for one that is too old."""
    version = connection.connected_server_version
    if (version.major, version.minor, version.patch) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ServerFailed(
            f"nats-server {version.major}.{version.minor} is too old", hint=f"{oldest} or later is needed"
        )
    return f"{version.major}.{version.minor}.{version.patch}"
