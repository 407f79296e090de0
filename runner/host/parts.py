"""Registrations that are longer than one record: put together from their parts, and seen whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from runner.capability import CapabilityInfo
from runner.errors import StartFailed
from runner.registration import Part, Registration

PART_BYTES = 256 * 1024
"""How long a record may be at most: what an ensemble with more capabilities registers is written in parts."""


def part_key(key: str, digest: str) -> str:
    """The key of a part of the registration under `key`, `ENSEMBLE.RUNNER`."""
    return f"{key}.{digest}"


def is_part(key: str) -> bool:
    return key.count(".") > 1


class Parts:
    """The parts that are heard of, and the registrations that wait for one of theirs.

    Whoever writes puts the parts first, then the record that names them, and takes away last what none names; but who
    has just begun to listen may hear of them in any order.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[CapabilityInfo, ...]] = {}
        self._waiting: dict[str, Registration] = {}

    def __len__(self) -> int:
        return len(self._known)

    def keys(self) -> frozenset[str]:
        return frozenset(self._known)

    def has(self, keys: Iterable[str]) -> bool:
        return all(key in self._known for key in keys)

    def runners(self) -> frozenset[str]:
        """Every runner of which a part stands."""
        return frozenset(key.split(".")[1] for key in self._known)

    def of(self, runner: str) -> tuple[str, ...]:
        """The keys of its parts."""
        return tuple(key for key in self._known if key.split(".")[1] == runner)

    def add(self, key: str, value: bytes) -> Iterator[tuple[str, Registration]]:
        """A part is there: whatever waited for it alone is whole now, by its key. Raises ValidationError."""
        self._known[key] = Part.model_validate_json(value).capabilities
        for waiting, registration in list(self._waiting.items()):
            if key.startswith(f"{waiting}.") and (whole := self.whole(waiting, registration)) is not None:
                yield waiting, whole

    def drop(self, key: str) -> None:
        """A part, or a registration, is gone."""
        self._known.pop(key, None)
        self._waiting.pop(key, None)

    def whole(self, key: str, registration: Registration) -> Registration | None:
        """The registration with all of its capabilities; None where it has to wait for a part."""
        self._waiting.pop(key, None)
        if not registration.parts:
            return registration
        keys = [part_key(key, digest) for digest in registration.parts]
        if not self.has(keys):
            self._waiting[key] = registration
            return None
        capabilities = tuple(chain.from_iterable(self._known[key] for key in keys))
        return registration.model_copy(update={"capabilities": capabilities, "parts": ()})


def too_long(registration: Registration, size: int, most: int) -> StartFailed:
    """What one capability tells of itself, its schema above all, is more than a message carries."""
    longest = max(registration.capabilities, key=lambda one: len(Part(capabilities=(one,)).encode()))
    message = f"{registration.ensemble}/{longest.name} tells {size:,} bytes of itself; the server takes {most:,}"
    return StartFailed(message, hint="shorten its description or its schema, or raise the server's `max_payload`")
