"""How far one task at work has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from runner.checkpoint import Checkpoint
from runner.model import Task


class Kept(Protocol):
    """Where finished steps, and items of steps, are kept for another start."""

    def of(self, *mark: str) -> Checkpoint | None:
        """What an earlier start left of a step, or of an item of it."""
        ...

    async def keep(self, *mark: str, output: JsonValue = None, ran: bool = True) -> None:
        """Returns when it is kept, or cannot be."""
        ...


class NothingKept:
    """The work is not kept: whoever starts it again starts from the beginning."""

    def of(self, *mark: str) -> Checkpoint | None:
        return None

    async def keep(self, *mark: str, output: JsonValue = None, ran: bool = True) -> None:
        return


@dataclass(frozen=True, slots=True)
class Progress:
    """`finished` are the outputs of the steps that ran, by label, those of earlier starts among them."""

    task: Task
    kept: Kept = field(default_factory=NothingKept)
    finished: dict[str, JsonValue] = field(default_factory=dict)

    def partial(self) -> dict[str, JsonValue] | None:
        """What there is to show where the task ends early, in the order of the file."""
        return {step.label: self.finished[step.label] for step in self.task.steps if self.ran(step.label)} or None

    def last(self) -> JsonValue:
        """The output of the last step, in the order of the file, that ran."""
        return next((self.finished[step.label] for step in reversed(self.task.steps) if self.ran(step.label)), None)

    def ran(self, label: str) -> bool:
        return label in self.finished
