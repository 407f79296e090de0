"""The less busy of two that are drawn by chance, after Mitzenmacher, "The Power of Two Choices in Randomized Load
Balancing" (2001): nearly as even as asking the least busy of all, without everybody running to that one at once."""

from __future__ import annotations

from collections.abc import Sequence

from runner.offer import Offer
from runner.routing.strategy import Occasion


def least_loaded(offers: Sequence[Offer], occasion: Occasion) -> Offer:
    count = len(offers)
    if count == 1:
        return offers[0]
    one = int(occasion.chance.random() * count)
    other = int(occasion.chance.random() * (count - 1))
    other += other >= one
    return offers[one] if busy(offers[one], occasion) <= busy(offers[other], occasion) else offers[other]


def busy(offer: Offer, occasion: Occasion) -> float:
    """What a provider has to do, over its slots.

    Beats tell of it once a second. In between the caller knows better what it has asked for itself; without that, all
    that is asked within a second goes to whoever was free at its beginning.
    """
    condition = offer.condition
    told = condition.in_flight + condition.queue_depth
    return max(told, occasion.asked.get(offer.provider, 0)) / max(1, condition.slots)
