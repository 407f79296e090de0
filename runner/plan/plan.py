"""The answer to a changed file: a plan, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from pydantic import JsonValue

from runner.plan.actions import AnyAction, Rewire, Start, Stop, Update
from runner.plan.changes import Change, digest_of
from runner.plan.fields import FieldClass
from runner.plan.observed import Running

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
        """`3-9f2c…`: the same for the same step from the same generation, however busy the network is meanwhile.

        In front stands the generation, so that of two hashes it can be told what moved in between.
        """
        told: list[JsonValue] = [action.key for action in self.actions]
        step = digest_of([self.network, self.generation, told, [change.digest for change in self.changes]])
        return f"{self.generation}-{step[:16]}"

    def under(self, running: Mapping[str, Running]) -> Plan:
        """The same plan, with what its ensembles have to do."""
        loads = (running.get(action.ensemble or "", Running()) for action in self.actions)
        busy = zip(self.actions, loads, strict=True)
        return replace(
            self, actions=tuple(replace(action, in_flight=one.in_flight, queued=one.queued) for action, one in busy)
        )


def generation_in(hash: str) -> int | None:
    """From which generation the plan of a hash leads; None for what is no hash."""
    number, dash, step = hash.partition("-")
    return int(number) if dash and step and number.isascii() and number.isdigit() else None


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
