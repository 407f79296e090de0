"""A shelf: capabilities by number. It never changes; what is new shares the old.

Tuples of tuples of tuples, so that whatever stands close to each other by number does so in memory, and a change
copies three short ones (the persistent vector of Clojure).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from pyroaring import FrozenBitMap

from runner.capability import CapabilityInfo

_BITS = 7
_LAST = (1 << _BITS) - 1

_Board: TypeAlias = tuple[CapabilityInfo | None, ...]
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Each keeps its number for as long as it is there; the number of one that is taken out is given again."""

    _boards: tuple[tuple[_Board, ...], ...] = ()
    _ever: int = 0
    """How many numbers were ever given."""
    _free: FrozenBitMap = field(default_factory=FrozenBitMap)
    """Which of those nobody has now."""

    @classmethod
    def of(cls, capabilities: Iterable[CapabilityInfo]) -> Shelf:
        """Numbered from 0 in the order given."""
        every = tuple(capabilities)
        return cls(_parted(_parted(every)), len(every))

    def __len__(self) -> int:
        return self._ever - len(self._free)

    def __getitem__(self, number: int) -> CapabilityInfo | None:
        return self._boards[number >> 2 * _BITS][number >> _BITS & _LAST][number & _LAST]

    @property
    def next_number(self) -> int:
        """The one that is free for the next to come."""
        return self._free.min() if self._free else self._ever

    def numbered(self, numbers: Iterable[int]) -> list[CapabilityInfo]:
        """Those of these numbers, in the order given; without those that nobody has."""
        boards = self._boards
        return [one for n in numbers if (one := boards[n >> 2 * _BITS][n >> _BITS & _LAST][n & _LAST]) is not None]

    def every(self) -> list[CapabilityInfo]:
        return [one for boards in self._boards for board in boards for one in board if one is not None]

    def put(self, number: int, capability: CapabilityInfo | None) -> Shelf:
        """With this one under a number that another one has, or under the next; None: with nothing there."""
        ever, free = max(self._ever, number + 1), self._free
        if capability is None:
            free = free | FrozenBitMap((number,))
        elif number in free:
            free = free - FrozenBitMap((number,))
        return Shelf(self._exchanged(number, capability), ever, free)

    def _exchanged(self, number: int, capability: CapabilityInfo | None) -> tuple[tuple[_Board, ...], ...]:
        high, middle, low = number >> 2 * _BITS, number >> _BITS & _LAST, number & _LAST
        boards = self._boards[high] if high < len(self._boards) else ()
        board = boards[middle] if middle < len(boards) else ()
        return _with(self._boards, high, _with(boards, middle, _with(board, low, capability)))


def _with(parts: tuple[_Part, ...], place: int, part: _Part) -> tuple[_Part, ...]:
    """With this at a place, the one behind the last included."""
    return (*parts[:place], part, *parts[place + 1 :])


def _parted(parts: tuple[_Part, ...]) -> tuple[tuple[_Part, ...], ...]:
    return tuple(parts[first : first + _LAST + 1] for first in range(0, len(parts), _LAST + 1))
