"""The wire: every message that crosses between ensembles, with its JSON names.

Durations are ISO 8601, instants RFC 3339 UTC, enums UPPERCASE. Unknown fields are ignored on reading, so that a newer
peer can add some. JSON Schemas of these models are generated into `schemas/`.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter
from pydantic.alias_generators import to_camel

REQUEST_ID_PATTERN = r"^[A-Za-z0-9_-]{1,128}$"
TRACEPARENT_PATTERN = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
CALLER_PATTERN = r"^_?[a-z][a-z0-9-]{0,79}$"
"""An ensemble, or an outside caller such as `_cli` or `_client-NAME`."""

RequestId = Annotated[str, Field(pattern=REQUEST_ID_PATTERN)]
Deadline = Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=3660))]


class Priority(StrEnum):
    """How urgent a task is; its lower-case name is the subject token. Members stand in order of urgency."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


class Authority(StrEnum):
    """How far a capability may act by itself. Members stand in rising order."""

    AUTONOMOUS = "AUTONOMOUS"
    SUPERVISED = "SUPERVISED"
    HUMAN_REQUIRED = "HUMAN_REQUIRED"

    @property
    def rank(self) -> int:
        return _AUTHORITY_RANKS[self]


_AUTHORITY_RANKS = {authority: rank for rank, authority in enumerate(Authority)}


class CapabilityType(StrEnum):
    TASK = "TASK"
    TOOL = "TOOL"


class Status(StrEnum):
    """The terminal states of a request."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class CachePolicy(StrEnum):
    USE_CACHED = "USE_CACHED"
    FORCE_FRESH = "FORCE_FRESH"


class Code(StrEnum):
    """Why a request did not complete. `run-network explain CODE` tells each one's story."""

    AMBIGUOUS_REQUEST = "AMBIGUOUS_REQUEST"
    AUTHORITY_EXCEEDED = "AUTHORITY_EXCEEDED"
    CAPACITY_CONSTRAINED = "CAPACITY_CONSTRAINED"
    CANCELLED = "CANCELLED"
    CAPABILITY_DEGRADED = "CAPABILITY_DEGRADED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    DEAD_LETTER = "DEAD_LETTER"
    DELEGATION_CYCLE = "DELEGATION_CYCLE"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    DISCOVERY_UNAVAILABLE = "DISCOVERY_UNAVAILABLE"
    DOCUMENT_MISSING = "DOCUMENT_MISSING"
    ENSEMBLE_REMOVED = "ENSEMBLE_REMOVED"
    HANDLER_FAILED = "HANDLER_FAILED"
    HOPS_EXCEEDED = "HOPS_EXCEEDED"
    INVALID_INPUT = "INVALID_INPUT"
    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_RESPONSE = "INVALID_RESPONSE"
    NOT_DEAD = "NOT_DEAD"
    NOT_WAITING = "NOT_WAITING"
    NOT_WIRED = "NOT_WIRED"
    NOT_YET_SUPPORTED = "NOT_YET_SUPPORTED"
    NO_PROVIDER = "NO_PROVIDER"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    QUEUE_FULL = "QUEUE_FULL"
    REFUSED = "REFUSED"
    REVIEW_UNAVAILABLE = "REVIEW_UNAVAILABLE"
    STEP_FAILED = "STEP_FAILED"
    TEMPLATE_FAILED = "TEMPLATE_FAILED"
    TOO_MANY_ITEMS = "TOO_MANY_ITEMS"
    UNKNOWN_CAPABILITY = "UNKNOWN_CAPABILITY"
    UNKNOWN_DELIVERY = "UNKNOWN_DELIVERY"
    UNKNOWN_REQUEST = "UNKNOWN_REQUEST"
    UNAVAILABLE = "UNAVAILABLE"


