"""Who is alive, judged by beats: pure, the clock is handed in.

A runner is dead once it was silent for as long as three beats take. Only time in which the judge heard itself counts:
where it does not, the line may be cut on its own side, and the last judgement stands.
"""

from __future__ import annotations

BEAT_SECONDS = 1.0
DEAD_SECONDS = 3 * BEAT_SECONDS
DEAF_SECONDS = 1.75 * BEAT_SECONDS
"""Not having heard oneself for so long, one counts as cut off: one beat of one's own was lost."""


class Liveness:
    """The judgement of one runner, `own`, which is alive to itself. Times are seconds of a clock that only rises."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._own_heard: float | None = None
        self._seen: dict[str, float] = {}

    def heard(self, runner: str, now: float) -> None:
        """A beat arrived."""
        if runner != self._own:
            self._seen[runner] = now
            return
        if not self.hears_itself(now):
            for other in self.live(now):
                self._seen[other] = now  # what went unheard meanwhile is nobody's fault
        self._own_heard = now

    def mention(self, runner: str, now: float) -> None:
        """There is such a runner: it has as long as any other to be heard."""
        if runner != self._own:
            self._seen.setdefault(runner, now)

    def leave(self, runner: str) -> None:
        """It said that it goes: from now on it is not there."""
        self._seen[runner] = float("-inf")

    def forget(self, runner: str) -> None:
        """Nothing is left that names it."""
        self._seen.pop(runner, None)

    def hears_itself(self, now: float) -> bool:
        return self._own_heard is not None and now - self._own_heard <= DEAF_SECONDS

    def alive(self, runner: str, now: float) -> bool:
        return runner == self._own or (runner in self._seen and self.silence(runner, now) < DEAD_SECONDS)

    def live(self, now: float) -> frozenset[str]:
        """The others that are alive."""
        return frozenset(runner for runner in self._seen if self.alive(runner, now))

    def silence(self, runner: str, now: float) -> float:
        """How long a runner was silent, in seconds in which it could have been heard."""
        seen = self._seen.get(runner, float("-inf"))
        if self._own_heard is None:
            return 0.0 if seen != float("-inf") else float("inf")
        return max(0.0, min(now, self._own_heard + BEAT_SECONDS) - seen)
