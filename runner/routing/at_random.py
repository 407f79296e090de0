"""Any provider, each as likely as the others."""

from __future__ import annotations

from collections.abc import Sequence

from runner.offer import Offer
from runner.routing.strategy import Occasion


def at_random(offers: Sequence[Offer], occasion: Occasion) -> Offer:
    return offers[int(occasion.chance.random() * len(offers))]
