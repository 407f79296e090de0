"""What a change that takes an ensemble away means for whoever waits for it."""

from __future__ import annotations

from enum import StrEnum


class OnRemove(StrEnum):
    """What becomes of the tasks that wait for an ensemble when it is removed."""

    HOLD = "hold"
    """They wait for its return, until their deadlines."""
    FAIL = "fail"
    """Each gets its outcome at once."""
