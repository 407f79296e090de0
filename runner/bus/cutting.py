"""Cutting connections: whoever holds one and does not read from it still gets its share of what is sent to many."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from runner.bus.connection import connect

ANSWER_SECONDS = 2.0


async def cut(urls: Sequence[str], system_seed: str, server: str, clients: Iterable[int]) -> None:
    """End the connections of these clients of a server; who lives comes back by itself.

    Both ids are the server's own: after a restart nobody answers to the old one, and nothing is cut. As a user of the
    system account. Raises ServerFailed, nats.errors.Error.
    """
    connection = await connect(urls, caller="_system", credentials=system_seed)
    try:
        for client in clients:
            body = json.dumps({"cid": client}).encode()
            await connection.request(f"$SYS.REQ.SERVER.{server}.KICK", body, timeout=ANSWER_SECONDS)
    finally:
        await connection.close()
