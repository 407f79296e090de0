"""One request that somebody waits for: who may answer it, and what was heard so far."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from runner.work import Hint, TaskAccepted, TaskMoved, TaskProgress, TaskRejected, WorkResponse

MOST_PROVIDERS = 64
"""Of how many that take part in one request the caller keeps track."""

Hints = Callable[[TaskAccepted | TaskProgress], None]


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

    def take(self, hint: Hint) -> None:
        match hint:
            case WorkResponse():
                self.response = self.response or hint
                self._told.set()
                self.look()
            case TaskAccepted() | TaskProgress():
                if isinstance(hint, TaskAccepted):
                    self.acceptance = self.acceptance or hint
                    self._told.set()
                    if self._doubts and self._doubts.has(hint):
                        self.doubted = hint
                        self.look()
                if self._hints:
                    self._hints(hint)
            case TaskMoved():
                if len(self.providers) < MOST_PROVIDERS:
                    self.providers.append(hint.provider)
            case TaskRejected():
                pass  # the response follows

    def meet(self, stranger: str) -> None:
        """Somebody else answers. The word that it was moved may be lost: the record knows, and is asked, once each."""
        if stranger not in self.strangers and len(self.strangers) < MOST_PROVIDERS:
            self.strangers.add(stranger)
            self.look()
