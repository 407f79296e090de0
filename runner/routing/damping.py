"""When a provider counts as well, of the outcomes of its health checks. Pure; times are seconds of a rising clock.

It is ill after some failures in a row and well after one success. One that comes and goes is held down: each time it
falls ill it gets a penalty, which decays by half in a minute, and beyond a limit it stays ill until little of that is
left. The scheme, and the proportion of its numbers, is that of route flap damping (RFC 2439, with the figures of its
section 4.2 and of common routers: 1000 a flap, suppressed at 2000, used again at 750).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

PENALTY = 1000.0
SUPPRESS = 2000.0
REUSE = 750.0
CEILING = 12_000.0
HALF_LIFE_SECONDS = 60.0

LONGEST_HOLD_SECONDS = HALF_LIFE_SECONDS * math.log2(CEILING / REUSE)


@dataclass(frozen=True, slots=True)
class Wellness:
    """What the checks of one provider came to until `at`."""

    failed: int = 0
    """Failures in a row."""
    ill: bool = False
    held: bool = False
    """It has come and gone too often: a success alone does not make it well."""
    penalty: float = 0.0
    at: float = 0.0

    def penalty_at(self, now: float) -> float:
        return self.penalty * math.pow(0.5, max(0.0, now - self.at) / HALF_LIFE_SECONDS)

    def held_seconds(self, now: float) -> float:
        """For how long it is held down yet."""
        penalty = self.penalty_at(now)
        return HALF_LIFE_SECONDS * math.log2(penalty / REUSE) if self.held and penalty > REUSE else 0.0


def checked(before: Wellness, *, ok: bool, now: float, failures: int) -> Wellness:
    """After one more check; `failures` in a row make it ill."""
    penalty, failed = before.penalty_at(now), 0 if ok else before.failed + 1
    ill, held = before.ill, before.held
    if not ill and failed >= failures:
        ill, penalty = True, min(penalty + PENALTY, CEILING)
        held = penalty > SUPPRESS
    elif ill and ok and not before.held_seconds(now):
        ill, held = False, False
    return Wellness(failed, ill, held, penalty, now)
