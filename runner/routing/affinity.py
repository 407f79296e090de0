"""The same provider for the same key: rendezvous hashing, after Thaler and Ravishankar, "Using Name-Based Mappings to
Increase Hit Rates" (1998). When one of n leaves only its own keys move, and spread over the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from runner.offer import Offer
from runner.routing.strategy import Occasion


def affinity(offers: Sequence[Offer], occasion: Occasion) -> Offer:
    key = occasion.key.encode(errors="surrogatepass")
    return max(offers, key=lambda offer: (_weight(key, offer), offer.provider))


def _weight(key: bytes, offer: Offer) -> bytes:
    """Hashed under its name, so that no key can be made up that reads like a provider's."""
    return blake2b(key, digest_size=8, key=_name(offer.provider, offer.capability.name)).digest()


@lru_cache(maxsize=4096)
def _name(provider: str, capability: str) -> bytes:
    return blake2b(f"{provider}/{capability}".encode(), digest_size=32).digest()
