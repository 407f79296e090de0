"""The catalog as `run-network catalog` prints it: a line for each offer."""

from __future__ import annotations

from collections.abc import Mapping

from runner.capability import CapabilityInfo
from runner.offer import Offer
from runner.reports import CatalogEntry
from runner.work import EnsembleState


def entry(
    offer: Offer, declared: CapabilityInfo, aliases: Mapping[str, str], *, status: EnsembleState, load: float
) -> CatalogEntry:
    """One line. `status` and `load` are as of now, where the offer may be a beat old; `aliases` says which tag each
    other word stands for."""
    capability, condition = offer.capability, offer.condition
    return CatalogEntry(
        name=capability.name,
        type=capability.type,
        provider=capability.provider,
        tags=capability.tags,
        authority=capability.authority,
        status=status,
        load=load,
        constrained=condition.constrained,
        queue_limit=declared.queue_limit,
        description=capability.description,
        input_schema=capability.input_schema,
        aliases=tuple(sorted(alias for alias, tag in aliases.items() if tag in capability.tags)),
        domain=capability.domain,
        max_concurrent=declared.max_concurrent,
        sla=declared.sla,
        cost=declared.cost,
        idempotent=capability.idempotent,
        version=capability.version,
        queue_depth=condition.queue_depth,
        latency_ms=_milliseconds(offer.latency),
        eta_ms=_milliseconds(offer.eta),
        detail=condition.detail,
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
