"""What a runner does for the ensembles it hosts: the one interface between the two, whatever the placement.

An ensemble holds a connection of its own with few permissions; everything beyond them it asks its desk for. Arguments
and answers are wire data, so that a desk may as well stand on the other end of a pipe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.bus.backlog import Spot
from runner.catalog import Catalog
from runner.checkpoint import Checkpoint, Mark
from runner.dead_letter import DeadLetter
from runner.offer import Condition
from runner.payload import PayloadStore
from runner.registration import Registration
from runner.work import EnsembleState, Priority, Record, WorkError, WorkRequest, WorkResponse


@dataclass(frozen=True, slots=True)
class Held:
    """A record as it stands, with the revision that writing must name. No record is revision 0."""

    record: Record | None
    revision: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a delivery: whether whoever waits is to be told as well, and why it failed, if it did."""

    replies: bool = True
    problem: WorkError | None = None


@dataclass(frozen=True, slots=True)
class First:
    """The first request with some content. Without an outcome it is still at work."""

    request_id: str
    outcome: WorkResponse | None = None


class Desk(PayloadStore, Protocol):
    @property
    def catalog(self) -> Catalog:
        """Every capability on offer now by a runner that is alive."""
        ...

    @property
    def discovery_away(self) -> str | None:
        """Why nobody can be found who is not known already, since when; None where all is well."""
        ...

    @property
    def reloads(self) -> int:
        """Counts as a reload of the server begins, and as it is over: odd while one is under way.

        With it goes every leave to answer a call that was delivered before.
        """
        ...

    async def answer(self, reply: str, data: bytes) -> None:
        """Send a tool's answer for an ensemble whose own leave to answer may be gone."""
        ...

    def task_in_hand(self, ticket: str, work: asyncio.Future[None]) -> None:
        """A delivered task is worked on, until `work` is done: should its process end before, it is given back."""
        ...

    def call_in_hand(self, reply: str, request_id: str, work: asyncio.Future[object]) -> None:
        """A tool call is worked on, until `work` is done: should its process end before, its caller is told."""
        ...

    def condition(self, ensemble: str) -> Condition:
        """How an ensemble is on all of its live runners, as they last told. Asks nobody."""
        ...

    def constrained(self, ensemble: str) -> bool:
        """Whether every live replica of an ensemble says that more waits there than its `backpressure` allows."""
        ...

    async def read(self, caller: str, request_id: str, *, first_delivery: bool = False) -> Held:
        """The record of a request. Raises StoreAway while the store does not answer.

        On a first delivery no record that somebody is just writing can matter, so that a runner which knows that there
        is none needs not ask.
        """
        ...

    async def record(self, record: Record, revision: int) -> int | None:
        """Write a record if it still stands at `revision`. The new one; None: somebody was first. Raises StoreAway."""
        ...

    async def held_by(self, runner: str, ensemble: str, caller: str, request_id: str) -> frozenset[int]:
        """The messages, by sequence, in which a runner has a request in hand; none where it does not say in time."""
        ...

    async def first(self, caller: str, content: str, request_id: str) -> First | None:
        """The caller's first request with a content, at work or completed; None: it is this one. Raises StoreAway."""
        ...

    async def publish(
        self, request: WorkRequest, provider: str, *, sender: str | None = None, publication: int
    ) -> WorkError | None:
        """Put a request into a provider's queue, in its caller's name or another `sender`'s: None, or why it is not.

        The same `publication` of a request twice is one. Raises StoreAway.
        """
        ...

    async def checkpoint(self, caller: str, request_id: str, mark: Mark, checkpoint: Checkpoint) -> None:
        """Keep a finished step of a request, in place of what was kept of it. Raises StoreAway."""
        ...

    async def checkpoints(self, caller: str, request_id: str) -> Mapping[Mark, Checkpoint]:
        """All that is kept of a request. Raises StoreAway."""
        ...

    async def forget_checkpoints(self, caller: str, request_id: str) -> None:
        """Keep nothing of a request any more. Raises StoreAway."""
        ...

    async def bury(self, letter: DeadLetter) -> None:
        """Keep a request that was started too often; again changes nothing. Raises StoreAway."""
        ...

    async def deliver(self, record: Record) -> Delivered:
        """Take a recorded outcome where its request wants it; what failed is no exception. Raises StoreAway."""
        ...

    def replicas(self, ensemble: str) -> int:
        """How many runners have this ensemble READY."""
        ...

    async def queue_positions(self, ensemble: str, spots: Sequence[Spot]) -> list[int | None]:
        """How many tasks are served before the one at each spot; None where it waits no longer. Raises StoreAway."""
        ...

    async def queue_head(self, ensemble: str, priority: Priority) -> float | None:
        """When what is next became durable, in seconds of the server's clock, or None. Raises StoreAway."""
        ...

    async def waiting(self, ensemble: str) -> int:
        """How many tasks wait for this ensemble, those in hand not counted. Raises StoreAway."""
        ...

    async def register(self, registration: Registration) -> None:
        """Tell the network what an ensemble offers; without capabilities, nothing any more."""
        ...

    def moved(self, ensemble: str, state: EnsembleState, detail: str | None = None) -> None:
        """An ensemble entered a state."""
        ...

    def tell(self, ensemble: str, kind: str, message: str) -> None:
        """Something of an ensemble that whoever watches the network should know: an event of this kind, and logged."""
        ...


class StoreAway(Exception):
    """The record store does not answer: the server is down or changing its leader."""
