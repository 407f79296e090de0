"""Each provider in turn, in order of name."""

from __future__ import annotations

from collections.abc import Sequence

from runner.offer import Offer
from runner.routing.strategy import Occasion


def round_robin(offers: Sequence[Offer], occasion: Occasion) -> Offer:
    return offers[occasion.turn % len(offers)]
