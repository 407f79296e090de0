"""Offers as a selection reads them, in a word each."""

from __future__ import annotations

from datetime import timedelta

from runner.capability import CapabilityInfo
from runner.offer import Condition, Offer
from runner.work import Authority, CapabilityType, EnsembleState


def capability(
    provider: str,
    name: str = "cook",
    *,
    tags: tuple[str, ...] = (),
    type: CapabilityType = CapabilityType.TASK,
    authority: Authority = Authority.AUTONOMOUS,
    cost: float | None = None,
) -> CapabilityInfo:
    return CapabilityInfo(
        name=name, type=type, provider=provider, tags=tags, authority=authority, cost=cost, sla=timedelta(seconds=30)
    )


def offer(
    provider: str,
    *,
    state: EnsembleState = EnsembleState.READY,
    slots: int = 4,
    busy: int = 0,
    waiting: int = 0,
    seconds: float | None = None,
    cost: float | None = None,
) -> Offer:
    took = {} if seconds is None else {"cook": seconds}
    condition = Condition(state, 1, slots, busy, waiting, seconds=took)
    return Offer(capability(provider, cost=cost), condition)
