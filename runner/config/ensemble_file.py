"""An ensemble as written: in a file of its own, or inline in the network file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator

from runner.config.codes import Rule
from runner.config.delivery_file import DeliveryEntry
from runner.config.fields import (
    Count,
    Duration,
    Expression,
    FileModel,
    Given,
    Level,
    Name,
    PythonReference,
    ScopePattern,
    Structure,
    Target,
    Urgency,
    problem,
)
from runner.config.step_file import RetryFile, StepFile

Strategy = Literal[
    "first",
    "round-robin",
    "random",
    "least-loaded",
    "affinity",
    "lowest-latency",
    "lowest-cost",
    "meets-deadline",
]


class CircuitBreakerFile(FileModel):
    """When a provider that keeps failing is left alone, and for how long."""

    failures: Count = 5
    """Failures within `window` that open the breaker."""
    window: Given[Duration] = None
    """The time in which failures are counted."""
    half_open_after: Given[Duration] = None
    """How long the breaker stays open before one call is let through."""


class UseFile(FileModel):
    """A declared need of another ensemble's capability: of a named one (`to`), or of whoever offers it (`discover`)."""

    to: Given[Target] = None
    """A named provider: `ensemble/capability`."""
    discover: Given[Name] = None
    """The name of a capability, whoever provides it."""
    tags: tuple[Name, ...] = ()
    """Tags that the capability must all carry; with or without `discover`."""
    select: Strategy = "first"
    """How one of several providers is picked."""
    key: Given[str] = None
    """With `select: affinity`: a template; requests with the same key go to the same provider."""
    prefer: tuple[Name, ...] = ()
    """Providers with any of these tags go first."""
    avoid: tuple[Name, ...] = ()
    """Providers with any of these tags come last."""
    fallback: Given[Target] = None
    """The provider to turn to when no other can: `ensemble/capability`."""
    mode: Literal["await", "async"] = "await"
    """Whether the caller waits for the result."""
    deadline: Given[Duration] = None
    """How long the request may take; without it the network's default."""
    priority: Given[Urgency] = None
    """How urgent the request is; without it as urgent as the request that it serves."""
    authority: Level = "autonomous"
    """The level that the request requires: above `autonomous`, a human is asked."""
    delivery: Given[DeliveryEntry] = None
    """Where the result goes when nobody waits for it."""
    retry: Given[RetryFile] = None
    """How often and how a failed request is tried again."""
    circuit_breaker: Given[CircuitBreakerFile] = None
    """When a provider that keeps failing is left alone."""
    on_deadline: Literal["fail", "continue", "fallback"] = "fail"
    """What happens when the deadline passes: `continue` goes on with what the finished steps gave."""
    on_late_eta: Literal["accept", "other-provider", "continue"] = "accept"
    """What happens when the provider says that it will not be done by the deadline."""
    on_constrained: Literal["wait", "fail", "fallback"] = "wait"
    """What happens when more wait for the provider than its `backpressure` allows."""
    dedupe: Given[Literal["content"]] = None
    """`content`: a request with the content of another one joins that one."""
    max_hops: Given[Count] = None
    """Allows a delegation cycle through this use, bounded by this many hops."""

    @model_validator(mode="after")
    def _one_need(self) -> UseFile:
        discovered = self.discover is not None or bool(self.tags)
        if self.to is None and not discovered:
            hint = "write `to: ensemble/capability`, or `discover:` with a name, `tags:`, or both"
            raise problem(Rule.MISSING_KEY, "{key} says neither `to` nor `discover`", hint)
        if self.to is not None and discovered:
            other = "discover" if self.discover is not None else "tags"
            message = f"{{key}} has `to` and `{other}`; a use is either static or discovered"
            raise problem(Rule.CONFLICTING_KEYS, message, "keep one of them")
        for other in ("select", "key", "prefer", "avoid"):
            if self.to is not None and other in self.model_fields_set:
                message = f"{{key}} has `to` and `{other}`; there is nothing to choose from"
                raise problem(Rule.CONFLICTING_KEYS, message, f"take `{other}` out, or `discover` a provider")
        return self

    @model_validator(mode="after")
    def _affinity_has_a_key(self) -> UseFile:
        if self.select == "affinity" and self.key is None:
            hint = 'add `key:`, a template such as `"{{ request.from }}"`'
            raise problem(Rule.MISSING_KEY, "{key} says `select: affinity` and names no `key`", hint)
        if self.select != "affinity" and self.key is not None:
            message = f"{{key}} has a `key`, and `select: {self.select}` goes by none"
            raise problem(Rule.CONFLICTING_KEYS, message, "say `select: affinity`, or take the `key` out")
        return self

    @model_validator(mode="after")
    def _fallback_is_named(self) -> UseFile:
        for key in ("on_deadline", "on_constrained"):
            if getattr(self, key) == "fallback" and self.fallback is None:
                hint = "add `fallback: ensemble/capability`, the provider to turn to"
                raise problem(Rule.MISSING_KEY, f"{{key}} says `{key}: fallback` and names no `fallback`", hint)
        return self


