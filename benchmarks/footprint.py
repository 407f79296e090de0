"""What a runner takes over a run, as a line through what was measured: kilobytes a reload.

Resident memory goes up in steps, as an allocator asks the system for more, and hardly ever comes down: the line through
all that was measured after the first hundred reloads tells whether it goes on going up. What calls leave behind is no
matter of reloads: it is measured over as long a run of the same calls without any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import linear_regression

WARM = 100
"""After so many reloads everything has been done some times: what is made once is there."""

BOUND_KB = 8.0
"""Kilobytes a reload, beyond what the calls alone leave in the same time."""

MOST_LIVE = 1.1
"""What lives at the end, as a multiple of what lived after the first hundred: calls that are in hand, and where the
last thousand tasks were seen, make some three in a hundred of it come and go."""


@dataclass(frozen=True, slots=True)
class Live:
    """What no collection frees: Python's own blocks, and bytes beside them, None where nobody tells."""

    blocks: int
    native: int | None

    def __str__(self) -> str:
        native = "" if self.native is None else f" and {self.native / 2**20:.1f} MB beside them"
        return f"{self.blocks:,} Python blocks{native}"

    def times(self, before: Live) -> float:
        """The larger of both multiples of what was before."""
        native = self.native / before.native if self.native and before.native else 0.0
        return max(self.blocks / before.blocks, native)


@dataclass(slots=True)
class Footprint:
    """Of one run: the resident kilobytes of the runner, by how many reloads there were and how many seconds it ran."""

    resident: list[tuple[int, float, float]] = field(default_factory=list)
    live: dict[int, Live] = field(default_factory=dict)

    def a_reload(self) -> float:
        """Kilobytes for each reload after the first ones."""
        return _slope((number, kilobytes) for number, _, kilobytes in self.resident if number >= self.warm)

    def a_second(self) -> float:
        """Kilobytes for each second after the first third."""
        last = self.resident[-1][1]
        return _slope((seconds, kilobytes) for _, seconds, kilobytes in self.resident if seconds >= last / 3)

    def grown(self) -> float:
        """What lives at the end as a multiple of what lived after the first reloads."""
        late = [self.live[number] for number in sorted(self.live) if number >= self.warm]
        return late[-1].times(late[0])

    @property
    def warm(self) -> int:
        return min(WARM, self.resident[-1][0] // 3)


def _slope(points: Iterable[tuple[float, float]]) -> float:
    across, up = zip(*points, strict=True)
    return linear_regression(across, up).slope if len(set(across)) > 1 else 0.0
