"""Where in the queues each request was seen, in memory: by who sent it, by whom it names, and by its id alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_PLACES = 8
"""Of how many messages of one request the places are remembered."""

Key = tuple[str, str]
"""(caller, request id)."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A request was at this place."""

    ensemble: str
    sequence: int


@dataclass(slots=True, eq=False)
class Seen:
    """What was seen may be gone since: whoever finds it here makes sure, and says so."""

    read_to: dict[str, int] = field(default_factory=dict)
    """Up to which sequence each queue was read."""

    _places: dict[Key, tuple[Sighting, ...]] = field(default_factory=dict)
    """Oldest first: of a request that was sent again, or is being moved, the later message may go before the other."""

    _named: dict[Key, tuple[Sighting, ...]] = field(default_factory=dict)
    """By the caller that the request names, where somebody else sent it: a hand-off. What is sent oneself comes first.
    """

    _callers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Whom the requests of an id name."""

    def __len__(self) -> int:
        return len(self._places) + len(self._named)

    def see(self, sender: str, named: str, request_id: str, sighting: Sighting) -> None:
        _add(self._places, (sender, request_id), sighting)
        if named != sender:
            _add(self._named, (named, request_id), sighting)
        callers = self._callers.get(request_id, ())
        if named not in callers:
            self._callers[request_id] = (*callers, named)

    def last(self, caller: str, request_id: str) -> Sighting | None:
        return next(self.places(caller, request_id), None)

    def places(self, caller: str, request_id: str) -> Iterator[Sighting]:
        """Of one request, the most likely first."""
        for known in (self._places, self._named):
            yield from reversed(known.get((caller, request_id), ()))

    def callers(self, request_id: str) -> tuple[str, ...]:
        return self._callers.get(request_id, ())

    def gone(self, caller: str, request_id: str, sighting: Sighting) -> None:
        """It is not there any more."""
        key = caller, request_id
        for known in (self._places, self._named):
            seen = known.get(key, ())
            if left := tuple(one for one in seen if one != sighting):
                known[key] = left
            elif seen:
                del known[key]
        if key not in self._places and key not in self._named:
            self._forget_caller(caller, request_id)

    def _forget_caller(self, caller: str, request_id: str) -> None:
        if left := tuple(one for one in self.callers(request_id) if one != caller):
            self._callers[request_id] = left
        else:
            self._callers.pop(request_id, None)


def _add(places: dict[Key, tuple[Sighting, ...]], key: Key, sighting: Sighting) -> None:
    places[key] = (*places.get(key, ())[-MOST_PLACES + 1 :], sighting)
