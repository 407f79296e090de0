"""Least-loaded beside round-robin with one slow provider of four: seeded simulations of the strategies themselves.

What is simulated is told of a provider as it is in a network: its beat once a second, and in between each caller knows
what it has asked for itself.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from dataclasses import dataclass, field

import pytest

from runner.model import Selection
from runner.offer import Offer
from runner.routing.selection import STRATEGIES
from runner.routing.strategy import Occasion
from tests.support.offers import offer

SLOTS = 4
SECONDS = {"a": 0.02, "b": 0.02, "c": 0.02, "slow": 0.1}
A_SECOND = 150
"""Requests: a quarter of them keeps the slow one busy for 94 % of the time."""

REQUESTS = 12_000
BEAT_SECONDS = 1.0


@dataclass(frozen=True, order=True)
class End:
    at: float
    number: int
    provider: str = field(compare=False)
    caller: int = field(compare=False)
    asked_at: float = field(compare=False)


@dataclass
class Simulation:
    """Requests come by chance, each works for an exponential time in a slot, or waits for one."""

    select: Selection
    callers: int
    chance: random.Random
    waits: dict[str, deque[tuple[float, int]]] = field(default_factory=lambda: {name: deque() for name in SECONDS})
    working: Counter[str] = field(default_factory=Counter)
    ends: list[End] = field(default_factory=list)
    took: list[float] = field(default_factory=list)

    def run(self) -> float:
        """The time that one in a hundred requests exceeds, in seconds."""
        now, beat, offers = 0.0, 0.0, self._beaten()
        self.asked: list[Counter[str]] = [Counter() for _ in range(self.callers)]
        for number in range(REQUESTS):
            now += self.chance.expovariate(A_SECOND)
            self._until(now)
            if now >= beat:
                beat, offers = now + BEAT_SECONDS, self._beaten()
            caller = number % self.callers
            occasion = Occasion(self.chance, number // self.callers, asked=self.asked[caller])
            self._ask(STRATEGIES[self.select](offers, occasion).provider, caller, now)
        self._until(float("inf"))
        return sorted(self.took)[int(len(self.took) * 0.99)]

    def _beaten(self) -> list[Offer]:
        return [
            offer(name, slots=SLOTS, busy=self.working[name], waiting=len(self.waits[name])) for name in sorted(SECONDS)
        ]

    def _ask(self, provider: str, caller: int, now: float) -> None:
        self.asked[caller][provider] += 1
        if self.working[provider] < SLOTS:
            self._begin(provider, caller, now, now)
        else:
            self.waits[provider].append((now, caller))

    def _begin(self, provider: str, caller: int, asked_at: float, now: float) -> None:
        self.working[provider] += 1
        at = now + self.chance.expovariate(1 / SECONDS[provider])
        heapq.heappush(self.ends, End(at, len(self.took) + len(self.ends), provider, caller, asked_at))

    def _until(self, now: float) -> None:
        while self.ends and self.ends[0].at <= now:
            end = heapq.heappop(self.ends)
            self.took.append(end.at - end.asked_at)
            self.working[end.provider] -= 1
            self.asked[end.caller][end.provider] -= 1
            if self.waits[end.provider]:
                asked_at, caller = self.waits[end.provider].popleft()
                self._begin(end.provider, caller, asked_at, end.at)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("callers", [1, 4])
def test_least_loaded_halves_the_slowest_hundredth_of_round_robin(seed: int, callers: int):
    slowest = {
        select: Simulation(select, callers, random.Random(seed)).run()
        for select in (Selection.ROUND_ROBIN, Selection.LEAST_LOADED)
    }
    assert slowest[Selection.LEAST_LOADED] * 2 <= slowest[Selection.ROUND_ROBIN]
