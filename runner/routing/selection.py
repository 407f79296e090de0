"""Which of several providers: the table of strategies. Each is a pure function, one a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.capability import CapabilityInfo
from runner.model import Selection
from runner.routing.first import first
from runner.routing.round_robin import round_robin

Strategy = Callable[[Sequence[CapabilityInfo], int], CapabilityInfo]
"""(candidates in order of provider, at least one; how often this use was resolved before) → the chosen one."""

STRATEGIES: Mapping[Selection, Strategy] = {
    Selection.FIRST: first,
    Selection.ROUND_ROBIN: round_robin,
}
