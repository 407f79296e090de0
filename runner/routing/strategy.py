"""What every strategy is given, and what it is: a pure function from candidates to one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runner.offer import Offer


class Chance(Protocol):
    """Where chance comes from, such as a seeded `random.Random`: the caller's."""

    def random(self) -> float:
        """A number from 0 to 1, 1 excluded."""
        ...


@dataclass(frozen=True, slots=True)
class Occasion:
    """One request, as far as a choice goes by it."""

    chance: Chance
    turn: int = 0
    """How often this use was resolved before."""
    key: str = ""
    """What requests that belong together have in common."""
    seconds_left: float = float("inf")
    """How long the request may take."""
    asked: Mapping[str, int] = field(default_factory=dict)
    """How much this caller has asked of each provider and not heard the end of."""


Strategy = Callable[[Sequence[Offer], Occasion], Offer]
"""(candidates in order of provider, at least one; the request) → the chosen one.

Asked again without the one that it chose, it tells who comes next.
"""
