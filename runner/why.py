"""Why a use goes where it goes: what `why` asks of a runner, and the document that it prints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.reports import ProblemReport, Report
from runner.work import CapabilityType, EnsembleState


class WhyRequest(Report):
    """Which use of which ensemble. `key` is that of a request, where the use goes by one; `deadline` is in seconds."""

    ensemble: str
    use: str
    key: str | None = None
    deadline: float | None = None


class CandidateReport(Report):
    """`reason` tells why a provider is not asked; of one that is eligible, what speaks for or against it, if anything.

    `load`, `latencyMs`, `etaMs` and `cost` are what a selection goes by: null where it is not known."""

    provider: str
    eligible: bool
    reason: str | None = None
    capability: str
    type: CapabilityType
    tags: tuple[str, ...] = ()
    state: EnsembleState
    load: float = 0.0
    queue_depth: Annotated[int, Field(serialization_alias="queueDepth", validation_alias="queueDepth")] = 0
    latency_ms: Annotated[float | None, Field(serialization_alias="latencyMs", validation_alias="latencyMs")] = None
    eta_ms: Annotated[float | None, Field(serialization_alias="etaMs", validation_alias="etaMs")] = None
    cost: float | None = None


class WhyReport(Report):
    """How a runner would resolve the use now. `chosen` is a provider, `target` its capability as `ensemble/capability`,
    and `order` who is asked one after the other where one does not take it; the `fallback` comes after all of them.

    Of very many candidates the eligible come first into `candidates`, and `omitted` says how many are not in it; of an
    order that is long, its first part is told.

    `chosen` is null where nobody is eligible, and where it depends on the request: `note` says on what. Without a
    `runner` and a `generation` it is what the file alone tells, and every ensemble of it counts as up.
    """

    ensemble: str
    use: str
    kind: Literal["static", "discovered"]
    need: str
    """What is wanted: `ensemble/capability`, or a name and tags."""
    candidates: tuple[CandidateReport, ...] = ()
    omitted: int = 0
    chosen: str | None = None
    target: str | None = None
    strategy: str
    """`static`, or what `select` says."""
    order: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    fallback: str | None = None
    fallback_type: Annotated[
        CapabilityType | None, Field(serialization_alias="fallbackType", validation_alias="fallbackType")
    ] = None
    fallback_state: Annotated[
        EnsembleState | None, Field(serialization_alias="fallbackState", validation_alias="fallbackState")
    ] = None
    """How the fallback's provider is; the type is null too where it shares no such thing."""
    note: str | None = None
    runner: str | None = None
    generation: int | None = None


class WhyAnswer(Report):
    """The one or the other."""

    report: WhyReport | None = None
    error: ProblemReport | None = None
