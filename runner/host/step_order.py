"""Which steps of a task may run when. Pure: labels in, labels out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from runner.model import AnyStep


@dataclass(frozen=True, slots=True)
class StepOrder:
    """What each step waits for, by label in file order. Without a cycle: reading the file refuses one."""

    needs: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, steps: Sequence[AnyStep]) -> StepOrder | None:
        """None where no step says `needs`: then they run in the order of the file."""
        if all(step.needs is None for step in steps):
            return None
        return cls({step.label: frozenset(step.needs or ()) for step in steps})

    def ready(self, begun: Collection[str], finished: AbstractSet[str]) -> list[str]:
        """The steps that may begin now."""
        return [label for label, needs in self.needs.items() if label not in begun and needs <= finished]

    def before(self, label: str) -> frozenset[str]:
        """All that is finished for certain when a step begins: what it needs, and what that needs."""
        found: set[str] = set()
        waiting = list(self.needs[label])
        while waiting:
            needed = waiting.pop()
            if needed not in found:
                found.add(needed)
                waiting += self.needs[needed]
        return frozenset(found)
