"""The pieces of work that one ensemble has in hand: each an asyncio task with an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

from runner.endings import ended

CANCEL_SECONDS = 2.0
"""How long cancelled work may take to notice; what does not is left behind."""


@dataclass(slots=True, eq=False)
class Crew:
    """Owns the tasks started here until they are done. `title` names a piece of work for whoever waits for it."""

    _tasks: dict[asyncio.Task[None], str] = field(default_factory=dict)
    lets_go: bool = False
    """Whether what is still in hand is stopped, for somebody else to do."""

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[object, object, None], title: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=title)
        self._tasks[task] = title
        task.add_done_callback(self._done)
        return task

    async def begun(self) -> None:
        """Wait for what is in hand now, not for what begins meanwhile."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def finish(self, seconds: float) -> tuple[str, ...]:
        """Wait for everything in hand; cancel what is left after `seconds` and return its titles."""
        if not self._tasks:
            return ()
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        titles = tuple(sorted(self._tasks[task] for task in late))
        self.lets_go = True
        await ended(*late, again=CANCEL_SECONDS, within=CANCEL_SECONDS)
        self.lets_go = False
        return titles

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (problem := task.exception()):
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a piece of work broke its own frame", "exception": problem, "task": task}
            )
