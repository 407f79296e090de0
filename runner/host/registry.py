"""Who offers what on which runner, as the registrations tell: the source of the live catalog."""

from __future__ import annotations

import logging

from pydantic import ValidationError

from runner.bus.records import Bucket
from runner.catalog import Catalog
from runner.work import EnsembleState, Registration

_log = logging.getLogger("runner.host")


class Registry:
    """Follows the `capabilities` bucket; `catalog` is what is on offer now."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._registrations: dict[str, Registration] = {}
        self._catalog: Catalog | None = None

    async def open(self) -> None:
        await self._bucket.watch(self._heard)

    async def reload(self) -> None:
        """Changes may have gone unheard: read everything again."""
        found = {entry.key: entry.value async for entry in self._bucket.entries()}
        self._registrations.clear()
        self._catalog = None
        for key, value in found.items():
            self._heard(key, value)

    @property
    def catalog(self) -> Catalog:
        if self._catalog is None:
            ready = (r for r in self._registrations.values() if r.state is EnsembleState.READY)
            by_target = {(c.provider, c.name): c for registration in ready for c in registration.capabilities}
            self._catalog = Catalog.of(by_target.values())
        return self._catalog

    def of(self, ensemble: str) -> tuple[Registration, ...]:
        """An ensemble's registrations, one a runner, in order of runner."""
        found = (r for r in self._registrations.values() if r.ensemble == ensemble)
        return tuple(sorted(found, key=lambda r: r.runner))

    def runners(self) -> frozenset[str]:
        return frozenset(r.runner for r in self._registrations.values())

    async def put(self, registration: Registration) -> None:
        """Tell the network; the catalog here has it when this returns."""
        key = f"{registration.ensemble}.{registration.runner}"
        if registration.state is EnsembleState.STOPPED:
            await self._bucket.delete(key)
            self._heard(key, None)
        else:
            await self._bucket.put(key, registration.encode())
            self._heard(key, registration.encode())

    async def forget_runner(self, runner: str) -> None:
        """A runner is gone: so is all that it offered."""
        for key, registration in list(self._registrations.items()):
            if registration.runner == runner:
                await self._bucket.delete(key)
                self._heard(key, None)

    def _heard(self, key: str, value: bytes | None) -> None:
        self._catalog = None
        if value is None:
            self._registrations.pop(key, None)
            return
        try:
            self._registrations[key] = Registration.model_validate_json(value)
        except ValidationError:
            _log.warning("dropped a registration that is none: %s", key)
