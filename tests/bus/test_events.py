"""Events are sent later than they are written, and none of them holds another up."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from runner.bus.connection import connect
from runner.bus.events import Events
from runner.event import Event
from runner.subjects import Subjects
from tests.support.networks import eventually
from tests.support.servers import plain_server

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def test_an_event_is_made_when_it_is_sent_and_one_that_cannot_be_is_lost_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="runner.bus")
    async with plain_server(tmp_path) as url:
        connection = await connect([url], caller="_runner", credentials=None)
        events, heard = Events(connection, Subjects("inn")), []
        listening = asyncio.ensure_future(_listen(events, heard))
        try:
            await eventually(lambda: bool(connection._subs), "somebody who listens")
            event = partial(Event, at=NOON, ensemble="kitchen")
            events.write(event(kind="before"))
            events.write(partial(event, kind="broken", message="\ud800"))
            events.write(partial(event, kind="after"))
            await eventually(lambda: len(heard) == 2, "both others")
            assert [one.kind for one in heard] == ["before", "after"]
            assert [record.levelname for record in caplog.records] == ["WARNING"]
        finally:
            listening.cancel()
            await asyncio.wait((listening,))
            await events.close()
            await connection.close()


async def _listen(events: Events, heard: list[Event]) -> None:
    async for event in events.live():
        heard.append(event)