class Wire(BaseModel):
    """The manners that every wire model shares: camelCase JSON, absent rather than null, frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        ser_json_timedelta="iso8601",
        cache_strings="keys",  # of all texts, pydantic would keep 16,384: mostly ids, which nobody sends again
    )

    def encode(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)


class DeliverySpec(Wire):
    """How and where a result goes.

    `method` is reply, none, queue or topic (`address` names it), store (under `key`, a template that sees `request`,
    for `ttl`), or named: `address` is one of the network's `deliveries:`, which the provider's runner looks up.
    """

    method: str = "reply"
    address: str | None = None
    key: Annotated[str | None, Field(max_length=1024)] = None
    ttl: Annotated[timedelta | None, Field(gt=timedelta(0), le=timedelta(days=3660))] = None


class TraceContext(Wire):
    """W3C trace context, carried unchanged in meaning: the span in `traceparent` is the caller's."""

    traceparent: Annotated[str, Field(pattern=TRACEPARENT_PATTERN)]
    tracestate: str | None = None

    @property
    def trace_id(self) -> str:
        return self.traceparent.split("-")[1]

    @property
    def span_id(self) -> str:
        return self.traceparent.split("-")[2]


class Budget(Wire):
    """What a request and everything it delegates may still spend."""

    hops: int | None = None
    tokens: int | None = None
    cost: float | None = None


class Need(Wire):
    """What a request was for before it was resolved to a provider: whoever else meets it may do it as well."""

    name: str | None = None
    tags: tuple[str, ...] = ()


class Dedupe(StrEnum):
    """What makes two requests of one caller the same, beside their id."""

    CONTENT = "CONTENT"


class WorkRequest(Wire):
    """One request for a capability. Unique by (`caller`, `request_id`)."""

    request_id: RequestId
    caller: str = Field(alias="from", pattern=CALLER_PATTERN)
    task: str
    context: JsonValue = None
    priority: Priority = Priority.NORMAL
    deadline: Deadline = timedelta(minutes=30)
    delivery: DeliverySpec | None = None
    trace_context: TraceContext
    cache_policy: CachePolicy | None = None
    cache_key: str | None = None
    max_age: timedelta | None = None
    authority: Authority = Authority.AUTONOMOUS
    scope: tuple[str, ...] = ("*",)
    need: Need | None = None
    """None: it names its provider, and nobody else will do."""
    dedupe: Dedupe | None = None
    chain: tuple[str, ...] = ()
    budget: Budget | None = None
    generation: int | None = None
    """By which applied configuration the first ensemble of its chain worked; None for one that comes from outside."""
    provenance: str | None = None
    require_provenance: bool | None = None
    submitted_at: AwareDatetime

    @property
    def expires_at(self) -> datetime:
        return self.submitted_at + self.deadline

    def told(self) -> dict[str, JsonValue]:
        """What templates see as `request`."""
        return _told(
            self.request_id, self.caller, self.task, self.priority, self.submitted_at, self.trace_context.trace_id
        )


class WorkError(Wire):
    """What went wrong, for the caller: a stable code, a message without secrets or tracebacks, the next step."""

    code: str
    message: str
    hint: str | None = None


class Usage(Wire):
    tokens: int | None = None
    cost: float | None = None


class WorkResponse(Wire):
    """The one terminal outcome of a request."""

    request_id: str
    status: Status
    result: JsonValue = None
    error: WorkError | None = None
    duration_ms: float = 0.0
    provider: str | None = None
    usage: Usage | None = None
    provenance: str | None = None
    partial: dict[str, JsonValue] | None = None
    cached: bool | None = None


class TaskAccepted(Wire):
    """The provider's intake has seen the durable message: the task is claimed, not yet started."""

    type: Literal["task_accepted"] = "task_accepted"
    request_id: str
    queue_position: int
    estimated_completion: timedelta
    provider: str
    constrained: bool | None = None
    """True where more wait than the provider's `backpressure` allows."""


class TaskMoved(Wire):
    """Another provider answers in place of the one that was asked: it was handed off, or routed anew."""

    type: Literal["task_moved"] = "task_moved"
    request_id: str
    provider: str
    """Who answers from now on."""
    reason: str | None = None


class TaskProgress(Wire):
    type: Literal["task_progress"] = "task_progress"
    request_id: str
    message: str
    percent: float | None = None


