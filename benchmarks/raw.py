"""The raw side of hop.py: what somebody would write by hand over nats-py who wants the same promises.

A durable hop is: publish with ack → continuous puller → (the next hop) → one outcome recorded by compare-and-set →
reply and ack. Eight of them stand here in one process, on one connection: `work`, which stands alone, and a chain of
seven, each of which asks the next and waits for its reply. Each has a stream and a consumer of its own, as an ensemble
has.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from nats import connect as nats_connect
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api

from runner.bus.keys import key_in
from runner.state import State

CHAIN = 7
ALONE = "work"
LINKS = tuple(f"link{number}" for number in range(1, CHAIN + 1))
BUCKET = "raw_results"
CREDITS = 64


async def raw_connection(directory: Path) -> Client:
    """As the runner's own user, who may do everything."""
    state = State(directory / ".run-network")
    found = state.running()
    assert found is not None
    return await nats_connect(list(found.url), nkeys_seed_str=key_in(state.keys / "runner.nk").seed)


class Asker:
    """Publishes to hops and waits for their replies, under a name of its own: one subscription for all of them."""

    def __init__(self, connection: Client, name: str) -> None:
        self._connection = connection
        self._name = name
        self._waiting: dict[str, asyncio.Future[bytes]] = {}

    async def open(self) -> None:
        await self._connection.subscribe(f"raw.reply.{self._name}.*", cb=self._on_reply)

    async def ask(self, hop: str, identity: str, payload: bytes) -> bytes:
        """The reply of a hop, once the queue has acknowledged the question."""
        reply = f"raw.reply.{self._name}.{identity}"
        self._waiting[reply] = answer = asyncio.get_running_loop().create_future()
        headers = {"Nats-Msg-Id": f"{self._name}.{identity}", "Reply": reply}
        await self._connection.request(f"raw.{hop}", payload, timeout=10, headers=headers)
        async with asyncio.timeout(30):
            return await answer

    async def _on_reply(self, message: Msg) -> None:
        self._waiting.pop(message.subject).set_result(message.data)


@dataclass(eq=False)
class Hop:
    """One puller and what it does with each message; `next` is whom it asks before it answers."""

    connection: Client
    name: str
    asker: Asker | None = None
    next: str | None = None
    _inbox: str = ""
    _credits: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        jetstream = self.connection.jetstream()
        await jetstream.add_stream(
            api.StreamConfig(name=self._stream, subjects=[f"raw.{self.name}"], retention=api.RetentionPolicy.WORK_QUEUE)
        )
        await jetstream.add_consumer(
            self._stream,
            api.ConsumerConfig(
                durable_name="w", ack_policy=api.AckPolicy.EXPLICIT, max_ack_pending=-1, mem_storage=True
            ),
        )
        self._inbox = self.connection.new_inbox()
        await self.connection.subscribe(self._inbox, cb=self._on_message)
        await self._refill()

    @property
    def _stream(self) -> str:
        return f"raw_{self.name}"

    async def _refill(self) -> None:
        if self._credits <= CREDITS // 2:
            body = json.dumps({"batch": CREDITS - self._credits, "expires": 600_000_000_000}).encode()
            await self.connection.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.w", body, reply=self._inbox)
            self._credits = CREDITS

    async def _on_message(self, message: Msg) -> None:
        self._credits -= 1
        task = asyncio.ensure_future(self._work(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._refill()

    async def _work(self, message: Msg) -> None:
        assert message.headers is not None
        identity, result = message.headers["Nats-Msg-Id"], message.data
        if self.asker is not None and self.next is not None:
            result = await self.asker.ask(self.next, identity.rpartition(".")[2], message.data)
        headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
        acknowledgement = await self.connection.request(f"$KV.{BUCKET}.{identity}", result, timeout=5, headers=headers)
        assert b'"seq"' in acknowledgement.data
        await self.connection.publish(message.headers["Reply"], result)
        await self.connection.publish(message.reply, b"+ACK")


async def serve(directory: Path) -> None:
    """All hops and a tool, until standard input ends. Prints `ready`."""
    connection = await raw_connection(directory)
    await connection.jetstream().add_stream(
        api.StreamConfig(name=f"KV_{BUCKET}", subjects=[f"$KV.{BUCKET}.>"], max_msgs_per_subject=1, allow_direct=True)
    )

    async def on_tool(message: Msg) -> None:
        await connection.publish(message.reply, message.data)

    await connection.subscribe("raw.tool", cb=on_tool)
    await Hop(connection, ALONE).open()
    for name, following in zip(LINKS, (*LINKS[1:], None), strict=True):
        asker = Asker(connection, name)
        await asker.open()
        await Hop(connection, name, asker, following).open()
    await asyncio.sleep(0)
    await connection.flush()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await connection.close()
