"""How long a process that keeps ending is left alone before it is started again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.1
MOST_SECONDS = 30.0
STOOD_SECONDS = 30.0
"""A process that stood for so long ended for a reason of its own: the next pause is the first again."""


@dataclass(slots=True)
class Backoff:
    """Counts the ends of one process after another."""

    ends: int = 0

    def pause(self, stood: float) -> float:
        """The seconds to wait now that a process has ended that stood for so many: each time twice as many."""
        self.ends = 1 if stood >= STOOD_SECONDS else self.ends + 1
        return min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.ends - 1, 16))
