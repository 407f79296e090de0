"""`store`: kept under a key that is made from the request, to be polled or watched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from runner.bus.deliveries import Outbox
from runner.delivery.method import Parcel, Undeliverable
from runner.templates import TemplateProblem, rendered

KEY_PATTERN = re.compile(r"[-/_=A-Za-z0-9]+(\.[-/_=A-Za-z0-9]+)*")
"""What the server and the key–value clients of every language take."""

MOST_KEY_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Store:
    replies: ClassVar = True
    sends: ClassVar = True
    key: str
    ttl: timedelta | None

    async def deliver(self, parcel: Parcel, outbox: Outbox) -> None:
        await outbox.keep(self._rendered(parcel), parcel.id, parcel.body, self.ttl)

    def _rendered(self, parcel: Parcel) -> str:
        try:
            key = str(rendered(self.key, {"request": parcel.request}))
        except TemplateProblem as problem:
            raise Undeliverable(f"the key `{self.key}` cannot be rendered: {problem.message}") from problem
        if len(key) > MOST_KEY_CHARACTERS or not KEY_PATTERN.fullmatch(key):
            hint = f"letters, digits, `-`, `_`, `/`, `=` and dots between them, at most {MOST_KEY_CHARACTERS}"
            raise Undeliverable(f"`{key[:80]}` is no key of a store", hint)
        return key
