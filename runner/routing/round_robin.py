"""Each provider in turn, in order of name."""

from __future__ import annotations

from collections.abc import Sequence

from runner.capability import CapabilityInfo


def round_robin(candidates: Sequence[CapabilityInfo], turn: int) -> CapabilityInfo:
    return candidates[turn % len(candidates)]
