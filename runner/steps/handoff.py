"""`handoff`: another ensemble answers the caller in place of this one."""

from __future__ import annotations

from typing import NoReturn

from runner.errors import CallFailed
from runner.model import HandoffStep
from runner.steps.scope import Scope
from runner.work import Code


async def run(step: HandoffStep, scope: Scope) -> NoReturn:
    raise CallFailed("a `handoff` step is not supported yet", code=Code.NOT_YET_SUPPORTED)
