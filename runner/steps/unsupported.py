"""A step of a kind that this version reads but cannot run: it fails closed, by name."""

from __future__ import annotations

from typing import NoReturn

from runner.errors import CallFailed
from runner.model import UnsupportedStep
from runner.steps.scope import Scope
from runner.work import Code


async def run(step: UnsupportedStep, scope: Scope) -> NoReturn:
    raise CallFailed(f"{step.feature} is not supported yet", code=Code.NOT_YET_SUPPORTED)
