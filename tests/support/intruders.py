"""Bare NATS clients with the credentials of one ensemble: what its process could do if it turned bad."""

from __future__ import annotations

import asyncio

from nats import connect as nats_connect
from nats.aio.client import Client

from runner.bus.keys import key_in
from runner.state import State
from tests.support.networks import LiveNetwork


class Intruder:
    """A bare NATS client with the credentials of one ensemble; `refusals` is what the server told it."""

    def __init__(self, connection: Client, refusals: list[str]) -> None:
        self.connection = connection
        self.refusals = refusals

    async def settle(self) -> None:
        await asyncio.sleep(0)
        await self.connection.flush()
        await self.connection.flush()


async def intruder(inn: LiveNetwork, ensemble: str) -> Intruder:
    state = State(inn.workspace.state)
    running = state.running()
    assert running is not None
    refusals: list[str] = []

    async def on_error(problem: Exception) -> None:
        refusals.append(str(problem))

    seed = key_in(state.keys / f"ensemble-{ensemble}.nk").seed
    connection = await nats_connect(
        list(running.url), nkeys_seed_str=seed, inbox_prefix=f"_INBOX_{ensemble}", error_cb=on_error
    )
    return Intruder(connection, refusals)
