"""Tool calls that take long: whether anybody still has them in hand.

Who took a call its caller does not know, and of a runner that died nothing tells. So the runners are asked, once for
all calls of a caller that have waited for a while; a call that ends soon costs nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from runner.bus.away import AWAY
from runner.bus.connection import Connection
from runner.endings import ended
from runner.subjects import Subjects

LOOK_SECONDS = 1.5
"""From one look at what waits to the next. A call that is seen twice is asked for."""

LONGEST_SECONDS = 12.0
"""From one look to the next where nobody answers."""

AGAIN_SECONDS = 0.5
"""After how long it is asked again for a call that nobody has: its answer may have been on its way."""

ANSWER_SECONDS = 3.0
MOST = 256
"""For how many calls one question asks."""

_Token = Annotated[str, StringConstraints(max_length=64)]
_Tokens = Annotated[tuple[_Token, ...], Field(max_length=MOST)]
_LOST = TypeAdapter(frozenset[str])


class AskedCalls(BaseModel):
    """Tool calls, by where their caller waits for the answer: `at`, and a token of each, by provider."""

    model_config = ConfigDict(frozen=True)

    at: str
    calls: Annotated[Mapping[str, _Tokens], Field(max_length=MOST)]

    def addresses(self, provider: str) -> frozenset[str]:
        return frozenset(self.at + token for token in self.calls.get(provider, ()))

    def of(self, provider: str) -> AskedCalls:
        return AskedCalls(at=self.at, calls={provider: self.calls[provider]})


class Vigil:
    """Of one caller, from the first `begin` until `close`. Looks while calls wait, and sleeps where none does."""

    def __init__(self, connection: Connection, subjects: Subjects, name: str) -> None:
        self._connection = connection
        self._subjects = subjects
        self._name = name
        self._awake = False
        self._pause = LOOK_SECONDS
        self._seen: frozenset[str] = frozenset()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """A call is made."""
        if not self._awake:
            self._awake = True
            self._rest()

    async def close(self) -> None:
        """Nothing is asked any more."""
        self._awake = True
        if self._timer is not None:
            self._timer.cancel()
        await ended(self._asking)

    def _rest(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._look)

    def _look(self) -> None:
        waiting = dict(self._waiting())
        long = {token: provider for token, provider in waiting.items() if token in self._seen}
        self._seen = frozenset(waiting)
        if not waiting or self._connection.is_closed:
            self._awake = False
        elif long and self._connection.is_connected:
            self._asking = asyncio.ensure_future(self._ask(long))
        else:
            self._rest()

    def _waiting(self) -> list[tuple[str, str]]:
        """The token and the provider of every tool call that waits for its answer."""
        parsed = ((token, self._subjects.parse_tool(subject)) for token, subject in self._connection.asked())
        return [(token, call.provider) for token, call in parsed if call is not None]

    async def _ask(self, waiting: Mapping[str, str]) -> None:
        every = tuple(waiting)
        for some in (every[at : at + MOST] for at in range(0, len(every), MOST)):
            lost = await self._lost({token: waiting[token] for token in some})
            if lost:
                await asyncio.sleep(AGAIN_SECONDS)
                self._connection.lose(await self._lost({token: waiting[token] for token in lost}))
        self._rest()

    async def _lost(self, waiting: Mapping[str, str]) -> frozenset[str]:
        """Those of these that no living runner has in hand, as a runner says; none where nobody says so."""
        calls: dict[str, list[str]] = {}
        for token, provider in waiting.items():
            calls.setdefault(provider, []).append(token)
        asked = AskedCalls(at=self._connection.answers, calls={name: tuple(some) for name, some in calls.items()})
        subject, body = self._subjects.lost(self._name), asked.model_dump_json().encode()
        try:
            answer = await self._connection.request(subject, body, timeout=ANSWER_SECONDS)
            lost = _LOST.validate_json(answer.data)
        except (*AWAY, ValidationError):
            self._pause = min(2 * self._pause, LONGEST_SECONDS)
            return frozenset()
        self._pause = LOOK_SECONDS
        return lost & waiting.keys()
