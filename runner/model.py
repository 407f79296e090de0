"""The resolved network: frozen, whole, free of positions. Whoever holds a `Network` has nothing left to check.

Names are as in the file. Paths are POSIX and relative to the network file's directory. Everything that the running
network needs from files is here as text or parsed data, except Python modules, which are named by path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pydantic import JsonValue

from runner.deliverable import AnyDelivery
from runner.probe import Health
from runner.removal import OnRemove
from runner.work import Authority, CapabilityType, Dedupe, DeliverySpec, Placement, Priority


class Selection(StrEnum):
    """How a discovered use picks among its providers."""

    FIRST = "first"
    ROUND_ROBIN = "round-robin"
    RANDOM = "random"
    LEAST_LOADED = "least-loaded"
    AFFINITY = "affinity"
    LOWEST_LATENCY = "lowest-latency"
    LOWEST_COST = "lowest-cost"
    MEETS_DEADLINE = "meets-deadline"


@dataclass(frozen=True, slots=True)
class StaticTarget:
    """A named provider: `ensemble/capability`."""

    ensemble: str
    capability: str

    def __str__(self) -> str:
        return f"{self.ensemble}/{self.capability}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """A need without a name for who meets it: a capability name, tags that it must all carry, or both."""

    name: str | None
    tags: tuple[str, ...]
    select: Selection = Selection.FIRST
    prefer: tuple[str, ...] = ()
    """Whoever carries any of these tags goes before those who carry none."""
    avoid: tuple[str, ...] = ()
    """Whoever carries any of these tags comes after all others."""
    key: str | None = None
    """Of `affinity`: a template that sees `request`, `context` and `input`."""
    only: tuple[str, ...] | None = None
    """The capabilities that it is locked to, as `ensemble/capability`; None where it is not."""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.name or "*", f"[{', '.join(self.tags)}]" if self.tags else ""]))


class Mode(StrEnum):
    """Whether the caller waits for the result."""

    AWAIT = "await"
    ASYNC = "async"


class OnDeadline(StrEnum):
    """What a deadline that passes means for the caller: a failure, or going on with what there is of the result."""

    FAIL = "fail"
    CONTINUE = "continue"
    FALLBACK = "fallback"


class OnLateEta(StrEnum):
    """What the caller does where the provider says that it will not be done by the deadline."""

    ACCEPT = "accept"
    OTHER_PROVIDER = "other-provider"
    CONTINUE = "continue"


class OnConstrained(StrEnum):
    """What the caller does where more wait for the provider than its `backpressure` allows."""

    WAIT = "wait"
    FAIL = "fail"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Use:
    """One declared need of an ensemble. None means: as the caller's request has it, or the network's default."""

    name: str
    target: StaticTarget | Discovery
    deadline: timedelta | None = None
    priority: Priority | None = None
    authority: Authority = Authority.AUTONOMOUS
    max_hops: int | None = None
    delivery: DeliverySpec | None = None
    """As it travels with each request."""
    mode: Mode = Mode.AWAIT
    fallback: StaticTarget | None = None
    on_deadline: OnDeadline = OnDeadline.FAIL
    on_late_eta: OnLateEta = OnLateEta.ACCEPT
    on_constrained: OnConstrained = OnConstrained.WAIT
    dedupe: Dedupe | None = None


@dataclass(frozen=True, slots=True)
class PythonTarget:
    """A function in a module file."""

    path: str
    function: str

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"


@dataclass(frozen=True, slots=True)
class Share:
    """What a capability tells the network: its tags (aliases already resolved), its registered authority, its cost."""

    tags: tuple[str, ...]
    authority: Authority
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    python: PythonTarget
    description: str | None = None
    share: Share | None = None
    idempotent: bool = False
    """A call may be made twice and does no harm."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """A step that is done once for each item of a list. `items` is a template that gives the list."""

    items: JsonValue
    max_concurrent: int = 4


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried in all, and the longest wait before the second attempt; it doubles from there."""

    attempts: int = 3
    backoff: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Step:
    """What every kind of step has. `index` is its place in the task, from 0; `id` is None for an unreferenced one.

    `when` is an expression without braces. `input` is a template or structure of templates; None is the context.
    `needs` are ids of steps that are done before; None where the step does not say.
    """

    index: int
    id: str | None
    when: str | None
    needs: tuple[str, ...] | None = field(default=None, kw_only=True)
    for_each: FanOut | None = field(default=None, kw_only=True)
    retry: Retry | None = field(default=None, kw_only=True)

    @property
    def label(self) -> str:
        """What messages and spans call it: its id, or its place."""
        return self.id or str(self.index)


