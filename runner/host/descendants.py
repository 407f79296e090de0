"""What a request had asked of others before its runner went: nobody remembers, but the queues tell."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runner.bus.backlog import Backlog
from runner.host.version import InForce
from runner.subjects import Reply
from runner.work import Record, span_of


class Descendants:
    def __init__(self, in_force: InForce, backlog: Backlog) -> None:
        self._in_force = in_force
        self._backlog = backlog

    async def of(self, record: Record) -> AsyncIterator[Reply]:
        """Every task, waiting or at work, that was sent for a request: its span hangs under one of the request's steps.

        A tool call ends with whoever made it.
        """
        provider = self._in_force.network.ensembles.get(record.provider)
        task = provider.tasks.get(record.task) if provider else None
        if task is None:
            return
        spans = {span_of(record.caller, record.request_id, step.label) for step in task.steps}
        for name in self._in_force.all_queues():
            async for waiting in self._backlog.waiting(name, caller=record.provider):
                if waiting.request.trace_context.span_id in spans:
                    yield Reply(record.provider, name, waiting.request.request_id)
