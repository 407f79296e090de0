"""`queue`: durable, point to point: each result is for one consumer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runner.bus.deliveries import Outbox
from runner.delivery.method import Parcel


@dataclass(frozen=True, slots=True)
class Queue:
    replies: ClassVar = True
    sends: ClassVar = True
    name: str

    async def deliver(self, parcel: Parcel, outbox: Outbox) -> None:
        await outbox.queue(self.name, parcel.id, parcel.body)
