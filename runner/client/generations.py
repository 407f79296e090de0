"""What a network runs and ran before, read from where it is kept."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import pairwise
from typing import TypeVar

from runner.applied import Applied
from runner.bundle import Bundled, differing
from runner.bus.away import AWAY
from runner.bus.bundles import Bundles
from runner.errors import NotRunning, UnknownGeneration
from runner.reports import AppliedReport, GenerationReport

T_ = TypeVar("T_")


class Generations:
    """The generations of one network. Methods raise NotRunning where no server answers."""

    def __init__(self, bundles: Bundles, network: str) -> None:
        self._bundles = bundles
        self._network = network

    async def applied(self) -> AppliedReport:
        record = await self._applied()
        return AppliedReport(
            generation=record.generation,
            hash=record.bundle.hash,
            by=record.by,
            at=record.at,
            file=record.bundle.file,
            files=record.bundle.files,
            environment=record.environment,
            salt=record.salt,
        )

    async def history(self) -> tuple[GenerationReport, ...]:
        records = await self._answered(self._bundles.history())
        return tuple(
            GenerationReport(
                generation=record.generation,
                hash=record.bundle.hash,
                by=record.by,
                at=record.at,
                ensembles=record.changed,
                files=differing(before.bundle if before else None, record.bundle),
                applied=record is records[-1],
                restores=record.restores,
            )
            for before, record in pairwise((None, *records))
            if record is not None
        )

    async def bundle(self, generation: int | None) -> Bundled:
        record = await self._applied() if generation is None else await self._kept(generation)
        return await self._answered(self._bundles.load(record.bundle))

    async def _applied(self) -> Applied:
        record, _ = await self._answered(self._bundles.current())
        if record is None:
            raise NotRunning(f"nothing was applied to {self._network} yet")
        return record

    async def _kept(self, generation: int) -> Applied:
        record = await self._answered(self._bundles.generation(generation))
        if record is None:
            kept = await self._answered(self._bundles.history())
            raise UnknownGeneration.of(generation, [record.generation for record in kept])
        return record

    async def _answered(self, asking: Awaitable[T_]) -> T_:
        try:
            return await asking
        except AWAY as away:
            raise NotRunning(f"the files of {self._network} cannot be read: no server answers") from away
