"""What the processes of one runner are told of the network as it changes, so that none of them has to ask."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from runner.capability import CapabilityInfo
from runner.catalog import Catalog
from runner.endings import ended
from runner.host.process.calls import OUTLOOK, Outlook
from runner.host.process.line import Line
from runner.host.registry import Registry
from runner.offer import Condition

TOLD_SECONDS = 0.25
"""How often conditions are compared; each process is told at least once a second, as a sign that its runner lives."""

SOON_SECONDS = 0.005
"""After a change of the catalog: what changes together is told together."""

_SIGNS = 4


@dataclass(slots=True, eq=False)
class _Seen:
    """What one process has been told."""

    offered: dict[tuple[str, str], CapabilityInfo] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)

    def next(
        self, offered: dict[tuple[str, str], CapabilityInfo], conditions: dict[str, Condition], away: str | None
    ) -> Outlook:
        """What is new to it; from now on it has been told."""
        outlook = Outlook(
            tuple(c for target, c in offered.items() if self.offered.get(target) is not c),
            tuple(target for target in self.offered if target not in offered),
            {name: condition for name, condition in conditions.items() if self.conditions.get(name) != condition},
            away,
        )
        self.offered, self.conditions = offered, conditions
        return outlook


class Outlooks:
    """Of one runner, from `open` to `close`. A process is told while it listens."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._changed = asyncio.Event()
        self._catalog: Catalog | None = None
        self._offered: dict[tuple[str, str], CapabilityInfo] = {}
        self._told: dict[Line, _Seen] = {}
        self._telling: asyncio.Task[None] | None = None
        registry.on_change(self._changed.set)

    def begin(self, line: Line) -> Outlook:
        """All that there is to know now; the line is told of what changes, until it closes."""
        seen = self._told[line] = _Seen()
        if self._telling is None:
            self._telling = asyncio.ensure_future(self._tell())
        return seen.next(*self._now())

    def end(self, line: Line) -> None:
        """Nobody is at the other end of this line any more."""
        self._told.pop(line, None)

    async def close(self) -> None:
        await ended(self._telling)

    async def _tell(self) -> None:
        silent = 0
        while True:
            try:
                async with asyncio.timeout(TOLD_SECONDS):
                    await self._changed.wait()
                await asyncio.sleep(SOON_SECONDS)
            except TimeoutError:
                silent += 1
            self._changed.clear()
            self.tell(even_nothing=silent >= _SIGNS)
            silent = 0 if silent >= _SIGNS else silent

    def tell(self, *, even_nothing: bool = False) -> None:
        """Tell every process now what it has not been told. One that does not read is told later."""
        if not self._told:
            return
        now = self._now()
        for line, seen in self._told.items():
            if line.is_open and not line.is_full:
                outlook = seen.next(*now)
                if even_nothing or outlook != _NOTHING_NEW:
                    line.tell(OUTLOOK, outlook)

    def _now(self) -> tuple[dict[tuple[str, str], CapabilityInfo], dict[str, Condition], str | None]:
        if self._catalog is not self._registry.catalog:
            self._catalog = self._registry.catalog
            self._offered = {(c.provider, c.name): c for c in self._catalog.capabilities}
        conditions = {name: self._registry.condition(name) for name in self._registry.ensembles()}
        return self._offered, conditions, self._registry.away


_NOTHING_NEW = Outlook()
