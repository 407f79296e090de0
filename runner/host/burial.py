"""What the leader does about runners that fell silent: their connections are cut, then what they offered is forgotten.

A process that is stopped, or a machine that hangs, keeps its connections: the server would go on giving it its share of
tool calls and tasks, which nobody there works on.
"""

from __future__ import annotations

import asyncio
import logging

from runner.beat import Beat
from runner.bus.away import AWAY
from runner.bus.cutting import cut
from runner.errors import ServerFailed
from runner.host.pulse import Pulse
from runner.host.reach import Reach
from runner.host.registry import Registry

LOOK_SECONDS = 0.25
BURIED_SECONDS = 10.0
"""A runner that was silent for so long is forgotten, until it registers again."""

_log = logging.getLogger("runner.host")


class Burial:
    """A duty of the leader. Connections are cut on the embedded server only: elsewhere there is no leave to."""

    def __init__(self, pulse: Pulse, registry: Registry, reach: Reach) -> None:
        self._pulse = pulse
        self._registry = registry
        self._reach = reach

    async def perform(self, _: int) -> None:
        done: frozenset[str] = frozenset()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            silent = self._pulse.silent()
            done &= silent.keys()  # one that was heard again may fall silent again
            try:
                for runner in sorted(silent.keys() - done):
                    await self._cut(silent[runner])
                    done |= {runner}
                await self._registry.bury(BURIED_SECONDS)
            except (ServerFailed, *AWAY) as problem:
                _log.warning("the silent could not be seen to yet: %s", problem)

    async def _cut(self, beat: Beat) -> None:
        if self._reach.system is None or beat.server is None:
            return
        _log.warning("%s (pid %s on %s) is silent: its connections are cut", beat.runner, beat.pid, beat.host)
        await cut(self._reach.urls, self._reach.system, beat.server, beat.clients)
