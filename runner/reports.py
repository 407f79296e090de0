"""What the verbs print with `--json` and a runner answers when asked: the documents of the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.work import Authority, CapabilityType, EnsembleState, Priority


class Report(BaseModel):
    model_config = ConfigDict(populate_by_name=True, frozen=True, extra="ignore")


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
    detail: str | None = None


class RunnerReport(Report):
    id: str
    pid: int
    started_at: datetime
    url: str
    ensembles: tuple[str, ...]


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


class CatalogEntry(Report):
    """`status` is the provider's state; `load` is its requests in flight over its slots."""

    name: str
    type: CapabilityType
    provider: str
    tags: tuple[str, ...]
    authority: Authority
    status: EnsembleState
    load: float
    description: str | None = None


class RequestReport(Report):
    """`status` is a terminal one, or PENDING with `state` QUEUED or RUNNING."""

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
    trace_id: Annotated[str, Field(serialization_alias="traceId", validation_alias="traceId")]


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


ControlVerb = Literal["status", "catalog", "requests", "stop"]
