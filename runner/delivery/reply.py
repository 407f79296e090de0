"""`reply`: the ensemble itself answers whoever waits."""

from __future__ import annotations

from runner.bus.deliveries import Outbox
from runner.delivery.method import Parcel


class Reply:
    replies = True
    sends = False

    async def deliver(self, parcel: Parcel, outbox: Outbox) -> None:
        pass
