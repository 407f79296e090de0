"""What is told of a step as it ends, or is tried again."""

from __future__ import annotations

from collections.abc import Callable
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
    STOPPED = "STOPPED"
    """Its runner went: nobody cancelled it, and it is done again elsewhere or later."""


class OnStep(Protocol):
    """Told of every step as it ends, and of every attempt at it that is not the last. `message` is set where it failed.

    `place` is the step's label, and for an attempt the label and which item and attempt it was.
    """

    def __call__(
        self, place: Place, started_at: datetime, duration_ms: float, status: StepStatus, message: str | None
    ) -> None: ...


def or_stopped(on_step: OnStep, lets_go: Callable[[], bool]) -> OnStep:
    """Tells of a step that ends because its runner lets go of it as that, and of any other as it is."""

    def tell(place: Place, started_at: datetime, duration_ms: float, status: StepStatus, message: str | None) -> None:
        stopped = status is StepStatus.CANCELLED and lets_go()
        on_step(place, started_at, duration_ms, StepStatus.STOPPED if stopped else status, message)

    return tell
