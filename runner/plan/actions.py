"""What a plan consists of: small actions, each with its cause and with those that must be done before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from runner.plan.changes import Change
from runner.plan.edges import Edge
from runner.plan.fields import FieldClass
from runner.removal import OnRemove


@dataclass(frozen=True, slots=True)
class Action:
    """`after` are the keys of the actions that are done before this one. `ensemble` is None for the network itself.

    `in_flight` and `queued` are what the ensemble had to do when it was looked at.
    """

    kind: ClassVar[str]
    ensemble: str | None
    cause: str
    after: tuple[str, ...] = field(default=(), kw_only=True)
    in_flight: int = field(default=0, kw_only=True)
    queued: int = field(default=0, kw_only=True)

    @property
    def key(self) -> str:
        """What other actions call it by: no two of a plan are the same."""
        return f"{self.kind} {self.ensemble or '(network)'}"


@dataclass(frozen=True, slots=True)
class Grant(Action):
    """The server lets the ensemble do what it will need, beside what it may do now."""

    kind: ClassVar[str] = "grant"


@dataclass(frozen=True, slots=True)
class Start(Action):
    """An ensemble that was not there is ready when this is done. `facts` tell people what it is like."""

    kind: ClassVar[str] = "start"
    facts: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class Update(Action):
    """The ensemble is as wanted when this is done, without having been away; work that has begun ends as it began.

    All updates and rewirings of a plan take effect together, at its commit.
    """

    kind: ClassVar[str] = "update"
    changes: tuple[Change, ...]

    @property
    def field_class(self) -> FieldClass:
        """LIVE where it keeps its code, ROLLING where a new version takes over."""
        rolling = any(change.field_class is FieldClass.ROLLING for change in self.changes)
        return FieldClass.ROLLING if rolling and self.ensemble is not None else FieldClass.LIVE


@dataclass(frozen=True, slots=True)
class Rewire(Action):
    """A use comes to another capability (`added`), or no more to this one. Work that has begun keeps its wiring."""

    kind: ClassVar[str] = "rewire"
    edge: Edge
    added: bool

    @property
    def key(self) -> str:
        sign = "+" if self.added else "-"
        use = f"{self.edge.ensemble}.{self.edge.use}" + (" (fallback)" if self.edge.fallback else "")
        return f"{self.kind} {sign} {use} {self.edge.target}"


@dataclass(frozen=True, slots=True)
class Drain(Action):
    """The ensemble takes nothing more, and nothing of it is in flight when this is done.

    What waits for it is held for its return, or fails, as `on_remove` says.
    """

    kind: ClassVar[str] = "drain"
    on_remove: OnRemove = field(default=OnRemove.HOLD, kw_only=True)


@dataclass(frozen=True, slots=True)
class Stop(Action):
    """The ensemble is gone when this is done."""

    kind: ClassVar[str] = "stop"


@dataclass(frozen=True, slots=True)
class Revoke(Action):
    """The server forgets what the ensemble may do no more. Due when no work of an older version is left of it."""

    kind: ClassVar[str] = "revoke"


AnyAction = Grant | Start | Update | Rewire | Drain | Stop | Revoke
PHASES: tuple[type[AnyAction], ...] = (Grant, Start, Update, Rewire, Drain, Stop, Revoke)
"""The order of the kinds: nothing waits for an action of a later one."""
