"""What follows from a value that never changes follows from it again; what nobody asks for any more is let go of."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import Generic, ParamSpec, TypeVar, cast

MOST = 2
"""The configuration before and the one after: what is older is let go of."""

MOST_BETWEEN_TURNS = 4096
"""So many values are a turn by themselves: where callers make up values, no more than twice as many are kept."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_V = TypeVar("_V", bound=Hashable)


class _This(Generic[_T]):
    """A value, told apart from others by which it is. It is held, so that no other can come to be where it was."""

    __slots__ = ("value",)

    def __init__(self, value: _T) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _This) and other.value is self.value


def found_once(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """The same function, which for the last few arguments gives what it gave for them before.

    For what is pure, and takes and gives what nobody changes: a whole network is too large to be compared or hashed.
    """

    @lru_cache(maxsize=MOST)
    def of(*these: _This[object]) -> _T:
        return cast(Callable[..., _T], function)(*(this.value for this in these))

    @wraps(function)
    def found(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return function(*args, **kwargs) if kwargs else of(*map(_This, args))

    return found


class InUse(Generic[_V, _T]):
    """The same function of one value, which remembers what it gave for every value in use.

    In use is what it was asked for since the turn before the last. Whoever asks for all that a configuration has of
    these values makes a turn afterwards: so what is in force stays, however much of it there is, and so does what older
    work still asks for; of what was edited away nothing is left two turns later. For what is pure; from any thread.
    """

    def __init__(self, function: Callable[[_V], _T]) -> None:
        self._function = function
        self._now: dict[_V, _T] = {}
        self._before: dict[_V, _T] = {}

    def __call__(self, value: _V) -> _T:
        try:
            return self._now[value]
        except KeyError:
            pass
        before = self._before
        found = before[value] if value in before else self._function(value)
        if len(self._now) >= MOST_BETWEEN_TURNS:
            self.turn()
        self._now[value] = found
        return found

    def __len__(self) -> int:
        """How many values are remembered."""
        return len(self._now.keys() | self._before.keys())

    def turn(self) -> None:
        """Let go of what was not asked for since the turn before this one."""
        self._now, self._before = {}, self._now
