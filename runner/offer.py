"""A capability as it is on offer now: what it tells of itself, and how its provider is on all runners together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.beat import Vitals
from runner.capability import CapabilityInfo
from runner.work import EnsembleState


@dataclass(frozen=True, slots=True)
class Condition:
    """How an ensemble is, as the registrations and the last beats of its live runners tell."""

    state: EnsembleState
    """READY where any replica is; else the best of them."""
    replicas: int = 0
    """How many are READY."""
    slots: int = 0
    in_flight: int = 0
    """Pieces of work in hand: those in a slot, and those that wait for somebody else."""
    queue_depth: int = 0
    """How much waits for a slot, tasks and tool calls, as far as the last looks at the queue saw."""
    constrained: bool = False
    """Every replica that could take work says that more waits than its `backpressure` allows."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """The mean time, by capability, from a slot to the answer; none for what was not called lately."""
    detail: str | None = None
    """Why it is not READY, where somebody said so."""

    @property
    def load(self) -> float:
        """Work in hand over slots: 1.0 is full."""
        return self.in_flight / self.slots if self.slots else 0.0


def condition(replicas: Iterable[tuple[EnsembleState, Vitals | None]]) -> Condition:
    """How an ensemble is, of its live replicas: the state that each registered, and what it last said of itself.

    Only those in the best state count, since new work goes to them. Pure.
    """
    told = list(replicas)
    if not told:
        return UNKNOWN
    state = min((state for state, _ in told), key=BEST_FIRST.index)
    best = [vitals for its, vitals in told if its is state]
    heard = [vitals for vitals in best if vitals is not None]
    return Condition(
        state=state,
        replicas=len(best) if state is EnsembleState.READY else 0,
        slots=sum(vitals.slots for vitals in heard),
        in_flight=sum(vitals.in_flight for vitals in heard),
        queue_depth=max((v.queued for v in heard), default=0) + sum(v.waiting for v in heard),
        constrained=len(heard) == len(best) and all(vitals.constrained for vitals in heard),
        seconds=_means(heard),
        detail=next((vitals.detail for vitals in heard if vitals.detail), None),
    )


def _means(heard: Sequence[Vitals]) -> Mapping[str, float]:
    """The mean over the replicas that measured a capability, in seconds."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for vitals in heard:
        for name, milliseconds in vitals.took.items():
            found[name].append(milliseconds / 1000)
    return {name: sum(seconds) / len(seconds) for name, seconds in found.items()}


BEST_FIRST = (
    EnsembleState.READY,
    EnsembleState.DEGRADED,
    EnsembleState.STARTING,
    EnsembleState.DRAINING,
    EnsembleState.FAILED,
    EnsembleState.STOPPED,
    EnsembleState.GONE,
)
"""Which state an ensemble is in whose replicas are in several."""

UNKNOWN = Condition(EnsembleState.STOPPED)
"""Of an ensemble of which no live runner says anything."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One candidate, whole: what a selection reads. `capability.provider` names it."""

    capability: CapabilityInfo
    condition: Condition = Condition(EnsembleState.READY)

    @property
    def provider(self) -> str:
        return self.capability.provider

    @property
    def state(self) -> EnsembleState:
        return self.condition.state

    @property
    def load(self) -> float:
        return self.condition.load

    @property
    def queue_depth(self) -> int:
        return self.condition.queue_depth

    @property
    def latency(self) -> float | None:
        """The mean time in seconds that a call takes once it has a slot; None where it was not measured lately."""
        return self.condition.seconds.get(self.capability.name)

    @property
    def eta(self) -> float | None:
        """The seconds in which a call made now is likely to be done: those before it, and then itself."""
        if self.latency is None:
            return None
        condition = self.condition
        ahead = condition.queue_depth + (1 if condition.in_flight >= condition.slots else 0)
        return self.latency * (1 + ahead / max(1, condition.slots))

    @property
    def cost(self) -> float | None:
        return self.capability.cost