class ShareFile(FileModel):
    """What a capability tells the network of itself."""

    tags: tuple[Name, ...] = ()
    """Words by which others discover it."""
    authority: Given[Level] = None
    """The highest level that a request for it may require; without it the ensemble's `authority`."""
    cost: Given[Annotated[float, Field(ge=0, allow_inf_nan=False)]] = None
    """What a call costs, in a unit that you choose: `select: lowest-cost` compares it."""


class SearchFile(FileModel):
    """Capabilities of others that an agent may call, whoever offers them when it works."""

    tags: tuple[Name, ...] = ()
    """Tags that they must all carry."""
    name: Given[Name] = None
    """What they are called."""

    @model_validator(mode="after")
    def _says_what(self) -> SearchFile:
        if not self.tags and self.name is None:
            raise problem(Rule.MISSING_KEY, "{key} says neither `tags` nor `name`", "name a tag at least")
        return self


class AgentToolFile(FileModel):
    """One thing that an agent may call, or several that are looked up when it works."""

    tool: Given[Name] = None
    """A tool of this ensemble or a use; short for it is its name alone."""
    catalog: Given[SearchFile] = None
    """What is looked up in the catalog; the agent sees each as `provider__name`."""

    @model_validator(mode="after")
    def _one_of_both(self) -> AgentToolFile:
        if (self.tool is None) is (self.catalog is None):
            hint = "write the name of a tool or use, or `catalog: {tags: [TAG]}`"
            raise problem(Rule.MISSING_KEY, "{key} says neither `tool` nor `catalog`, or both", hint)
        return self


def _agent_tool(value: object) -> object:
    return {"tool": value} if isinstance(value, str) else value


AgentToolEntry = Annotated[AgentToolFile, BeforeValidator(_agent_tool, json_schema_input_type=Name | AgentToolFile)]


class AgentFile(FileModel):
    """A model route with instructions and tools."""

    model: Name
    """A route of `models:`."""
    instructions: str = ""
    """What the agent is told: a text, or the path of a `.md`, `.txt` or `.j2` file."""
    tools: tuple[AgentToolEntry, ...] = ()
    """What it may call: tools of this ensemble and uses, by name; and `catalog: {tags: […]}`, whatever is on offer."""

    @property
    def named(self) -> dict[int, str]:
        """The tools and uses among them, by place."""
        return {place: entry.tool for place, entry in enumerate(self.tools) if entry.tool is not None}

    @property
    def searches(self) -> dict[int, SearchFile]:
        """What is looked up, by place."""
        return {place: entry.catalog for place, entry in enumerate(self.tools) if entry.catalog is not None}


