"""What becomes of a task that nobody claims: left alone, routed anew, held, or ended. Pure: the leader acts on it.

A provider with a live replica claims at once whatever becomes durable in its queue, so that only the queues of
providers without one are judged. A task is given the provider's `sla` from when it could have been claimed at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.capability import CapabilityInfo
from runner.routing.guards import Arrival, refuse
from runner.routing.handoffs import is_outdated
from runner.subjects import TaskCall
from runner.work import CapabilityType, Code, Record, WorkRequest


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A task in the queue of `call.provider`. `under_work`: a replica that still drains has started it."""

    call: TaskCall
    request: WorkRequest
    durable_since: datetime
    record: Record | None = None
    under_work: bool = False
    handed_off: bool = False
    """The record proves that `call.caller` had it from the one it is from, and passed it on."""

    @property
    def owner(self) -> str:
        """Whose request it is, and whose record."""
        return self.request.caller if self.handed_off else self.call.caller


@dataclass(frozen=True, slots=True)
class Health:
    """How a provider is. `down_since`: since when the leader sees no live READY replica; None where there is one."""

    sla: timedelta
    down_since: datetime | None = None
    is_given_up: bool = False
    """The network has it no more, nothing of it is left at work, and what waits for it is to fail."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live capability that meets a task's need. `wired`: the task's caller may call it."""

    capability: CapabilityInfo
    wired: bool = True
    constrained: bool = False

    @property
    def target(self) -> str:
        return f"{self.capability.provider}/{self.capability.name}"


@dataclass(frozen=True, slots=True)
class Leave:
    """It is claimed, or may still be."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Its record names another provider: whoever wrote that went before the task was moved."""

    record: Record
    moved: WorkRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """It has its outcome, and its provider is not there to answer and forget it."""

    record: Record


@dataclass(frozen=True, slots=True)
class Expire:
    """Its deadline has passed, and nobody would have started it."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Its provider is not in the network any more, and nobody is to wait for its return."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It stays where it is until its provider is back or its deadline has passed."""

    why: str


@dataclass(frozen=True, slots=True)
class Reroute:
    """Who may have it, best first; at least one."""

    to: tuple[Candidate, ...]


Verdict = Leave | Complete | Answer | Expire | GiveUp | Hold | Reroute


def judge(task: Unclaimed, health: Health, candidates: Iterable[Candidate], *, max_hops: int, now: datetime) -> Verdict:
    """What becomes of a task. `candidates` are all that meet its need now, in any order."""
    record = task.record
    if record is not None and record.response is None and record.provider != task.call.provider and record.moved:
        return Complete(record, record.moved)
    if health.down_since is None or task.under_work:
        return Leave()
    if record is not None and record.response is not None:
        return Answer(record)
    if record is not None and is_outdated(record, task.request):
        return Leave()
    if now >= task.request.expires_at:
        return Expire()
    if health.is_given_up:
        return GiveUp()
    if now - max(task.durable_since, health.down_since) < health.sla:
        return Leave()
    if task.request.need is None:
        return Hold("it was asked for by name")
    eligible = [candidate for candidate in candidates if is_eligible(candidate, task, max_hops=max_hops, now=now)]
    if not eligible:
        return Hold("nobody else who is up may have it")
    return Reroute(tuple(sorted(eligible, key=lambda c: (c.constrained, c.capability.provider, c.capability.name))))


def is_eligible(candidate: Candidate, task: Unclaimed, *, max_hops: int, now: datetime) -> bool:
    """Whether this provider could take the task over: it is another, did not fail at it, and would not refuse it.

    That a human would have to be asked is no obstacle: whoever gets it asks.
    """
    capability = candidate.capability
    if capability.type is not CapabilityType.TASK or capability.provider in _tried(task) | {task.call.caller}:
        return False
    refusal = refuse(
        Arrival(
            task.request,
            task.call.caller,
            target=candidate.target,
            registered=capability.authority,
            wired=candidate.wired,
            max_hops=max_hops,
            handed_off=task.handed_off,
        ),
        now,
    )
    return refusal is None or refusal.error.code == Code.REVIEW_UNAVAILABLE


def _tried(task: Unclaimed) -> set[str]:
    """Who has it, and who started it before and came to nothing."""
    history = task.record.history if task.record else ()
    return {task.call.provider} | {attempt.provider for attempt in history}
