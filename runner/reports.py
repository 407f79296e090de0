"""What the verbs print with `--json` and a runner answers when asked: the documents of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from runner.work import Attempt, Authority, CapabilityType, EnsembleState, Priority

Entry = TypeVar("Entry")


class Report(BaseModel):
    model_config = ConfigDict(populate_by_name=True, frozen=True, extra="ignore", cache_strings="keys")


class QueuedReport(Report):
    critical: int = 0
    high: int = 0
    normal: int = 0
    low: int = 0


class EnsembleReport(Report):
    name: str
    state: EnsembleState
    replicas: int
    in_flight: int
    queued: QueuedReport
    capabilities: tuple[str, ...]
    held: int = 0
    """How many tasks wait although no replica is up."""
    removed: bool = False
    """Whether the files have it no more: it is told of while something of it is in hand, or waits for its return."""
    pids: tuple[int, ...] = ()
    """Of its own processes, where it is placed so: one on each runner."""
    detail: str | None = None


class RunnerReport(Report):
    id: str
    pid: int
    started_at: datetime
    url: str
    ensembles: tuple[str, ...]
    host: str = ""
    leads: bool = False
    """Whether it does what one runner of the network must do for all."""
    generation: int | None = None
    """Lower than the network's where it could not go along."""


class ReloadReport(Report):
    ok: bool
    generation: int
    diagnostics: tuple[str, ...] = ()


class StatusReport(Report):
    network: str
    generation: int
    runners: tuple[RunnerReport, ...]
    ensembles: tuple[EnsembleReport, ...]
    last_reload: ReloadReport
    leader_epoch: int = 0
    """Grows by one whenever leadership passes to another runner."""
    discovery_away: str | None = None
    """Why nobody can be found who is not known already, since when; null where all is well."""


class AppliedReport(Report):
    """What the network runs. `files` are paths from the network file `file`, with the SHA-256 of each."""

    generation: int
    hash: str
    by: str
    at: datetime
    file: str
    files: dict[str, str]
    environment: Annotated[str, Field(exclude=True, repr=False)] = ""
    """A digest of what references stood for, with the salt of it. Never printed."""
    salt: Annotated[str, Field(exclude=True, repr=False)] = ""


class GenerationReport(Report):
    """One generation of the history: the ensembles and the files that differ from the generation before."""

    generation: int
    hash: str
    by: str
    at: datetime
    ensembles: tuple[str, ...]
    files: tuple[str, ...]
    applied: bool
    """Whether it is the one that the network runs."""
    restores: int | None = None
    """The generation whose files these are again, where it was rolled back to."""


class FileReport(Report):
    """A file that differs. `diff` is in the unified format; None for what is no text."""

    path: str
    change: Literal["added", "changed", "removed"]
    diff: str | None


class DiffReport(Report):
    """What differs between two generations; None stands for the files of the directory."""

    before: Annotated[int, Field(serialization_alias="from", validation_alias="from")]
    after: Annotated[int | None, Field(serialization_alias="to", validation_alias="to")]
    files: tuple[FileReport, ...]


class ChangeReport(Report):
    """A key that differs; `ensemble` is null for the network's own. Values are as resolved, without secrets."""

    ensemble: str | None
    path: str
    before: JsonValue
    after: JsonValue
    field_class: Annotated[str, Field(serialization_alias="class", validation_alias="class")]


class StepReport(Report):
    """A step of a plan; `ensemble` is null where it is about the network itself. A rewire names the use and the
    capability, and whether the use comes to it from then on or no more; a drain says what becomes of what is queued."""

    action: Literal["start", "update", "drain", "stop", "rewire"]
    ensemble: str | None
    cause: str
    in_flight: int
    queued: int
    use: str | None = None
    target: str | None = None
    added: bool | None = None
    on_remove: Literal["hold", "fail"] | None = None


class PlanReport(Report):
    """What would make the network what the files say; `generation` is the one that it runs."""

    hash: str
    generation: int
    steps: tuple[StepReport, ...]
    changes: tuple[ChangeReport, ...]


class CatalogEntry(Report):
    """`status` is the provider's state, and `detail` why it is not READY; `load` is its requests in flight over its
    slots; `constrained` says that more wait for it than its `backpressure` allows. `latencyMs` is what a call took
    lately, on the average, once it had a slot, and `etaMs` what one made now is likely to take; null where none was
    made. `version` is the fingerprint of the contract: the same for as long as a caller need not know of a change."""

    name: str
    type: CapabilityType
    provider: str
    tags: tuple[str, ...]
    authority: Authority
    status: EnsembleState
    load: float
    queue_limit: Annotated[int | None, Field(serialization_alias="queueLimit", validation_alias="queueLimit")] = None
    constrained: bool = False
    description: str | None = None
    input_schema: Annotated[
        dict[str, JsonValue] | None, Field(serialization_alias="schema", validation_alias="schema")
    ] = None
    aliases: tuple[str, ...] = ()
    """Other words for its tags."""
    domain: str | None = None
    max_concurrent: Annotated[
        int | None, Field(serialization_alias="maxConcurrent", validation_alias="maxConcurrent")
    ] = None
    sla: timedelta | None = None
    cost: float | None = None
    idempotent: bool = False
    version: str | None = None
    queue_depth: Annotated[int, Field(serialization_alias="queueDepth", validation_alias="queueDepth")] = 0
    latency_ms: Annotated[float | None, Field(serialization_alias="latencyMs", validation_alias="latencyMs")] = None
    eta_ms: Annotated[float | None, Field(serialization_alias="etaMs", validation_alias="etaMs")] = None
    detail: str | None = None


