"""One request as the code that works on it sees it: what steps, agents and user functions may ask of the host."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from runner.capability import CapabilityInfo
from runner.work import WorkRequest

Place = tuple[str | int, ...]
"""Where in the work a call is made: step label, item, attempt, running number. Child ids hash it.

Item and attempt are told apart from the numbers and from each other, so that no two calls share a place.
"""

_ATTEMPT = "attempt "


def item_at(index: int) -> str:
    """An item of a fan-out, as a part of a place."""
    return f"[{index}]"


def attempted(number: int) -> str:
    """An attempt, counted from 1, as a part of a place."""
    return f"{_ATTEMPT}{number}"


def whatever_attempt(place: Place) -> Place:
    """A place without the attempts in it: the same for all of them."""
    return tuple(part for part in place if not (isinstance(part, str) and part.startswith(_ATTEMPT)))


class Assignment(Protocol):
    """Offered by the host for as long as the request is worked on."""

    @property
    def request(self) -> WorkRequest: ...

    @property
    def ensemble(self) -> str: ...

    @property
    def deadline(self) -> datetime:
        """When the request expires, in UTC."""
        ...

    @property
    def log(self) -> logging.Logger: ...

    async def use(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        """Delegate through a use and return the result. The slot is free meanwhile. Raises CallFailed."""
        ...

    def found(self, uses: Sequence[str]) -> tuple[CapabilityInfo, ...]:
        """Everybody who could be asked now through any of these uses, in order of provider and name."""
        ...

    async def use_found(
        self, uses: Sequence[str], found: CapabilityInfo, input: JsonValue, *, place: Place
    ) -> JsonValue:
        """Delegate to one that was found through these uses, and to nobody else. Raises CallFailed."""
        ...

    async def hand_off(self, name: str, input: JsonValue) -> str:
        """Choose, through a use, which task answers in place of this one: `ensemble/task`. Raises CallFailed.

        It is asked when the work here is over without a failure.
        """
        ...

    async def tool(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        """Call one of the ensemble's own tools and return its result. Takes no slot. Raises CallFailed."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let time pass. The slot is free meanwhile."""
        ...

    async def progress(self, message: str, percent: float | None = None) -> None:
        """Tell whoever waits how far the work is. Percent from 0 to 100."""
        ...

    def describe(self, name: str) -> CapabilityInfo | None:
        """What an agent is told of one of its tools, own or remote; None while a discovered one has no provider."""
        ...

    @property
    def variables(self) -> Mapping[str, JsonValue]:
        """What every template of this request sees: `context`, `request`."""
        ...
