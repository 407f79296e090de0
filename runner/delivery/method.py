"""What every method of delivery is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from runner.bus.deliveries import Outbox
from runner.subjects import record_key
from runner.work import Code, Record, WorkError, WorkResponse


@dataclass(frozen=True, slots=True)
class Parcel:
    """A recorded outcome on its way, with a large result by reference; `id` is the same whenever it is sent again."""

    id: str
    response: WorkResponse
    request: dict[str, JsonValue]

    @property
    def body(self) -> bytes:
        return self.response.encode()

    @classmethod
    def of(cls, record: Record) -> Parcel:
        """Of a record with its outcome."""
        response = record.response
        if response is None:
            raise ValueError("a record without an outcome")
        return cls(record_key(record.caller, record.request_id), response, record.told())


class Method(Protocol):
    @property
    def replies(self) -> bool:
        """Whether whoever waits for the result is told as well."""
        ...

    @property
    def sends(self) -> bool:
        """Whether there is anything to deliver beside the reply."""
        ...

    async def deliver(self, parcel: Parcel, outbox: Outbox) -> None:
        """The result is where it should be when this returns, and may be there twice.

        Raises Undeliverable where trying again is of no use, ServerFailed, PayloadsAway or one of AWAY where it may be.
        """
        ...


class Undeliverable(Exception):
    """This result cannot be delivered like this, however often it is tried."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.error = WorkError(code=Code.DELIVERY_FAILED, message=message, hint=hint)
        super().__init__(message)
