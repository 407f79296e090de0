"""`store`: kept under a key that is made from the request, to be polled or watched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from pydantic import JsonValue

from runner.bus.deliveries import Outbox
from runner.delivery.method import Parcel, Undeliverable
from runner.payload import PayloadProblem, is_reference, reference_in
from runner.templates import TemplateProblem, rendered
from runner.work import WorkResponse

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
        key = rendered_key(self.key, parcel.request)
        response = await self._lasting(parcel.response, key, outbox)
        await outbox.keep(key, parcel.id, response.encode(), self.ttl)

    async def _lasting(self, response: WorkResponse, key: str, outbox: Outbox) -> WorkResponse:
        """What is stored must not refer to an object that goes before it."""
        if not is_reference(response.result):
            return response
        try:
            copied = await outbox.copy(reference_in(response.result), key, self.ttl)
        except PayloadProblem as problem:
            raise Undeliverable(problem.error.message, problem.error.hint) from problem
        return response.model_copy(update={"result": copied.told()})


def rendered_key(template: str, request: dict[str, JsonValue]) -> str:
    """The key that is meant for a request. Raises Undeliverable, whatever the outcome will be."""
    try:
        key = str(rendered(template, {"request": request}))
    except TemplateProblem as problem:
        raise Undeliverable(f"the key `{template}` cannot be rendered: {problem.message}") from problem
    if len(key) > MOST_KEY_CHARACTERS or not KEY_PATTERN.fullmatch(key):
        hint = f"letters, digits, `-`, `_`, `/`, `=` and dots between them, at most {MOST_KEY_CHARACTERS}"
        raise Undeliverable(f"`{key[:80]}` is no key of a store", hint)
    return key
