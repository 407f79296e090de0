"""Telling the network what an ensemble offers, once that is in force."""

from __future__ import annotations

import asyncio
import logging
import time

from runner.bus.away import AWAY
from runner.errors import ServerFailed
from runner.host.hosted import Hosted

REGISTERED_SECONDS = 10.0
"""How long it is tried, after the commit, to tell others what is on offer."""

AGAIN_SECONDS = 0.1

_log = logging.getLogger("runner.host")


async def registered(ensemble: Hosted) -> None:
    """Others know what it offers now, or the log says that they do not: it is in force, and nothing takes it back."""
    give_up = time.monotonic() + REGISTERED_SECONDS
    while True:
        try:
            return await ensemble.register()
        except (ServerFailed, *AWAY) as problem:
            if time.monotonic() > give_up:
                _log.warning("nobody is told what %s offers now: %s", ensemble.name, problem or type(problem).__name__)
                return None
            await asyncio.sleep(AGAIN_SECONDS)
