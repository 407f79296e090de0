"""Whether what was heard of the network's offers may have changed: listened for, so that nobody has to be asked.

A registration is heard as it is written, and how busy and well each provider is with its runner's beats. What changes
is not read here, only that something did: whoever wants to know asks the runners, who judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from runner.beat import Beat
from runner.bus.away import AWAY
from runner.bus.beats import Beats
from runner.bus.records import Bucket
from runner.work import EnsembleState

SILENT_SECONDS = 3.0
"""After which a runner that is not heard is out of routing, as the runners judge it."""

SETTLED_SECONDS = 1.5
"""How long after a change the answer of a runner may be one that has not heard of it yet."""

How = tuple[EnsembleState, bool]
"""What of an ensemble decides whether it is asked: its state, and whether more waits than it allows."""


@dataclass(slots=True, eq=False)
class News:
    """Of one client. `open` once; it ends with the connection. `clock` gives seconds."""

    beats: Beats
    registrations: Bucket
    clock: Callable[[], float] = time.monotonic
    _opened: bool = False
    _changed_at: float = float("-inf")
    _heard_at: dict[str, float] = field(default_factory=dict)
    _told: dict[str, Mapping[str, How]] = field(default_factory=dict)

    async def open(self) -> None:
        """Hear of changes from now on; again changes nothing. Where the line is cut: once it is mended."""
        if not self._opened:
            self._opened = True
            self.tell()
            with suppress(*AWAY):
                await self.registrations.listen(lambda key, value: self.tell())
            with suppress(*AWAY):
                await self.beats.hear(self._heard)

    def tell(self) -> None:
        """Something changed, or may have gone unheard."""
        self._changed_at = self.clock()

    def nothing_since(self, at: float) -> bool:
        """Whether what a runner was asked at that time still holds: no change since, nor so soon before that it may
        not have known. False while no runner is heard: then nothing tells."""
        now = self.clock()
        for runner in [runner for runner, heard in self._heard_at.items() if now - heard > SILENT_SECONDS]:
            self._forget(runner)
        return bool(self._heard_at) and at >= self._changed_at + SETTLED_SECONDS

    def _heard(self, beat: Beat) -> None:
        if beat.ended:
            self._forget(beat.runner)
            return
        how = {vitals.ensemble: (vitals.state, vitals.constrained) for vitals in beat.ensembles}
        if self._told.get(beat.runner) != how:
            self._told[beat.runner] = how
            self.tell()
        self._heard_at[beat.runner] = self.clock()

    def _forget(self, runner: str) -> None:
        self._told.pop(runner, None)
        if self._heard_at.pop(runner, None) is not None:
            self.tell()
