"""Beats on the wire: core messages, said and heard, kept by nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable

from nats.aio.msg import Msg
from pydantic import ValidationError

from runner.beat import Beat
from runner.bus.connection import Connection, settled
from runner.subjects import Subjects

_log = logging.getLogger("runner.bus")


class Beats:
    """Over a connection that hears what it says itself: a runner that does not hear its own is the one cut off."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects

    async def hear(self, heard: Callable[[Beat], None]) -> None:
        """Tell of every beat from now on, one's own included."""

        async def on_message(message: Msg) -> None:
            try:
                beat = Beat.model_validate_json(message.data)
            except ValidationError:
                _log.warning("dropped a beat that is none: %s", message.subject)
                return
            if self._subjects.beat(beat.runner) == message.subject:
                heard(beat)

        await self._connection.subscribe(self._subjects.beats(), cb=on_message)
        await settled(self._connection)

    async def say(self, beat: Beat) -> None:
        """Without effect while there is no connection: an old beat tells nothing."""
        if self._connection.is_connected:
            await self._connection.publish(self._subjects.beat(beat.runner), beat.encode())
