"""One request that somebody waits for: who may answer it, and what was heard so far."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from runner.work import Hint, Standing, TaskAccepted, TaskMoved, TaskProgress, TaskRejected, WorkResponse

MOST_PROVIDERS = 64
"""Of how many that take part in one request the caller keeps track."""

Hints = Callable[[TaskAccepted | TaskProgress], None]
Unclaimed = Callable[[Standing], None]
"""Hears once where a task stands that nobody claims."""


class Doubts(Protocol):
    """What a caller makes of a task's acceptance, while it waits."""

    def has(self, accepted: TaskAccepted) -> bool:
        """Whether there is anything to settle."""
        ...

    async def settle(self, accepted: TaskAccepted) -> bool:
        """Whether the task is to be called off."""
        ...


class Waiting:
    """One request that somebody waits for."""

    def __init__(self, provider: str, hints: Hints | None, doubts: Doubts | None) -> None:
        self.providers = [provider]
        """Who may answer: who was asked, and whoever that one handed it to."""
        self.strangers: set[str] = set()
        self.acceptance: TaskAccepted | None = None
        self.response: WorkResponse | None = None
        self.doubted: TaskAccepted | None = None
        self.standing: Standing | None = None
        """Where it stood when somebody last said so."""
        self.unclaimed: Unclaimed | None = None
        self._accepted: set[str] = set()
        """Who has accepted it: replicas may each say so, and say it again when it comes a second time."""
        self._hints = hints
        self._doubts = doubts
        self._told = asyncio.Event()
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def news(self) -> WorkResponse | None:
        """Return when there is a response, or when somebody says `look`: then None."""
        if self.response is None:
            await self._news
            self._news = asyncio.get_running_loop().create_future()
        return self.response

    async def claimed(self) -> None:
        """Return when the task is claimed or answered."""
        await self._told.wait()

    def look(self) -> None:
        if not self._news.done():
            self._news.set_result(None)

    @property
    def wants_to_know(self) -> bool:
        """Whether somebody is to hear that nobody has claimed it."""
        return self.unclaimed is not None and self.acceptance is None

    def stands(self, standing: Standing) -> None:
        """A runner said where it stands; whoever wants to know that nobody claims it hears so once."""
        self.standing = standing
        if self.unclaimed is not None and self.acceptance is None and standing.state in ("HELD", "QUEUED"):
            self.unclaimed(standing)
            self.unclaimed = None

    def take(self, hint: Hint) -> None:
        match hint:
            case WorkResponse():
                self.response = self.response or hint
                self._told.set()
                self.look()
            case TaskAccepted():
                if hint.provider not in self._accepted:
                    self._accepted.add(hint.provider)
                    self._accept(hint)
            case TaskProgress():
                self._tell(hint)
            case TaskMoved():
                self._accepted.discard(hint.provider)
                if len(self.providers) < MOST_PROVIDERS:
                    self.providers.append(hint.provider)
            case TaskRejected():
                pass  # the response follows

    def _accept(self, accepted: TaskAccepted) -> None:
        self.acceptance = self.acceptance or accepted
        self._told.set()
        if self._doubts and self._doubts.has(accepted):
            self.doubted = accepted
            self.look()
        self._tell(accepted)

    def _tell(self, hint: TaskAccepted | TaskProgress) -> None:
        if self._hints:
            self._hints(hint)

    def meet(self, stranger: str) -> None:
        """Somebody else answers. The word that it was moved may be lost: the record knows, and is asked, once each."""
        if stranger not in self.strangers and len(self.strangers) < MOST_PROVIDERS:
            self.strangers.add(stranger)
            self.look()
