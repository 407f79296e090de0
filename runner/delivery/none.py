"""`none`: nobody is told; the outcome is under the id of the request."""

from __future__ import annotations

from runner.bus.deliveries import Outbox
from runner.delivery.method import Parcel


class Nowhere:
    replies = False
    sends = False

    async def deliver(self, parcel: Parcel, outbox: Outbox) -> None:
        pass
