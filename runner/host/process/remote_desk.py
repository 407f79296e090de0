"""The desk of an ensemble that lives in a process of its own: it asks its runner for everything, over the line.

What the runner knows of the network it tells by itself, so that looking things up asks nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from runner.bus.backlog import Spot
from runner.catalog import Catalog
from runner.checkpoint import Checkpoint, Mark
from runner.dead_letter import DeadLetter
from runner.host.desk import Delivered, First, Held, StoreAway
from runner.host.process import calls
from runner.host.process.line import Call, Line
from runner.offer import UNKNOWN, Condition
from runner.payload import Document, PayloadsAway, Reference
from runner.registration import Registration
from runner.work import EnsembleState, Priority, Record, WorkError, WorkRequest

ASK_SECONDS = 60.0
"""How long the runner may take to answer. It bounds what it does itself: this is for one that is stopped."""

_A = TypeVar("_A")


class RemoteDesk:
    """Implements `runner.host.desk.Desk` for the ensemble `name`."""

    def __init__(self, name: str, line: Line, reloads: int, outlook: calls.Outlook) -> None:
        self.reloads = reloads
        self.discovery_away: str | None = None
        self._name = name
        self._line = line
        self._offered: dict[tuple[str, str], Any] = {}
        self._conditions: dict[str, Condition] = {}
        self._catalog = Catalog()  # of no aliases: needs are canonical, and the vocabulary changes as files are saved
        self.see(outlook)

    def see(self, outlook: calls.Outlook) -> None:
        """The network has changed."""
        self._conditions |= outlook.conditions
        self.discovery_away = outlook.discovery_away
        if outlook.offered or outlook.gone:
            for target in outlook.gone:
                self._offered.pop(target, None)
            self._offered |= {(c.provider, c.name): c for c in outlook.offered}
            self._catalog = Catalog.of(self._offered.values())

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    def condition(self, ensemble: str) -> Condition:
        return self._conditions.get(ensemble, UNKNOWN)

    def constrained(self, ensemble: str) -> bool:
        return self.condition(ensemble).constrained

    def replicas(self, ensemble: str) -> int:
        return self.condition(ensemble).replicas

    async def answer(self, reply: str, data: bytes) -> None:
        await self._line.ask_bytes(calls.ANSWER, reply, body=data, seconds=ASK_SECONDS)

    def task_in_hand(self, ticket: str, work: asyncio.Future[None]) -> None:
        self._line.tell(calls.TASK_IN_HAND, ticket)
        work.add_done_callback(lambda _: self._line.tell(calls.LET_GO, ticket))

    def call_in_hand(self, reply: str, request_id: str, work: asyncio.Future[object]) -> None:
        self._line.tell(calls.CALL_IN_HAND, reply, request_id)
        work.add_done_callback(lambda _: self._line.tell(calls.LET_GO, reply))

    async def read(self, caller: str, request_id: str, *, first_delivery: bool = False) -> Held:
        return await self._store(calls.READ, caller, request_id, first_delivery)

    async def record(self, record: Record, revision: int) -> int | None:
        return await self._store(calls.RECORD, record, revision)

    async def held_by(self, runner: str, ensemble: str, caller: str, request_id: str) -> frozenset[int]:
        return await self._store(calls.HELD_BY, runner, ensemble, caller, request_id)

    async def first(self, caller: str, content: str, request_id: str) -> First | None:
        return await self._store(calls.FIRST, caller, content, request_id)

    async def publish(
        self, request: WorkRequest, provider: str, *, sender: str | None = None, publication: int
    ) -> WorkError | None:
        return await self._store(calls.PUBLISH, request, provider, sender, publication)

    async def checkpoint(self, caller: str, request_id: str, mark: Mark, checkpoint: Checkpoint) -> None:
        await self._store(calls.CHECKPOINT, caller, request_id, mark, checkpoint)

    async def checkpoints(self, caller: str, request_id: str) -> Mapping[Mark, Checkpoint]:
        kept = await self._store(calls.CHECKPOINTS, caller, request_id)
        return dict(kept)

    async def forget_checkpoints(self, caller: str, request_id: str) -> None:
        await self._store(calls.FORGET, caller, request_id)

    async def bury(self, letter: DeadLetter) -> None:
        await self._store(calls.BURY, letter)

    async def deliver(self, record: Record) -> Delivered:
        return await self._store(calls.DELIVER, record)

    async def store_payload(self, data: bytes, kept: timedelta) -> Reference:
        return (await self._payload(calls.STORE, kept, body=data))[0]

    async def load_payload(self, reference: Reference, most: int) -> Document:
        (name, kind), data = await self._payload(calls.LOAD, reference, most)
        return Document(name, data, kind)

    async def queue_positions(self, ensemble: str, spots: Sequence[Spot]) -> list[int | None]:
        return await self._store(calls.POSITIONS, ensemble, list(spots))

    async def queue_head(self, ensemble: str, priority: Priority) -> float | None:
        return await self._store(calls.HEAD, ensemble, priority)

    async def waiting(self, ensemble: str) -> int:
        return await self._store(calls.WAITING, ensemble)

    async def register(self, registration: Registration) -> None:
        await self._line.ask(calls.REGISTER, registration, seconds=ASK_SECONDS)

    def moved(self, ensemble: str, state: EnsembleState, detail: str | None = None) -> None:
        self._line.tell(calls.MOVED, state, detail)

    def tell(self, ensemble: str, kind: str, message: str) -> None:
        self._line.tell(calls.TOLD, kind, message)

    async def _store(self, call: Call[_A], *arguments: object) -> _A:
        """Raises StoreAway where the runner does not answer, as where the store does not."""
        try:
            return await self._line.ask(call, *arguments, seconds=ASK_SECONDS)
        except (TimeoutError, ConnectionError) as problem:
            raise StoreAway from problem

    async def _payload(self, call: Call[_A], *arguments: object, body: bytes = b"") -> tuple[_A, bytes]:
        try:
            return await self._line.ask_bytes(call, *arguments, body=body, seconds=ASK_SECONDS)
        except (TimeoutError, ConnectionError) as problem:
            raise PayloadsAway(str(problem)) from problem
