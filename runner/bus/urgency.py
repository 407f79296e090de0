"""Which queue is asked first: by urgency, to which waiting adds. Pure.

A task counts one level more urgent for each `ageing` that it has waited, up to HIGH; among equal levels the older goes
first. CRITICAL is always next: nothing comes to stand beside it. Of a queue one knows since when, at the earliest, what
stands at its head has waited, and only sometimes since when exactly: `doubtful` says where that is not enough to know
who is next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.work import Priority

_BASE = {priority: level for level, priority in enumerate(Priority)}
_HIGH = _BASE[Priority.HIGH]


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a queue came at `since`, in seconds of the server's clock; where that is not exact, then or later."""

    since: float
    exact: bool = False


def level(priority: Priority, since: float, now: float, ageing: float) -> int:
    """How urgent what came at `since` is now: 0 is the most urgent, and CRITICAL alone."""
    waited = max(0.0, now - since)
    return max(min(_BASE[priority], _HIGH), _BASE[priority] - int(waited / ageing))


def promoted(head: Head, now: float, ageing: float) -> bool:
    """Whether the head is known to have aged by a level or more."""
    return head.exact and now - head.since >= ageing


def doubtful(heads: Mapping[Priority, Head], now: float, ageing: float) -> tuple[Priority, ...]:
    """The queues whose heads must be known exactly before it is clear which is next, the most urgent first.

    A head that may have aged matters only where somebody else may wait as well, and nothing CRITICAL does; that of HIGH
    only where another is known to have come up to it.
    """
    if len(heads) < 2 or Priority.CRITICAL in heads:
        return ()
    risen = any(
        _BASE[p] > _HIGH and head.exact and level(p, head.since, now, ageing) == _HIGH for p, head in heads.items()
    )
    return tuple(
        priority
        for priority in Priority
        if (head := heads.get(priority)) is not None
        and not head.exact
        and (risen if priority is Priority.HIGH else level(priority, head.since, now, ageing) < _BASE[priority])
    )


def order(heads: Mapping[Priority, Head], now: float, ageing: float) -> tuple[Priority, ...]:
    """These queues, the next to be asked first. What is not known exactly counts as it came: without age."""
    return tuple(sorted(heads, key=lambda priority: _rank(priority, heads[priority], now, ageing)))


def _rank(priority: Priority, head: Head, now: float, ageing: float) -> tuple[int, float, int]:
    since = head.since if head.exact else now
    return level(priority, since, now, ageing), since, _BASE[priority]
