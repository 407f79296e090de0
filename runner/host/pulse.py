"""The pulse: a runner's sign of life each second, and what it hears of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from runner.beat import Beat, Vitals
from runner.bus.away import AWAY
from runner.bus.beats import Beats
from runner.bus.connection import Connection, settled
from runner.endings import ended
from runner.host.liveness import BEAT_SECONDS, Liveness
from runner.subjects import Subjects

JUDGED_A_BEAT = 4
"""How often the dead are looked for, from one beat to the next."""

SETTLE_SECONDS = 1.0


class Pulse:
    """Of one runner, over a connection of its own, so that no beat waits behind traffic. `clock` gives seconds."""

    def __init__(
        self, connection: Connection, subjects: Subjects, runner: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.connection = connection
        self.runner = runner
        self._beats = Beats(connection, subjects)
        self._clock = clock
        self._liveness = Liveness(runner)
        self._last: dict[str, Beat] = {}
        self._live: frozenset[str] = frozenset()
        self._told: list[Callable[[], None]] = []
        self._hears: list[Callable[[Beat], None]] = []
        self._changed = asyncio.Event()
        self._own: Callable[[int], Beat] | None = None
        self._sequence = 0
        self._beating: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Hear the others from now on."""
        await self._beats.hear(self._heard)

    def start(self, own: Callable[[int], Beat]) -> None:
        """Say each second what `own` makes of the running number of the beat."""
        self._own = own
        self._beating = asyncio.ensure_future(self._beat())

    async def say(self) -> None:
        """Beat now, for what has changed; others are sent it when this returns."""
        with suppress(*AWAY):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._say()
                await settled(self.connection)

    async def close(self) -> None:
        """Say goodbye, so that nobody has to wait for what will not come; the connection closes too."""
        await ended(self._beating)
        with suppress(*AWAY):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._say(ended=True)
                await settled(self.connection)
        await self.connection.close()

    def on_change(self, told: Callable[[], None]) -> None:
        """Call this whenever a runner came to life, died or left."""
        self._told.append(told)

    def on_beat(self, hears: Callable[[Beat], None]) -> None:
        """Call this with every beat that is heard, once `vitals` tells what it says."""
        self._hears.append(hears)

    def alive(self, runner: str) -> bool:
        """Whether a runner beats, or may still be about to: one just mentioned has as long as any other."""
        return self._liveness.alive(runner, self._clock())

    def mention(self, runner: str) -> None:
        """There is such a runner, whether or not it was heard yet."""
        self._liveness.mention(runner, self._clock())

    def forget(self, runner: str) -> None:
        """Nothing names this runner any more."""
        self._liveness.forget(runner)
        self._last.pop(runner, None)

    @property
    def hears_itself(self) -> bool:
        return self._liveness.hears_itself(self._clock())

    @property
    def beats(self) -> Mapping[str, Beat]:
        """The last beat of every live runner that was heard, this one included, in order of runner."""
        return {runner: beat for runner, beat in sorted(self._last.items()) if self.alive(runner)}

    def silent(self) -> Mapping[str, Beat]:
        """The last beat of every runner that was heard once, has not said goodbye, and is not alive."""
        return {runner: beat for runner, beat in self._last.items() if not self.alive(runner)}

    def others(self) -> frozenset[str]:
        """The live runners beside this one."""
        return self._liveness.live(self._clock())

    async def until_alone(self, seconds: float) -> None:
        """Return when no other runner is there, or when the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.others():
                    self._changed.clear()
                    await self._changed.wait()

    async def until_acquainted(self, seconds: float) -> None:
        """Return when every runner that is live was heard once, or when the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.others() - self._last.keys():
                    self._changed.clear()
                    await self._changed.wait()

    def silence(self, runner: str) -> float:
        """For how many seconds a runner was not heard while it could have been."""
        return self._liveness.silence(runner, self._clock())

    def vitals(self, runner: str, ensemble: str) -> Vitals | None:
        """What a live runner last said of an ensemble."""
        beat = self._last.get(runner)
        return beat.by_ensemble.get(ensemble) if beat is not None and self.alive(runner) else None

    def _heard(self, beat: Beat) -> None:
        if beat.ended:
            self._liveness.leave(beat.runner)
            self._last.pop(beat.runner, None)
        else:
            self._liveness.heard(beat.runner, self._clock())
            if beat.runner not in self._last:
                self._changed.set()
            self._last[beat.runner] = beat
        for hears in self._hears:
            hears(beat)
        self._judge()

    def _judge(self) -> None:
        live = self.others()
        if live != self._live:
            self._live = live
            self._changed.set()
            for told in self._told:
                told()

    async def _say(self, *, ended: bool = False) -> None:
        if self._own is None:
            return
        self._sequence += 1
        with suppress(*AWAY):
            await self._beats.say(self._own(self._sequence).model_copy(update={"ended": ended}))

    async def _beat(self) -> None:
        due = self._clock()
        while True:
            if self._clock() >= due:
                due = max(due + BEAT_SECONDS, self._clock())
                await self._say()
            self._judge()
            await asyncio.sleep(BEAT_SECONDS / JUDGED_A_BEAT)
