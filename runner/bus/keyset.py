"""Which keys a bucket may hold, small enough to keep in memory: so that most reads of what is not there need no server.

A Bloom filter (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970): it may take a key for one
that is there, never the other way round.
"""

from __future__ import annotations

import hashlib

BITS = 1 << 23
"""1 MiB; under 1 % of wrong guesses up to 800,000 keys, and only ever a read too many beyond."""

_HASHES = 7


class KeySet:
    """Grows only; make a new one to forget."""

    def __init__(self) -> None:
        self._bits = bytearray(BITS // 8)

    def add(self, key: str) -> None:
        for bit in _places(key):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def may_hold(self, key: str) -> bool:
        bits = self._bits
        return all(bits[bit >> 3] & (1 << (bit & 7)) for bit in _places(key))


def _places(key: str) -> tuple[int, ...]:
    digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=24).digest())
    return tuple((digest >> (23 * n)) & (BITS - 1) for n in range(_HASHES))
