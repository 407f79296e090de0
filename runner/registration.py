"""What one ensemble offers on one runner: what the live catalog is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b

from runner.capability import CapabilityInfo
from runner.work import EnsembleState, Wire


class Registration(Wire, cache_strings="all"):  # providers, tags and domains are said again and again
    """What one ensemble offers on one runner; the record of the `capabilities` bucket."""

    ensemble: str
    runner: str
    state: EnsembleState
    capabilities: tuple[CapabilityInfo, ...] = ()
    detail: str | None = None
    """Why it is not READY, where it is DEGRADED."""
    parts: tuple[str, ...] = ()
    """Where it has more capabilities than one record takes: the records that have them, in order, by their digests."""


class Part(Wire, cache_strings="all"):
    """Some capabilities of a registration, a record of its own. What is in it never changes: its digest names it."""

    capabilities: tuple[CapabilityInfo, ...]


def split(registration: Registration, most: int) -> tuple[bytes, Mapping[str, bytes]]:
    """The record of a registration, and the parts that it names, by their digests: each of `most` bytes at most.

    Only what one capability tells of itself is never split, however long it is. Pure.
    """
    whole = registration.encode()
    if len(whole) <= most:
        return whole, {}
    parts = {blake2b(data, digest_size=16).hexdigest(): data for data in _halved(registration.capabilities, most)}
    return registration.model_copy(update={"capabilities": (), "parts": tuple(parts)}).encode(), parts


def _halved(capabilities: Sequence[CapabilityInfo], most: int) -> Iterator[bytes]:
    data = Part(capabilities=tuple(capabilities)).encode()
    if len(data) <= most or len(capabilities) < 2:
        yield data
    else:
        middle = len(capabilities) // 2
        yield from _halved(capabilities[:middle], most)
        yield from _halved(capabilities[middle:], most)
