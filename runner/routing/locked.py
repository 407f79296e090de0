"""What a lock leaves of those who meet a need."""

from __future__ import annotations

from runner.capability import CapabilityInfo
from runner.model import Discovery


def admits(need: Discovery, capability: CapabilityInfo) -> bool:
    """Whether the need is not locked to others."""
    return need.only is None or f"{capability.provider}/{capability.name}" in need.only
