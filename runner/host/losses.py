"""Calls in the hands of a provider that died: nothing tells of it but its beats, and no answer will come."""

from __future__ import annotations

import asyncio

from runner.bus.caller import Caller
from runner.host.desk import Desk
from runner.work import EnsembleState

LAST_ANSWER_SECONDS = 0.25
"""How long an answer may be on its way from a provider that said goodbye."""


def give_up_soon(caller: Caller, desk: Desk) -> None:
    """Runners came or went: let the tool calls end whose provider is nowhere any more."""

    def is_gone(provider: str) -> bool:
        return desk.condition(provider).state in (EnsembleState.GONE, EnsembleState.STOPPED)

    asyncio.get_running_loop().call_later(LAST_ANSWER_SECONDS, caller.give_up, is_gone)
