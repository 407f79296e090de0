"""What is told of a step as it ends, or is tried again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from runner.assignment import Place


class StepStatus(StrEnum):
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"
    RETRYING = "RETRYING"


class OnStep(Protocol):
    """Told of every step as it ends, and of every attempt at it that is not the last. `message` is set where it failed.

    `place` is the step's label, and for an attempt the label and which item and attempt it was.
    """

    def __call__(
        self, place: Place, started_at: datetime, duration_ms: float, status: StepStatus, message: str | None
    ) -> None: ...
