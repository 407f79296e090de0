"""Taking recorded outcomes where they should go: over the runner's own connection, at least once, within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from runner.bus.away import AWAY
from runner.bus.deliveries import Outbox
from runner.bus.records import Bucket, Entry
from runner.deliverable import AnyDelivery, StoreDelivery
from runner.delivery.method import Method, Parcel, Undeliverable
from runner.delivery.store import rendered_key
from runner.delivery.table import method_of
from runner.errors import ServerFailed
from runner.host.desk import Delivered, StoreAway
from runner.payload import PayloadsAway
from runner.routing.deliveries import settled
from runner.work import Code, Record, WorkError, WorkRequest

PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 4.0)
"""Between two attempts: together longer than a stream is without its leader. Then the delivery has failed."""


class Deliveries:
    """`named` tells the deliveries of the file; `results` holds the records that are delivered."""

    def __init__(self, named: Callable[[], Mapping[str, AnyDelivery]], outbox: Outbox, results: Bucket) -> None:
        self._named = named
        self._outbox = outbox
        self._results = results

    async def deliver(self, record: Record) -> Delivered:
        """Deliver a recorded outcome, unless its record says that it has been. Raises StoreAway."""
        delivery = settled(record.delivery, self._named())
        if isinstance(delivery, WorkError):
            return Delivered(replies=True, problem=delivery)
        method = method_of(delivery)
        problem = await self._attempt(method, Parcel.of(record)) if method.sends else None
        return Delivered(method.replies, problem)

    async def _attempt(self, method: Method, parcel: Parcel) -> WorkError | None:
        """Looks at the record before each attempt: while that cannot be read, it is the server that is away, and the
        task must stay queued; where it can, a failure is the delivery's own, and is not tried for ever.
        """
        pauses = iter(PAUSES_SECONDS)
        while True:
            entry = await self._entry(parcel.id)
            if entry is not None and Record.model_validate_json(entry.value).delivered:
                return None
            try:
                await method.deliver(parcel, self._outbox)
            except Undeliverable as problem:
                return problem.error
            except (ServerFailed, PayloadsAway, *AWAY) as problem:
                pause = next(pauses, None)
                if pause is None:
                    return _given_up(problem)
                await asyncio.sleep(pause)
            else:
                await self._mark(entry)
                return None

    async def _entry(self, key: str) -> Entry | None:
        try:
            return await self._results.get(key)
        except AWAY as problem:
            raise StoreAway from problem

    async def _mark(self, entry: Entry | None) -> None:
        """Where somebody else was first, it was by the same mark."""
        if entry is None:  # it is kept no longer
            return
        record = Record.model_validate_json(entry.value)
        marked = record.model_copy(update={"delivered": True})
        try:
            await self._results.put_if(entry.key, marked.encode(), entry.revision)
        except (ServerFailed, *AWAY) as problem:
            raise StoreAway from problem


def unfit(request: WorkRequest, named: Mapping[str, AnyDelivery]) -> WorkError | None:
    """Why the outcome of a request cannot be delivered as it asks, whatever that will be."""
    delivery = settled(request.delivery, named)
    if isinstance(delivery, WorkError):
        return delivery
    if isinstance(delivery, StoreDelivery):
        try:
            rendered_key(delivery.key, request.told())
        except Undeliverable as problem:
            return problem.error.model_copy(update={"code": Code.INVALID_REQUEST})
    return None


def _given_up(problem: Exception) -> WorkError:
    message = str(problem) or "the server did not take it"
    hint = "see whether a limit of the server or of the queue is reached"
    return WorkError(code=Code.DELIVERY_FAILED, message=f"the result was not delivered: {message}", hint=hint)
