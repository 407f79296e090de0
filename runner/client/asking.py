"""One call, asked: of the provider that it names, or of one after the other of those that it discovers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from runner.bus.caller import CLAIM_SECONDS, Caller
from runner.bus.waiting import Hints
from runner.client.offers import Offers
from runner.client.patience import Doubts, Patience
from runner.client.targets import Target
from runner.reports import CatalogEntry
from runner.routing.failover import may_be_asked_elsewhere
from runner.work import CapabilityType, Code, Standing, TaskAccepted, TaskProgress, WorkRequest, WorkResponse

Answer = WorkResponse | TaskAccepted | Standing


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """`unclaimed` hears once where a task stands that nobody has claimed."""

    caller: Caller
    offers: Offers
    mode: Literal["await", "async"]
    patience: Patience
    hints: Hints
    unclaimed: Callable[[Standing], None] | None = None

    async def answer(self, wanted: Target, request: WorkRequest) -> Answer:
        """What the call comes to. Whoever is discovered and does not take it is followed by the next, with the same
        request: nobody has it yet."""
        refused: dict[str, WorkResponse] = {}
        while True:
            entry = await self.offers.provider(wanted, request, self.patience, refused)
            if isinstance(entry, WorkResponse):
                return next(reversed(refused.values()), entry)
            answer = await self._send(entry, request)
            if not isinstance(answer, WorkResponse):
                return answer
            if not may_be_asked_elsewhere(answer, idempotent=entry.idempotent):
                return answer
            if answer.error is not None and answer.error.code == Code.NO_PROVIDER:
                await self.offers.missed(entry.name)
            if wanted.ensemble is not None or datetime.now(UTC) >= request.expires_at:
                return answer
            refused[entry.provider] = answer

    async def _send(self, entry: CatalogEntry, request: WorkRequest) -> Answer:
        if entry.type is CapabilityType.TOOL:
            return await self.caller.tool(entry.provider, entry.name, request, idempotent=entry.idempotent)
        if self.mode == "async":
            return await self.caller.accepted(entry.provider, request, CLAIM_SECONDS)
        doubts = Doubts(request, self.patience, self.hints)
        response = await self.caller.task(
            entry.provider, request, self.hints, doubts=doubts, grace=self.patience.grace, unclaimed=self.unclaimed
        )
        return doubts.made_of(response, entry.provider)


def hints_for(
    on_accepted: Callable[[TaskAccepted], None] | None, on_progress: Callable[[TaskProgress], None] | None
) -> Hints:
    """Each hint goes to whoever hears of its kind, if anybody does."""

    def tell(hint: TaskAccepted | TaskProgress) -> None:
        match hint:
            case TaskAccepted():
                if on_accepted:
                    on_accepted(hint)
            case TaskProgress():
                if on_progress:
                    on_progress(hint)

    return tell
