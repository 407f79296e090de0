"""What is kept of a task between its steps, so that another start need not begin at the beginning."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import JsonValue

from runner.work import Wire

Mark = tuple[str, ...]
"""What is finished: a step's label, or a step's label and the number of an item of its fan-out."""


class Checkpoint(Wire):
    """One finished step of a task, or one finished item of it; a value of the `checkpoints` bucket.

    It stands for as long as the task is the same, and in the hands of the same provider.
    """

    epoch: int
    """The claim's, under which the step was done: a task that was handed on begins anew."""
    definition: str
    """Which steps the task had."""
    ran: bool = True
    """False: it was passed over."""
    output: JsonValue = None
    stored: bool = False
    """The output is too large for a message, and stands in the object store; here is a reference to it."""


def definition_of(*parts: Any) -> str:
    """A name for what a task is made of: plain frozen data, whose text tells all of it."""
    return hashlib.sha256("\x1f".join(map(repr, parts)).encode()).hexdigest()[:16]