def _target(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


def _share(value: object) -> object:
    if value is True:
        return {}
    return {"tags": value} if isinstance(value, list) else value


def _unshared(value: object) -> object:
    return None if value is False else value


def _schema_or_path(value: object) -> object:
    if not isinstance(value, (str, dict)):
        raise problem(Rule.WRONG_TYPE, "{key} must be a path or a JSON Schema")
    return value


UseEntry = Annotated[UseFile, BeforeValidator(_target, json_schema_input_type=Target | UseFile)]
ShareEntry = Annotated[ShareFile, BeforeValidator(_share, json_schema_input_type=bool | list[Name] | ShareFile)]
Shared = Annotated[ShareEntry | None, BeforeValidator(_unshared, json_schema_input_type=ShareEntry)]


class ToolFile(FileModel):
    """One function of the ensemble."""

    python: PythonReference
    """`module:function`; the module stands beside this file, dots are folders."""
    description: Given[str] = None
    """What it does, for people and agents."""
    idempotent: bool = False
    """Whether a call may be made twice and does no harm: then one that ended unclearly is made of the next provider."""
    share: Given[Shared] = None
    """Offers it to the network: `true`, a list of tags, or a mapping."""


class TaskFile(FileModel):
    """A whole process, worked off step by step."""

    steps: Annotated[tuple[StepFile, ...], Field(min_length=1)]
    """What is done, in order."""
    output: Structure = None
    """The answer, as a template; without it the last step's."""
    description: Given[str] = None
    """What it does, for people and agents."""
    share: Given[Shared] = None
    """Offers it to the network: `true`, a list of tags, or a mapping."""
    input_schema: Annotated[str | dict[str, JsonValue] | None, BeforeValidator(_schema_or_path)] = None
    """A JSON Schema of the context, or the path of one; without it the context is natural language."""
    dedupe: Given[Literal["content"]] = None
    """`content`: a request with the content of another one of the same caller joins that one."""


class CapacityFile(FileModel):
    """How much the ensemble takes on."""

    max_concurrent: Count = 16
    """Requests worked on at once."""
    queue_limit: Count = 1000
    """Tasks queued or worked on before more are refused."""
    backpressure: Given[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = None
    """Tasks waiting over slots, beyond which others are routed elsewhere; without it 2."""


class HealthFile(FileModel):
    """How it is found out whether the ensemble can work: by a function, an address or a tool of its own."""

    python: Given[PythonReference] = None
    """`module:function`: well, unless it raises or answers false."""
    http: Given[str] = None
    """An address: well, where it answers with a status below 400."""
    tool: Given[Name] = None
    """A tool of this ensemble: well, unless it fails or answers false."""
    input: Structure = None
    """What the function or the tool is given."""
    interval: Given[Duration] = None
    """The time from one try to the next; without it 10s."""
    timeout: Given[Duration] = None
    """How long one try may take; without it 2s."""
    failures: Count = 3
    """So many failures in a row make it DEGRADED."""

    @model_validator(mode="after")
    def _one_probe(self) -> HealthFile:
        given = [key for key in ("python", "http", "tool") if getattr(self, key) is not None]
        if not given:
            raise problem(Rule.MISSING_KEY, "{key} says neither `python`, `http` nor `tool`", "name one of them")
        if len(given) > 1:
            named = " and ".join(f"`{key}`" for key in given)
            raise problem(Rule.CONFLICTING_KEYS, f"{{key}} has {named}; a health check has one probe", "keep one")
        return self

    @field_validator("http")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://", "${")):
            raise problem(Rule.INVALID_VALUE, "{key} is no address: {value}", "write `http://…` or `https://…`")
        return value


class ScheduleFile(FileModel):
    """A task that runs by the clock."""

    cron: str
    """When, as five fields."""
    time_zone: str = "UTC"
    """The time zone of `cron`, such as `Europe/Paris`."""
    task: Name
    """A task of this ensemble."""
    context: Structure = ""
    """What the task is given."""
    delivery: Given[DeliveryEntry] = None
    """Where the result goes."""
    when: Given[Expression] = None
    """The schedule only runs where this holds."""


class MemoryFile(FileModel):
    """A scope of shared memory."""

    consistency: Literal["eventual", "optimistic", "locked"] = "optimistic"
    """What happens when two write at once."""


class EnsembleFile(FileModel):
    """A named autonomous service with its own agents, tools and tasks."""

    description: Given[str] = None
    """What it is for."""
    domain: Given[str] = None
    """The field it works in."""
    authority: Level = "autonomous"
    """The registered level of its capabilities that name none themselves."""
    scope: tuple[ScopePattern, ...] = ("*",)
    """The capabilities it lends to those it calls: `*`, `ensemble/*` or `ensemble/capability`."""
    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many copies run."""
    placement: Literal["inline", "process"] = "inline"
    """In the runner's process, or in one of its own."""
    sla: Given[Duration] = None
    """A task is claimed within this, or goes to another provider; without it 30s."""
    capacity: CapacityFile = Field(default_factory=CapacityFile)
    """How much it takes on."""
    health: Given[HealthFile] = None
    """How it is found out whether it can work; without it, it can for as long as it runs."""
    uses: dict[Name, UseEntry] = Field(default_factory=dict)
    """What it needs from others, by a name of its own; one namespace with `tools`."""
    agents: dict[Name, AgentFile] = Field(default_factory=dict)
    """Its agents."""
    tools: dict[Name, ToolFile] = Field(default_factory=dict)
    """Its functions."""
    tasks: dict[Name, TaskFile] = Field(default_factory=dict)
    """Its processes."""
    schedules: dict[Name, ScheduleFile] = Field(default_factory=dict)
    """Tasks that run by the clock."""
    memory: dict[Name, MemoryFile] = Field(default_factory=dict)
    """Its scopes of memory."""
