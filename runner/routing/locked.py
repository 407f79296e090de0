"""What a lock leaves of those who meet a need."""

from __future__ import annotations

from runner.capability import CapabilityInfo
from runner.model import Discovery, Ensemble


def admits(need: Discovery, capability: CapabilityInfo) -> bool:
    """Whether the need is not locked to others."""
    return need.only is None or f"{capability.provider}/{capability.name}" in need.only


def leaves(asking: Ensemble, need: Discovery, capability: CapabilityInfo) -> bool:
    """Whether the locks of an ensemble leave a capability to what one of its uses asked for; which, is not known any
    more. True where it has no use that looks for this: then nothing of it is locked."""
    same = [
        use.target
        for use in asking.uses.values()
        if isinstance(use.target, Discovery) and (use.target.name, use.target.tags) == (need.name, need.tags)
    ]
    return not same or any(admits(target, capability) for target in same)
