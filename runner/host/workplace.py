"""What the parts of one running ensemble share: who it is, how it calls, what it may ask of its runner.

The station stays for as long as the ensemble is hosted. Its workplace is the station as one version has it: a piece of
work takes the one of the day when it begins, and keeps it to its end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.bus.caller import Caller
from runner.bus.connection import Connection
from runner.bus.events import Events
from runner.bus.payloads import Payloads
from runner.capability import CapabilityInfo
from runner.catalog import Catalog
from runner.functions.calling import UserFunction
from runner.host.desk import Desk
from runner.host.health import Ailment
from runner.host.resolving import Resolving
from runner.host.service_times import ServiceTimes
from runner.host.slots import Slots
from runner.host.version import Version
from runner.model import Ensemble, Network, PythonTarget
from runner.routing.guards import Arrival, Refusal, refuse
from runner.subjects import Subjects, is_outside
from runner.work import WorkRequest


@dataclass(frozen=True, slots=True, eq=False)
class Station:
    """Where one ensemble is hosted, whatever its version. `runner` is the id of the runner that it is on."""

    name: str
    subjects: Subjects
    connection: Connection
    caller: Caller
    events: Events
    desk: Desk
    slots: Slots
    times: ServiceTimes
    ailment: Ailment
    runner: str
    log: logging.Logger

    @property
    def slot_count(self) -> int:
        """The slots of all live replicas together."""
        return max(1, self.slots.count) * max(1, self.desk.replicas(self.name))


@dataclass(frozen=True, slots=True, eq=False)
class Workplace(Station):
    """A station with one version. `declared` is the catalog that the file promises, `shared` what of it is its own, by
    name, `wired_callers` who calls what."""

    network: Network
    ensemble: Ensemble
    payloads: Payloads
    functions: Callable[[PythonTarget], UserFunction]
    declared: Catalog
    shared: Mapping[str, CapabilityInfo]
    wired_callers: Mapping[tuple[str, str], frozenset[str]]
    version: Version
    resolving: Resolving

    @property
    def generation(self) -> int:
        """The number of the configuration that it works by."""
        return self.version.generation.number

    @classmethod
    def of(cls, station: Station, version: Version) -> Workplace:
        """The station, from here on with this version."""
        return cls(
            name=station.name,
            subjects=station.subjects,
            connection=station.connection,
            caller=station.caller,
            events=station.events,
            desk=station.desk,
            slots=station.slots,
            times=station.times,
            ailment=station.ailment,
            runner=station.runner,
            log=station.log,
            network=version.network,
            ensemble=version.ensemble,
            payloads=Payloads.over(station.desk, version.network.defaults.max_payload, station.connection.max_payload),
            functions=version.functions.__getitem__,
            declared=version.generation.declared,
            shared={one.name: one for one in version.generation.declared.of_provider(station.name)},
            wired_callers=version.generation.wired_callers,
            version=version,
            resolving=Resolving(station.name, version.generation.declared, station.desk),
        )

    def refusal(
        self, request: WorkRequest, caller: str, capability: CapabilityInfo, *, handed_off: bool = False
    ) -> Refusal | None:
        """The first limit that a request for one of our capabilities breaks, or None.

        `caller` is who sent it; `handed_off` says that it is proven to have been another's.
        """
        arrival = Arrival(
            request,
            caller,
            target=f"{self.name}/{capability.name}",
            registered=capability.authority,
            wired=self.is_wired(caller, capability.name),
            handed_off=handed_off,
            max_hops=self.network.defaults.max_hops,
        )
        return refuse(arrival, datetime.now(UTC))

    def is_wired(self, caller: str, capability: str) -> bool:
        """Whether a caller may ask for this capability: by a use, or from outside with the operator's credential."""
        if is_outside(caller) or caller in self.wired_callers.get((self.name, capability), ()):
            return True
        return caller in self.version.generation.leaving_callers.get((self.name, capability), ())
