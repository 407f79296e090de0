"""The catalog that a file promises: what is on offer once every ensemble is ready."""

from __future__ import annotations

from runner.capability import CapabilityInfo
from runner.catalog.index import Catalog
from runner.model import Ensemble, Network
from runner.same import found_once
from runner.work import CapabilityType


@found_once
def declared(network: Network) -> Catalog:
    offers = (capability for ensemble in network.ensembles.values() for capability in _offers(ensemble))
    return Catalog.of(offers, network.tag_aliases)


def _offers(ensemble: Ensemble) -> tuple[CapabilityInfo, ...]:
    return tuple(
        CapabilityInfo(
            name=name,
            type=kind,
            provider=ensemble.name,
            tags=share.tags,
            authority=share.authority,
            domain=ensemble.domain,
            description=(ensemble.tools.get(name) or ensemble.tasks[name]).description,
            input_schema=dict(task.input_schema) if (task := ensemble.tasks.get(name)) and task.input_schema else None,
            max_concurrent=ensemble.capacity.max_concurrent,
            queue_limit=ensemble.capacity.queue_limit if kind is CapabilityType.TASK else None,
            sla=ensemble.sla if kind is CapabilityType.TASK else None,
            cost=share.cost,
            idempotent=kind is CapabilityType.TOOL and ensemble.tools[name].idempotent,
        )
        for name, (kind, share) in ensemble.shared().items()
    )
