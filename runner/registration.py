"""What one ensemble offers on one runner: what the live catalog is made of."""

from __future__ import annotations

from runner.capability import CapabilityInfo
from runner.work import EnsembleState, Wire


class Registration(Wire, cache_strings="all"):  # providers, tags and domains are said again and again
    """What one ensemble offers on one runner; the record of the `capabilities` bucket."""

    ensemble: str
    runner: str
    state: EnsembleState
    capabilities: tuple[CapabilityInfo, ...] = ()
    detail: str | None = None
    """Why it is not READY, where it is DEGRADED."""
