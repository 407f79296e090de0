"""What follows from a value that never changes follows from it again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Generic, ParamSpec, TypeVar, cast

MOST = 2
"""The configuration before and the one after: what is older is let go of."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


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