class TaskRejected(Wire):
    type: Literal["task_rejected"] = "task_rejected"
    request_id: str
    error: WorkError


class Attempt(Wire):
    """One real start of a task. `ended` says how it came to nothing, where that is known."""

    number: int
    runner: str
    provider: str
    started_at: AwareDatetime
    ended: str | None = None


class Record(Wire):
    """What the `results` bucket holds under `CALLER.ID`: the claim's epoch and, once there is one, the outcome.

    Only the provider that it names may record one. `attempts` counts real starts, of which `history` tells.
    """

    epoch: int = 0
    request_id: str
    task: str
    caller: str = Field(alias="from")
    provider: str
    priority: Priority
    submitted_at: datetime
    trace_id: str
    attempts: int = 1
    history: tuple[Attempt, ...] = ()
    moved: WorkRequest | None = None
    """What was, or is being, published to `provider` in place of what the caller sent: a hand-off or a new routing."""
    delivery: DeliverySpec | None = None
    delivered: bool | None = None
    """Whether the outcome has gone where `delivery` says, so that a repeat of the request does not send it again."""
    response: WorkResponse | None = None

    def told(self) -> dict[str, JsonValue]:
        """What templates see as `request`: the same as while it was worked on."""
        return _told(self.request_id, self.caller, self.task, self.priority, self.submitted_at, self.trace_id)


class Placement(StrEnum):
    """Where an ensemble runs: in its runner's process, or in one of its own."""

    INLINE = "inline"
    PROCESS = "process"


class EnsembleState(StrEnum):
    STARTING = "STARTING"
    READY = "READY"
    DEGRADED = "DEGRADED"
    """It is up and says that it is not well: tasks for it are held, tool calls refused."""
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    GONE = "GONE"
    """Every runner that had it fell silent."""


class Standing(Wire):
    """The answer of `N.result.F.ID`: the outcome, or where the request stands, and in whose queue."""

    request_id: str
    status: Literal["PENDING", "DONE", "UNKNOWN"]
    state: str | None = None
    expires_at: datetime | None = None
    provider: str | None = None
    provider_state: EnsembleState | None = None
    response: WorkResponse | None = None


Hint = TaskAccepted | TaskMoved | TaskProgress | TaskRejected | WorkResponse
"""What arrives on a reply subject; a message without a `type` is the response."""

_TYPED_HINT: TypeAdapter[TaskAccepted | TaskMoved | TaskProgress | TaskRejected] = TypeAdapter(
    Annotated[TaskAccepted | TaskMoved | TaskProgress | TaskRejected, Field(discriminator="type")]
)


def decode_hint(data: bytes) -> Hint:
    """Read what came on a reply subject. Raises `pydantic.ValidationError` on garbage."""
    if data.startswith(b'{"type":"task_'):
        return _TYPED_HINT.validate_json(data)
    return WorkResponse.model_validate_json(data)


def new_request_id() -> str:
    return secrets.token_hex(12)


def new_trace() -> TraceContext:
    chance = secrets.token_hex(24)
    return TraceContext(traceparent=f"00-{chance[:32]}-{chance[32:]}-01")


def span_of(caller: str, request_id: str, *path: str | int) -> str:
    """The span id of a request, or of a step in it: derived, so that a repeat of the same work is the same span."""
    return _digest("span", caller, request_id, *path)[:16]


def child_id(caller: str, request_id: str, *path: str | int) -> str:
    """The id of a request that another one sends: a hash of the parent's caller and id and the place in it.

    `path` is step, index and attempt: a resumed step re-joins its child, a retry does not join its own failure.
    """
    return _digest("child", caller, request_id, *path)[:24]


def _told(
    request_id: str, caller: str, task: str, priority: Priority, submitted_at: datetime, trace_id: str
) -> dict[str, JsonValue]:
    return {
        "requestId": request_id,
        "from": caller,
        "task": task,
        "priority": priority.value,
        "submittedAt": submitted_at.isoformat(),
        "traceId": trace_id,
    }


def _digest(*parts: str | int) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
