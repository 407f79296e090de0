"""The desk of ensembles that live in the runner's own process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from runner.bus.away import AWAY
from runner.bus.backlog import Backlog, Spot
from runner.bus.connection import Connection
from runner.bus.events import Events
from runner.bus.known import KnownKeys
from runner.bus.objects import Objects
from runner.bus.records import Bucket
from runner.bus.requeue import Requeue
from runner.catalog import Catalog
from runner.checkpoint import Checkpoint, Mark
from runner.dead_letter import DeadLetter
from runner.errors import ServerFailed
from runner.event import Event
from runner.host.contents import Contents
from runner.host.dead_letters import DeadLetters
from runner.host.deliveries import Deliveries
from runner.host.desk import Delivered, First, Held, StoreAway
from runner.host.holders import Holders
from runner.host.registry import Registry
from runner.offer import Condition
from runner.payload import Document, Reference
from runner.registration import Registration
from runner.subjects import record_key
from runner.work import EnsembleState, Priority, Record, WorkError, WorkRequest

Moved = Callable[[str, EnsembleState, str | None], None]


class InlineDesk:
    """Implements `runner.host.desk.Desk` over the runner's own connection."""

    def __init__(
        self,
        results: Bucket,
        checkpoints: Bucket,
        known: KnownKeys,
        registry: Registry,
        backlog: Backlog,
        deliveries: Deliveries,
        requeue: Requeue,
        dead: DeadLetters,
        contents: Contents,
        holders: Holders,
        objects: Objects,
        moved: Moved,
        connection: Connection,
        events: Events,
    ) -> None:
        self.reloads = 0
        self._connection = connection
        self._results = results
        self._checkpoints = checkpoints
        self._known = known
        self._registry = registry
        self._backlog = backlog
        self._deliveries = deliveries
        self._requeue = requeue
        self._dead = dead
        self._contents = contents
        self._holders = holders
        self._objects = objects
        self._moved = moved
        self._events = events

    @property
    def catalog(self) -> Catalog:
        return self._registry.catalog

    @property
    def discovery_away(self) -> str | None:
        return self._registry.away

    async def answer(self, reply: str, data: bytes) -> None:
        await self._connection.publish(reply, data)

    def task_in_hand(self, ticket: str, work: asyncio.Future[None]) -> None:
        """Whoever works on it ends with this process alone, and then nobody is left to give it back."""

    def call_in_hand(self, reply: str, request_id: str, work: asyncio.Future[object]) -> None:
        """As with a task."""

    def condition(self, ensemble: str) -> Condition:
        return self._registry.condition(ensemble)

    def constrained(self, ensemble: str) -> bool:
        return self._registry.constrained(ensemble)

    async def read(self, caller: str, request_id: str, *, first_delivery: bool = False) -> Held:
        key = record_key(caller, request_id)
        if first_delivery and not self._known.may_hold(key):
            return Held(None, 0)
        try:
            entry = await self._results.get(key)
        except AWAY as problem:
            raise StoreAway from problem
        if entry is None:
            return Held(None, 0)
        return Held(Record.model_validate_json(entry.value), entry.revision)

    async def record(self, record: Record, revision: int) -> int | None:
        key = record_key(record.caller, record.request_id)
        self._known.add(key)
        try:
            return await self._results.put_if(key, record.encode(), revision, lasting=_proves(record))
        except (*AWAY, ServerFailed) as problem:
            raise StoreAway from problem

    async def held_by(self, runner: str, ensemble: str, caller: str, request_id: str) -> frozenset[int]:
        return await self._holders.ask(runner, ensemble, caller, request_id)

    async def first(self, caller: str, content: str, request_id: str) -> First | None:
        return await self._contents.first(caller, content, request_id)

    async def publish(
        self, request: WorkRequest, provider: str, *, sender: str | None = None, publication: int
    ) -> WorkError | None:
        try:
            return await self._requeue.put(request, provider, sender=sender, publication=publication)
        except AWAY as problem:
            raise StoreAway from problem

    async def checkpoint(self, caller: str, request_id: str, mark: Mark, checkpoint: Checkpoint) -> None:
        try:
            await self._checkpoints.put(".".join((record_key(caller, request_id), *mark)), checkpoint.encode())
        except (*AWAY, ServerFailed) as problem:
            raise StoreAway from problem

    async def checkpoints(self, caller: str, request_id: str) -> Mapping[Mark, Checkpoint]:
        prefix, found = f"{record_key(caller, request_id)}.", {}
        try:
            async for entry in self._checkpoints.entries(f"{prefix}>"):
                with suppress(ValidationError):  # of another version: the step is done again
                    mark = tuple(entry.key.removeprefix(prefix).split("."))
                    found[mark] = Checkpoint.model_validate_json(entry.value)
        except AWAY as problem:
            raise StoreAway from problem
        return found

    async def forget_checkpoints(self, caller: str, request_id: str) -> None:
        try:
            await self._checkpoints.purge(f"{record_key(caller, request_id)}.>")
        except (*AWAY, ServerFailed) as problem:
            raise StoreAway from problem

    async def bury(self, letter: DeadLetter) -> None:
        await self._dead.bury(letter)

    async def deliver(self, record: Record) -> Delivered:
        return await self._deliveries.deliver(record)

    async def store_payload(self, data: bytes, kept: timedelta) -> Reference:
        return await self._objects.store_payload(data, kept)

    async def load_payload(self, reference: Reference, most: int) -> Document:
        return await self._objects.load_payload(reference, most)

    def replicas(self, ensemble: str) -> int:
        return sum(registration.state is EnsembleState.READY for registration in self._registry.of(ensemble))

    async def queue_positions(self, ensemble: str, spots: Sequence[Spot]) -> list[int | None]:
        try:
            return await self._backlog.positions(ensemble, spots)
        except AWAY as problem:
            raise StoreAway from problem

    async def queue_head(self, ensemble: str, priority: Priority) -> float | None:
        try:
            return await self._backlog.head(ensemble, priority)
        except AWAY as problem:
            raise StoreAway from problem

    async def waiting(self, ensemble: str) -> int:
        try:
            return await self._backlog.undelivered(ensemble)
        except AWAY as problem:
            raise StoreAway from problem

    async def register(self, registration: Registration) -> None:
        await self._registry.put(registration)

    def moved(self, ensemble: str, state: EnsembleState, detail: str | None = None) -> None:
        self._moved(ensemble, state, detail)

    def tell(self, ensemble: str, kind: str, message: str) -> None:
        logging.getLogger(f"runner.ensemble.{ensemble}").warning("%s", message)
        self._events.write(Event(kind=kind, at=datetime.now(UTC), ensemble=ensemble, message=message))


def _proves(record: Record) -> bool:
    """Whether somebody sends a request in its caller's name, and has no other proof; until there is an outcome."""
    return record.moved is not None and record.response is None
