"""What is asked of one priority's queue, and what is known of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from runner.bus.urgency import Head

UNKNOWN = Head(0.0)
"""Nothing is known: it may have waited for ever."""


@dataclass(slots=True, eq=False)
class Pull:
    """One request for messages. `filled` becomes True when all came, False when the server ended it before."""

    credits: int
    filled: asyncio.Future[bool]

    def end(self, *, filled: bool) -> None:
        if not self.filled.done():
            self.filled.set_result(filled)


@dataclass(slots=True)
class PriorityQueue:
    """What is asked of one priority, oldest first, and when the server last said anything about it.

    `head` bounds how long its head has waited; `known` is when it was asked for, `emptied` when nothing was
    known to wait; all on one clock.
    """

    pulls: dict[str, Pull] = field(default_factory=dict)
    heard: float = 0.0
    head: Head = UNKNOWN
    emptied: float = 0.0
    known: float = 0.0

    @property
    def outstanding(self) -> int:
        return sum(pull.credits for pull in self.pulls.values())

    def empty(self, now: float) -> None:
        """Nothing waits: what comes to the head comes from now on."""
        self.head, self.emptied = Head(now), now

    def know(self, since: float | None, now: float) -> None:
        """What stands at the head came at `since`; None: nothing does."""
        if since is None:
            self.empty(now)
        else:
            self.head, self.known = Head(since, exact=True), now

    def doubt(self, before: float) -> None:
        """What was known before that instant is but a bound now: another replica may have taken the head."""
        if self.head.exact and self.known < before:
            self.head = Head(self.head.since)

    def take(self) -> None:
        """One message arrived: the oldest pull has one credit less."""
        for token, pull in self.pulls.items():
            pull.credits -= 1
            if pull.credits <= 0:
                del self.pulls[token]
                pull.end(filled=True)
            return

    def taken(self, stamp: float, *, pending: int, again: bool, now: float) -> None:
        """What came at `stamp` is taken from the head, and `pending` stand behind it; `again`: not for the first time.

        What is delivered again stood before all that was not delivered yet, so that it tells nothing of those.
        """
        if pending == 0:
            self.empty(now)
        elif not again:
            self.head = Head(max(stamp, self.head.since))

    def end(self, token: str) -> None:
        if pull := self.pulls.pop(token, None):
            pull.end(filled=False)

    def end_all(self) -> None:
        for token in list(self.pulls):
            self.end(token)
