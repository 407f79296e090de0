"""The finished steps of one task at work: what an earlier start left of them, and what this one leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from runner.checkpoint import Checkpoint, Mark, definition_of
from runner.host.desk import StoreAway
from runner.host.workplace import Workplace
from runner.model import Task
from runner.work import WorkRequest

PATIENCE_SECONDS = 60.0
"""How long, in all, a piece of work waits for a store that is away before it goes on without checkpoints."""

RETRY_SECONDS = 0.25
HEADER_ROOM_BYTES = 1024
"""What the headers of a checkpoint may take of the server's limit."""


@dataclass(slots=True, eq=False)
class Checkpoints:
    """Of `request`, under the claim of `epoch`. A store that is away costs time, within bounds, and never the work."""

    workplace: Workplace
    request: WorkRequest
    task: Task
    epoch: int
    finished: Mapping[Mark, Checkpoint] = field(default_factory=dict)
    """What earlier starts finished."""
    outdated: bool = False
    """An earlier start finished steps of a task that has changed since."""
    written: bool = False
    _definition: str | None = None
    _patience: float = PATIENCE_SECONDS

    async def load(self) -> None:
        """Find what an earlier start left. Raises StoreAway."""
        request = self.request
        found = await self.workplace.desk.checkpoints(request.caller, request.request_id)
        ours = {mark: checkpoint for mark, checkpoint in found.items() if checkpoint.epoch == self.epoch}
        self.finished = {mark: one for mark, one in ours.items() if one.definition == self.definition}
        self.outdated = len(self.finished) < len(ours)
        self.written = bool(found)

    @property
    def definition(self) -> str:
        if self._definition is None:
            self._definition = definition_of(self.workplace.name, self.task.name, self.task.steps)
        return self._definition

    @property
    def story(self) -> str | None:
        """What another start is told to go on with; None where there was none, or none got anywhere."""
        done = [step.label for step in self.task.steps if self.of(step.label)]
        begun = {mark[0] for mark in self.finished} - set(done)
        at = next((step.label for step in self.task.steps if step.label not in done), None)
        if not done and not begun:
            return None
        return f"at step `{at}`; done before: {', '.join(done) or 'some of its items'}"

    def of(self, *mark: str) -> Checkpoint | None:
        """What is kept of a step, or of an item of it."""
        return self.finished.get(mark)

    async def keep(self, *mark: str, output: JsonValue = None, ran: bool = True) -> None:
        """Returns when it is written, or cannot be: it is too large, or the store was away for too long."""
        checkpoint = Checkpoint(epoch=self.epoch, definition=self.definition, ran=ran, output=output)
        size, limit = len(checkpoint.encode()), self.workplace.connection.max_payload - HEADER_ROOM_BYTES
        if size > limit:
            self._say("%s is not checkpointed: %s bytes; the server takes %s", mark, f"{size:,}", f"{limit:,}")
            return
        self.written = True
        while not await self._put(mark, checkpoint):
            if self._patience <= 0:
                self._say("%s is not checkpointed: the server is away", mark)
                return
            began = time.monotonic()
            await asyncio.sleep(RETRY_SECONDS)
            self._patience -= time.monotonic() - began

    async def forget(self) -> None:
        """The task has its outcome: nothing that is kept of it is needed any more. What is left behind expires."""
        if not self.written:
            return
        try:
            await self.workplace.desk.forget_checkpoints(self.request.caller, self.request.request_id)
        except StoreAway:
            self.workplace.log.warning("the checkpoints of %s are left to expire", self.request.request_id)

    async def _put(self, mark: Mark, checkpoint: Checkpoint) -> bool:
        request = self.request
        try:
            await self.workplace.desk.checkpoint(request.caller, request.request_id, mark, checkpoint)
        except StoreAway:
            return False
        return True

    def _say(self, text: str, mark: Mark, *details: str) -> None:
        step = f"step `{' '.join(mark)}` of {self.workplace.name}/{self.task.name} for {self.request.request_id}"
        self.workplace.log.warning(text, step, *details)
