"""The large contexts of dead letters: copies that stay, since what a request refers to expires with its deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex

from runner.bus.objects import Objects
from runner.bus.payloads import GRACE
from runner.host.desk import StoreAway
from runner.payload import PayloadProblem, PayloadsAway, Reference, is_reference, reference_in
from runner.work import WorkRequest


@dataclass(frozen=True, slots=True, eq=False)
class Keepsakes:
    """`most` tells the network's `max_payload`. Everything here raises StoreAway."""

    objects: Objects
    most: Callable[[], int]

    async def kept(self, request: WorkRequest, key: str) -> WorkRequest:
        """The request with a context that stays, where its own would not. A document under a name is its caller's."""
        reference = _reference(request)
        if reference is None or reference.sha256 is None:
            return request
        try:
            copied = await self.objects.copy(reference, _name(key), kept=None, most=self.most())
        except PayloadProblem:
            return request  # it is gone already
        except PayloadsAway as away:
            raise StoreAway from away
        return request.model_copy(update={"context": copied.told()})

    async def taken(self, request: WorkRequest, key: str) -> WorkRequest:
        """The request with a context that stays until its deadline, in place of the one that was kept."""
        reference = _reference(request)
        if reference is None or reference.object != _name(key):
            return request
        try:
            copied = await self.objects.copy(reference, token_hex(16), kept=request.deadline + GRACE, most=self.most())
        except PayloadProblem:
            return request  # whoever works on it says so
        except PayloadsAway as away:
            raise StoreAway from away
        return request.model_copy(update={"context": copied.told()})

    async def forget(self, request: WorkRequest, key: str) -> None:
        """Nothing is kept of the request any more."""
        reference = _reference(request)
        if reference is not None and reference.object == _name(key):
            try:
                await self.objects.delete(reference.object)
            except PayloadsAway as away:
                raise StoreAway from away


def _name(key: str) -> str:
    return f"dead/{key}"


def _reference(request: WorkRequest) -> Reference | None:
    if not is_reference(request.context):
        return None
    try:
        return reference_in(request.context)
    except PayloadProblem:
        return None
