"""The first provider in order of name: the same one every time, for as long as it is there."""

from __future__ import annotations

from collections.abc import Sequence

from runner.capability import CapabilityInfo


def first(candidates: Sequence[CapabilityInfo], turn: int) -> CapabilityInfo:
    return candidates[0]