@dataclass(frozen=True, slots=True)
class ToolStep(Step):
    tool: str
    input: JsonValue = None


@dataclass(frozen=True, slots=True)
class UseStep(Step):
    use: str
    input: JsonValue = None


@dataclass(frozen=True, slots=True)
class HandoffStep(Step):
    """The last thing that a task does: another ensemble answers its caller."""

    use: str
    input: JsonValue = None


@dataclass(frozen=True, slots=True)
class TemplateStep(Step):
    template: JsonValue


@dataclass(frozen=True, slots=True)
class PythonStep(Step):
    python: PythonTarget
    input: JsonValue = None


@dataclass(frozen=True, slots=True)
class AgentStep(Step):
    agent: str
    prompt: JsonValue = None


@dataclass(frozen=True, slots=True)
class UnsupportedStep(Step):
    """A step of a kind, or with a clause, that this version reads but cannot run. It fails, by name, when reached."""

    feature: str


AnyStep = ToolStep | UseStep | HandoffStep | TemplateStep | PythonStep | AgentStep | UnsupportedStep


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    steps: tuple[AnyStep, ...]
    output: JsonValue = None
    description: str | None = None
    share: Share | None = None
    input_schema: Mapping[str, JsonValue] | None = None
    dedupe: Dedupe | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing a scripted model does: call a tool and keep its answer under `save`, if `when` holds."""

    tool: str
    input: JsonValue
    save: str
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One situation of a script. It applies when `when` holds and `match` (a regular expression) is found in the
    prompt; its named groups are variables of every template of the case."""

    when: str | None
    match: str | None
    turns: tuple[Turn, ...]
    say: JsonValue


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """A model that plays a script: the first case that applies. Offline and repeatable."""

    path: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class UnsupportedModel:
    """A model provider that this version reads but cannot reach; a route goes past it."""

    provider: str


AnyModel = ScriptedModel | UnsupportedModel


@dataclass(frozen=True, slots=True)
class Agent:
    """A model route with instructions and tools: own tools and uses by name, and uses whose providers are all tools."""

    name: str
    model: str
    instructions: str
    tools: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    max_concurrent: int = 16
    queue_limit: int = 1000
    backpressure: float = 2.0
    """Tasks waiting over slots, beyond which the ensemble is constrained."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    name: str
    description: str | None = None
    domain: str | None = None
    capacity: Capacity = Capacity()
    placement: Placement = Placement.INLINE
    sla: timedelta = timedelta(seconds=30)
    """A task is claimed within this, or goes to another provider."""
    health: Health | None = None
    uses: Mapping[str, Use] = field(default_factory=dict)
    agents: Mapping[str, Agent] = field(default_factory=dict)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)

    def shared(self) -> dict[str, tuple[CapabilityType, Share]]:
        """Every capability on offer, by name, in name order."""
        offers = {
            **{name: (CapabilityType.TOOL, tool.share) for name, tool in self.tools.items()},
            **{name: (CapabilityType.TASK, task.share) for name, task in self.tasks.items()},
        }
        return {name: (kind, share) for name, (kind, share) in sorted(offers.items()) if share is not None}


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """The runner starts its own nats-server on loopback."""


@dataclass(frozen=True, slots=True)
class ExternalServer:
    """A server or cluster that somebody else runs. `credentials` is the text of a credentials file or an nkey seed."""

    url: tuple[str, ...]
    credentials: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Defaults:
    priority: Priority = Priority.NORMAL
    deadline: timedelta = timedelta(minutes=30)
    max_hops: int = 16
    ageing: timedelta = timedelta(minutes=5)
    """How long a task waits before it counts as one level more urgent."""
    drain_timeout: timedelta = timedelta(seconds=60)
    results_kept: timedelta = timedelta(hours=24)
    max_attempts: int = 5
    """How often a task is really started before it is put to the dead letters."""
    on_remove: OnRemove = OnRemove.HOLD
    max_payload: int = 64 * 1024**2
    """The most bytes that a context or a result may have; what is large travels by reference."""


@dataclass(frozen=True, slots=True)
class Network:
    name: str
    ensembles: Mapping[str, Ensemble]
    server: EmbeddedServer | ExternalServer = EmbeddedServer()
    models: Mapping[str, tuple[AnyModel, ...]] = field(default_factory=dict)
    deliveries: Mapping[str, AnyDelivery] = field(default_factory=dict)
    defaults: Defaults = Defaults()
    events_kept: timedelta = timedelta(days=7)
    tag_aliases: Mapping[str, str] = field(default_factory=dict)
