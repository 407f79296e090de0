"""The cheapest provider that is likely to be done in time; where none is, the one that will be done first.

It is no refusal: whoever would rather not wait says so with `on_late_eta`. Of a provider that measured nothing yet
nothing is known that speaks against it.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.offer import Offer
from runner.routing.lowest_cost import cost
from runner.routing.strategy import Occasion


def meets_deadline(offers: Sequence[Offer], occasion: Occasion) -> Offer:
    in_time = [offer for offer in offers if eta(offer) <= occasion.seconds_left]
    if in_time:
        return min(in_time, key=lambda offer: (cost(offer), eta(offer)))
    return min(offers, key=eta)


def eta(offer: Offer) -> float:
    """In how many seconds it is likely to be done."""
    return 0.0 if offer.eta is None else offer.eta
