"""The cheapest provider. One that names no cost comes after all that do: what it costs is not known."""

from __future__ import annotations

from collections.abc import Sequence

from runner.offer import Offer
from runner.routing.strategy import Occasion


def lowest_cost(offers: Sequence[Offer], occasion: Occasion) -> Offer:
    return min(offers, key=cost)


def cost(offer: Offer) -> float:
    return float("inf") if offer.cost is None else offer.cost
