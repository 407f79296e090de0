"""Another instance takes the place of the one before, also where the runner stops in the middle of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from runner.host.hosted import Hosted
from runner.host.replacing import TakingOver
from runner.host.succession import Succession
from tests.support.networks import eventually


async def nothing() -> None:
    """At once."""


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("serve", "leave"), [(forever, nothing), (nothing, forever)], ids=["is not heard yet", "stands, beside the other"]
)
async def test_one_that_does_not_stand_yet_as_the_runner_stops_is_stopped_with_the_one_before(
    serve: Any, leave: Any
) -> None:
    """It takes calls by then, or will: nobody would work on them, and nobody would end its process."""
    told: list[str] = []
    before: Any = SimpleNamespace(leave=leave)
    after: Any = SimpleNamespace(serve=serve, admit=lambda: told.append("admitted"))
    hosted: dict[str, Hosted] = {"kitchen": before}
    taking = TakingOver({"kitchen": after}, hosted)
    standing = asyncio.ensure_future(taking.stand())
    await eventually(lambda: bool(taking._standing), "that it is on its way")
    standing.cancel()
    await asyncio.wait((standing,))
    taking.admit()
    await taking.close()
    assert told == ["admitted"]
    assert isinstance(taken := hosted["kitchen"], Succession)
    assert taken.all == (after, before)
