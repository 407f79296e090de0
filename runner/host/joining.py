"""`dedupe: content`: a request that is the same as another one takes that one's result, and is not worked on itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from runner.host.contents import content_of
from runner.host.desk import First
from runner.host.in_hand import InHand
from runner.host.workplace import Workplace
from runner.work import CachePolicy, Dedupe, WorkRequest

LOOK_SECONDS = 0.25
HOLD_SECONDS = 10.0
"""How long a request waits here for one that is elsewhere; then it goes back into the queue, so that we may drain."""

LATER_SECONDS = 1.0


class Later(Exception):
    """The task is given back, to be looked at again after a while."""


@dataclass(frozen=True, slots=True, eq=False)
class Joining:
    """For one ensemble. `in_hand` are its tasks by caller and request id."""

    workplace: Workplace
    in_hand: Mapping[tuple[str, str], InHand]

    def applies(self, request: WorkRequest) -> bool:
        """Whether the request, or its task, asks for it."""
        if request.cache_policy is CachePolicy.FORCE_FRESH:
            return False
        return Dedupe.CONTENT in (request.dedupe, self.workplace.ensemble.tasks[request.task].dedupe)

    async def first(self, hand: InHand) -> First | None:
        """The request that was first, completed; None: this one is the first, and is to be worked on.

        Waits while that one is at work, without a slot. Raises Later, StoreAway.
        """
        found = await self._look(hand)
        if found is None or found.outcome is not None:
            return found
        async with hand.delegation.elsewhere():
            give_up = asyncio.get_running_loop().time() + HOLD_SECONDS
            while found is not None and found.outcome is None:
                if (other := self.in_hand.get((hand.claim.caller, found.request_id))) is not None:
                    await other.over()
                elif asyncio.get_running_loop().time() > give_up:
                    raise Later
                else:
                    await asyncio.sleep(LOOK_SECONDS)
                found = await self._look(hand)
        return found

    async def _look(self, hand: InHand) -> First | None:
        request = hand.claim.request
        content = content_of(request, f"{self.workplace.name}/{request.task}")
        return await self.workplace.desk.first(hand.claim.caller, content, request.request_id)
