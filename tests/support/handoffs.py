"""Runners that end in the middle of a hand-off, as far as a test in one process has any such end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runner.host.inline_desk import InlineDesk
from runner.work import Record, WorkRequest

KITCHEN = """\
import asyncio

import runner

cooked, release = [], asyncio.Event()


async def greet(text: str) -> str:
    return f"dear {text}"


async def cook(guest: str, context: runner.Context) -> str:
    request = context.request
    if "slow" in guest:
        await release.wait()
    cooked.append(guest)
    return f"{guest}: {request.caller} {request.request_id} {', '.join(request.chain)} ({cooked.count(guest)})"
"""
"""Python of those that hand off: whoever is `slow` is cooked for once it is released."""


@contextmanager
def dying(
    monkeypatch: pytest.MonkeyPatch, method: str, *, after: bool, handing: int = 1
) -> Iterator[list[Record | WorkRequest]]:
    """Whoever hands off ends in the middle of it, once: before or `after` the runner did what it was asked to, for the
    provider that is tried as number `handing`."""
    original, seen = getattr(InlineDesk, method), 0
    deaths: list[Record | WorkRequest] = []

    async def deadly(self: InlineDesk, given: Record | WorkRequest, *more: Any, **named: Any) -> object:
        nonlocal seen
        is_handing = isinstance(given, WorkRequest) or (given.moved is not None and given.response is None)
        seen += is_handing
        if not is_handing or deaths or seen != handing:
            return await original(self, given, *more, **named)
        deaths.append(given)
        if after:
            await original(self, given, *more, **named)
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(InlineDesk, method, deadly)
        yield deaths
