"""The answer to a changed file: a plan, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pydantic import JsonValue

from runner.plan.actions import AnyAction, Rewire, Start, Stop, Update
from runner.plan.changes import Change, digest_of
from runner.plan.fields import FieldClass

Kind = TypeVar("Kind", bound=AnyAction)


@dataclass(frozen=True)
class Plan:
    """What makes the network `generation` what the files say. `actions` stand in an order in which they can be done.

    Nothing to do is a plan without actions, which is false.
    """

    network: str
    generation: int
    actions: tuple[AnyAction, ...]
    changes: tuple[Change, ...]
    """Every difference of the files and of the code, the network's own first."""

    def __bool__(self) -> bool:
        return bool(self.actions)

    def of(self, kind: type[Kind]) -> Iterator[Kind]:
        """The actions of one kind, in order."""
        return (action for action in self.actions if isinstance(action, kind))

    @property
    def started(self) -> tuple[str, ...]:
        return tuple(sorted(action.ensemble for action in self.of(Start) if action.ensemble))

    @property
    def stopped(self) -> tuple[str, ...]:
        return tuple(sorted(action.ensemble for action in self.of(Stop) if action.ensemble))

    @property
    def rolling(self) -> tuple[str, ...]:
        """The ensembles that get a new version; all others that stay keep their code and what it remembers."""
        found = (action for action in self.of(Update) if action.field_class is FieldClass.ROLLING)
        return tuple(sorted(action.ensemble for action in found if action.ensemble))

    @property
    def edges(self) -> tuple[Rewire, ...]:
        return tuple(self.of(Rewire))

    @cached_property
    def hash(self) -> str:
        """The same for the same step from the same generation, however busy the network is meanwhile."""
        told: list[JsonValue] = [action.key for action in self.actions]
        return digest_of([self.network, self.generation, told, [change.digest for change in self.changes]])[:16]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The files say something that cannot be done while the network runs. `changes` are what keeps it."""

    network: str
    generation: int
    changes: tuple[Change, ...]

    @property
    def message(self) -> str:
        keys = ", ".join(f"`{change.key}`" for change in self.changes)
        return f"{keys} cannot change while the network runs"

    @property
    def hint(self) -> str:
        it = "it" if len(self.changes) == 1 else "them"
        return f"put {it} back, or stop the network with `run-network down` and start it anew with `run-network up`"
