"""What a request had asked of others before its runner went: nobody remembers, but the queues tell."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runner.bus.backlog import Backlog
from runner.model import Network
from runner.subjects import Reply
from runner.work import CapabilityType, Record, span_of


class Descendants:
    def __init__(self, network: Network, backlog: Backlog) -> None:
        self._network = network
        self._backlog = backlog

    async def of(self, record: Record) -> AsyncIterator[Reply]:
        """Every task, waiting or at work, that was sent for a request: its span hangs under one of the request's steps.

        A tool call ends with whoever made it.
        """
        provider = self._network.ensembles.get(record.provider)
        task = provider.tasks.get(record.task) if provider else None
        if task is None:
            return
        spans = {span_of(record.caller, record.request_id, step.label) for step in task.steps}
        for name in self._queues():
            async for waiting in self._backlog.waiting(name, caller=record.provider):
                if waiting.request.trace_context.span_id in spans:
                    yield Reply(record.provider, name, waiting.request.request_id)

    def _queues(self) -> list[str]:
        shared = {name: ensemble.shared().values() for name, ensemble in self._network.ensembles.items()}
        return [name for name, offers in sorted(shared.items()) if any(k is CapabilityType.TASK for k, _ in offers)]
