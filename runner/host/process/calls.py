"""All that is asked and told over the line between a runner and an ensemble's process.

What a process sends is wire data that its runner validates. What a runner sends besides, and only that, may be pickled:
an ensemble believes its runner, not the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import StringConstraints, TypeAdapter

from runner.beat import Vitals
from runner.bus.backlog import Spot
from runner.capability import CapabilityInfo
from runner.checkpoint import Checkpoint, Mark
from runner.dead_letter import DeadLetter
from runner.host.desk import Delivered, First, Held
from runner.host.hosted import Hand
from runner.host.process.line import Call
from runner.offer import Condition
from runner.payload import Kind, Reference
from runner.registration import Registration
from runner.work import EnsembleState, Priority, Record, WorkError, WorkRequest

Telling = Literal["loading", "blocked"]
"""The kinds of events that a process may tell of itself."""

Words = Annotated[str, StringConstraints(max_length=2000)]
Checkpoints = list[tuple[Mark, Checkpoint]]


@dataclass(frozen=True, slots=True)
class Look:
    """How the ensemble in a process is at this moment."""

    vitals: Vitals
    tasks: tuple[Hand, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    """Tool calls in hand, by caller and request id."""
    leaving: tuple[str, ...] = ()
    """Tasks that the present version does not have, and an earlier one still works on."""
    client: int | None = None
    """The server's number for its connection."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What has changed of what an ensemble sees of the network: what is on offer, and how the providers are."""

    offered: tuple[CapabilityInfo, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()
    """(provider, name)."""
    conditions: dict[str, Condition] = field(default_factory=dict)
    discovery_away: str | None = None
    """As it is now, whether or not it has changed."""


_NOTHING = TypeAdapter(None)

# what the process asks of its runner: `runner.host.desk.Desk`

READ = Call("read", TypeAdapter(tuple[str, str, bool]), TypeAdapter(Held))
RECORD = Call("record", TypeAdapter(tuple[Record, int]), TypeAdapter(int | None))
HELD_BY = Call("held-by", TypeAdapter(tuple[str, str, str, str]), TypeAdapter(frozenset[int]))
FIRST = Call("first", TypeAdapter(tuple[str, str, str]), TypeAdapter(First | None))
PUBLISH = Call("publish", TypeAdapter(tuple[WorkRequest, str, str | None, int]), TypeAdapter(WorkError | None))
CHECKPOINT = Call("checkpoint", TypeAdapter(tuple[str, str, Mark, Checkpoint]), _NOTHING)
CHECKPOINTS = Call("checkpoints", TypeAdapter(tuple[str, str]), TypeAdapter(Checkpoints))
FORGET = Call("forget-checkpoints", TypeAdapter(tuple[str, str]), _NOTHING)
BURY = Call("bury", TypeAdapter(tuple[DeadLetter]), _NOTHING)
DELIVER = Call("deliver", TypeAdapter(tuple[Record]), TypeAdapter(Delivered))
STORE = Call("store-payload", TypeAdapter(tuple[timedelta]), TypeAdapter(Reference))
LOAD = Call("load-payload", TypeAdapter(tuple[Reference, int]), TypeAdapter(tuple[str, Kind]))
POSITIONS = Call("queue-positions", TypeAdapter(tuple[str, list[Spot]]), TypeAdapter(list[int | None]))
HEAD = Call("queue-head", TypeAdapter(tuple[str, Priority]), TypeAdapter(float | None))
WAITING = Call("waiting", TypeAdapter(tuple[str]), TypeAdapter(int))
REGISTER = Call("register", TypeAdapter(tuple[Registration]), _NOTHING)
ANSWER = Call("answer", TypeAdapter(tuple[str]), _NOTHING)

# what the process tells

MOVED = Call("moved", TypeAdapter(tuple[EnsembleState, str | None]), _NOTHING)
TOLD = Call("told", TypeAdapter(tuple[Telling, Words]), _NOTHING)
TASK_IN_HAND = Call("task-in-hand", TypeAdapter(tuple[str]), _NOTHING)
CALL_IN_HAND = Call("call-in-hand", TypeAdapter(tuple[str, str]), _NOTHING)
LET_GO = Call("let-go", TypeAdapter(tuple[str]), _NOTHING)
ALIVE = Call("alive", TypeAdapter(tuple[()]), _NOTHING)
LOGGED = Call("logged", TypeAdapter(tuple[str, int, str]), _NOTHING)

# what the runner asks of the process: `runner.host.hosted.Hosted`

OPEN = Call("open", TypeAdapter(tuple[()]), TypeAdapter(tuple[CapabilityInfo, ...]))
SERVE = Call("serve", TypeAdapter(tuple[()]), _NOTHING)
EXTEND = Call("extend", TypeAdapter(tuple[()]), TypeAdapter(tuple[CapabilityInfo, ...]))
PAUSE = Call("pause", TypeAdapter(tuple[()]), _NOTHING)
OFFER = Call("offer", TypeAdapter(tuple[()]), _NOTHING)
CONTRACT = Call("contract", TypeAdapter(tuple[()]), _NOTHING)
RETIRE = Call("retire", TypeAdapter(tuple[bool]), _NOTHING)
SETTLED = Call("settled", TypeAdapter(tuple[()]), _NOTHING)
BEGUN = Call("begun", TypeAdapter(tuple[()]), _NOTHING)
LEAVE = Call("leave", TypeAdapter(tuple[()]), _NOTHING)
STOP = Call("stop", TypeAdapter(tuple[float]), TypeAdapter(str | None))
OPEN_CALLS = Call("open-calls", TypeAdapter(tuple[frozenset[str]]), TypeAdapter(frozenset[str]))
LOOK = Call("look", TypeAdapter(tuple[()]), TypeAdapter(Look))

# what the runner tells

ADMIT = Call("admit", TypeAdapter(tuple[()]), _NOTHING)
SWITCH = Call("switch", TypeAdapter(tuple[()]), _NOTHING)
CANCEL = Call("cancel", TypeAdapter(tuple[str, str]), _NOTHING)
OUTLOOK = Call("outlook", TypeAdapter(tuple[Outlook]), _NOTHING)
RELOADS = Call("reloads", TypeAdapter(tuple[int]), _NOTHING)