class RequestReport(Report):
    """`status` is a terminal one, or PENDING with `state` QUEUED, HELD or RUNNING; FAILED and DEAD can be retried.

    `attempts` counts real starts, since the last retry; `history` tells of all that are known.
    """

    request_id: Annotated[str, Field(serialization_alias="requestId", validation_alias="requestId")]
    task: str
    caller: Annotated[str, Field(serialization_alias="from", validation_alias="from")]
    provider: str
    status: str
    state: str | None = None
    priority: Priority
    submitted_at: Annotated[datetime, Field(serialization_alias="submittedAt", validation_alias="submittedAt")]
    duration_ms: Annotated[float | None, Field(serialization_alias="durationMs", validation_alias="durationMs")] = None
    attempts: int
    history: tuple[Attempt, ...] = ()
    trace_id: Annotated[str, Field(serialization_alias="traceId", validation_alias="traceId")]


class RetryReport(Report):
    """A dead letter is queued again, or `error` says why not."""

    request_id: Annotated[str, Field(serialization_alias="requestId", validation_alias="requestId")]
    caller: Annotated[str | None, Field(serialization_alias="from", validation_alias="from")] = None
    provider: str | None = None
    status: str | None = None
    state: str | None = None
    error: ProblemReport | None = None


class PriorityRequest(Report):
    """Which waiting task is to have which priority."""

    caller: str
    request_id: str
    priority: Priority


class PriorityReport(Report):
    """A task waits with `priority`, and waited with `previous` before; or `error` says why not."""

    request_id: Annotated[str, Field(serialization_alias="requestId", validation_alias="requestId")]
    caller: Annotated[str, Field(serialization_alias="from", validation_alias="from")]
    provider: str | None = None
    priority: Priority | None = None
    previous: Priority | None = None
    error: ProblemReport | None = None


class DrainReport(Report):
    """What one runner does with an ensemble; a drain takes it `seconds` at most."""

    ensemble: str
    state: EnsembleState
    seconds: float


class SpanReport(Report):
    span_id: Annotated[str, Field(serialization_alias="spanId", validation_alias="spanId")]
    parent_id: Annotated[str | None, Field(serialization_alias="parentId", validation_alias="parentId")]
    name: str
    ensemble: str
    start: datetime
    duration_ms: Annotated[float | None, Field(serialization_alias="durationMs", validation_alias="durationMs")]
    status: str


class TraceReport(Report):
    trace_id: Annotated[str, Field(serialization_alias="traceId", validation_alias="traceId")]
    spans: tuple[SpanReport, ...]


class ProblemReport(Report):
    """How a failure reads with `--json`, under `error`."""

    code: str
    message: str
    hint: str | None = None


CATALOG: TypeAdapter[tuple[CatalogEntry, ...]] = TypeAdapter(tuple[CatalogEntry, ...])
REQUESTS: TypeAdapter[tuple[RequestReport, ...]] = TypeAdapter(tuple[RequestReport, ...])
CALLERS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])

PAGE_ENTRIES = 500
"""How many entries one answer carries: far from what the server takes in a message."""


class PageRequest(Report):
    """Which part of a long list is asked for; `state` leaves only the requests in it."""

    offset: int = 0
    state: str | None = None

    @classmethod
    def read(cls, body: bytes) -> Self:
        return cls.model_validate_json(body) if body else cls()


class CatalogRequest(PageRequest):
    """Which capabilities are asked for: those that meet all that is said. A tag may be an alias."""

    name: str | None = None
    tags: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    type: CapabilityType | None = None
    domain: str | None = None


class DiscoveryReport(Report):
    """Whether somebody can be found who is not known already."""

    away: str | None = None
    """Why not, since when; None where all is well."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """A part of a list. An empty one is behind the end."""

    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: tuple[Entry, ...], wanted: PageRequest) -> Page[Entry]:
        return cls(entries[wanted.offset : wanted.offset + PAGE_ENTRIES])

    def dump(self, adapter: TypeAdapter[tuple[Entry, ...]]) -> bytes:
        return adapter.dump_json(self.entries, by_alias=True)
