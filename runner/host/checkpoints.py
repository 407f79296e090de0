"""The finished steps of one task at work: what an earlier start left of them, and what this one leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from runner.bus.payloads import GRACE
from runner.checkpoint import Checkpoint, Mark, definition_of
from runner.host.desk import Desk, StoreAway
from runner.host.workplace import Workplace
from runner.model import Task
from runner.payload import INLINE_BYTES, PayloadProblem, PayloadsAway, encoded, is_reference, reference_in
from runner.work import Record, WorkRequest

PATIENCE_SECONDS = 60.0
"""How long, in all, a piece of work waits for a store that is away before it goes on without checkpoints."""

RETRY_SECONDS = 0.25


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
        if not self.matters:
            return
        request = self.request
        found = await self.workplace.desk.checkpoints(request.caller, request.request_id)
        ours = {mark: checkpoint for mark, checkpoint in found.items() if checkpoint.epoch == self.epoch}
        same = {mark: one for mark, one in ours.items() if one.definition == self.definition}
        self.outdated = len(same) < len(ours)
        fetched = {mark: await self._fetched(one) for mark, one in same.items()}
        self.finished = {mark: one for mark, one in fetched.items() if one is not None}
        self.written = bool(found)

    @property
    def matters(self) -> bool:
        """Whether there is anything to keep: between the steps of a task, or between the items of one."""
        return len(self.task.steps) > 1 or any(step.for_each is not None for step in self.task.steps)

    def partial(self) -> dict[str, JsonValue] | None:
        """What earlier starts finished, for one who is not to start again."""
        kept = {step.label: self.of(step.label) for step in self.task.steps}
        return {label: one.output for label, one in kept.items() if one is not None and one.ran} or None

    @property
    def definition(self) -> str:
        if self._definition is None:
            self._definition = definition_of(self.workplace.name, self.task.name, self.task.steps)
        return self._definition

    @property
    def story(self) -> str | None:
        """What another start is told to go on with; None where there was none, or none got anywhere."""
        if not self.finished:
            return "from the beginning: the steps of the task have changed since" if self.outdated else None
        labels = [step.label for step in self.task.steps]
        done = [label for label in labels if self.of(label)]
        at = next((label for label in labels if label not in done), labels[-1])
        return f"at step `{at}`; done before: {', '.join(done) or 'some of its items'}"

    def of(self, *mark: str) -> Checkpoint | None:
        """What is kept of a step, or of an item of it."""
        return self.finished.get(mark)

    async def keep(self, *mark: str, output: JsonValue = None, ran: bool = True) -> None:
        """Returns when it is written, or cannot be: it is too large, or the store was away for too long."""
        self.written = True
        while True:
            try:
                await self._put(mark, output, ran)
                return
            except PayloadProblem as problem:
                self._say(f"%s is not checkpointed: {problem}", mark)
                return
            except (StoreAway, PayloadsAway):
                if self._patience <= 0:
                    self._say("%s is not checkpointed: the server is away", mark)
                    return
            began = time.monotonic()
            await asyncio.sleep(RETRY_SECONDS)
            self._patience -= time.monotonic() - began

    async def forget(self) -> None:
        """The task has its outcome: nothing that is kept of it is needed any more. What is left behind expires."""
        if not self.written and not self.epoch:  # whoever had it before, under another claim, may have left some
            return
        try:
            await self.workplace.desk.forget_checkpoints(self.request.caller, self.request.request_id)
        except StoreAway:
            self.workplace.log.warning("the checkpoints of %s are left to expire", self.request.request_id)

    async def _put(self, mark: Mark, output: JsonValue, ran: bool) -> None:
        """Raises StoreAway, PayloadsAway, PayloadProblem."""
        request, desk = self.request, self.workplace.desk
        stored = len(data := encoded(output)) > self.workplace.payloads.inline
        if stored:
            kept = max(timedelta(0), request.expires_at - datetime.now(UTC)) + GRACE
            output = (await desk.store_payload(data, kept)).told()
        checkpoint = Checkpoint(epoch=self.epoch, definition=self.definition, ran=ran, output=output, stored=stored)
        await desk.checkpoint(request.caller, request.request_id, mark, checkpoint)

    async def _fetched(self, checkpoint: Checkpoint) -> Checkpoint | None:
        """With its output; None where that is nowhere any more. Raises StoreAway."""
        if not checkpoint.stored or not is_reference(checkpoint.output):
            return checkpoint
        try:
            found = await self.workplace.desk.load_payload(
                reference_in(checkpoint.output), self.workplace.payloads.most
            )
            return checkpoint.model_copy(update={"output": found.value()})
        except PayloadProblem:
            return None
        except PayloadsAway as problem:
            raise StoreAway from problem

    def _say(self, text: str, mark: Mark) -> None:
        step = f"step `{' '.join(mark)}` of {self.workplace.name}/{self.task.name} for {self.request.request_id}"
        self.workplace.log.warning(text, step)


async def finished_under(desk: Desk, record: Record | None) -> dict[str, JsonValue] | None:
    """The outputs that a task finished under the claim that stands, as far as they fit into a message.

    For the outcome of one that nobody works on. Raises StoreAway.
    """
    if record is None:
        return None
    found = await desk.checkpoints(record.caller, record.request_id)
    ours = ((mark, one) for mark, one in sorted(found.items()) if one.epoch == record.epoch and not one.stored)
    partial = {mark[0]: one.output for mark, one in ours if len(mark) == 1 and one.ran}
    return partial if partial and len(encoded(partial)) <= INLINE_BYTES else None
