"""What an ensemble is in one generation of the configuration, whole: its part of the file and its loaded functions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property

from runner.capability import CapabilityInfo, versioned
from runner.catalog import Catalog, declared
from runner.deliverable import AnyDelivery
from runner.errors import StartFailed
from runner.functions.calling import UserFunction, prepare
from runner.functions.loading import ModuleSpace
from runner.model import Ensemble, Network, PythonStep, PythonTarget
from runner.routing.wiring import callers_of
from runner.work import CapabilityType

_LOGGED = "the traceback is in .run-network/runner.log"
_log = logging.getLogger("runner.host")


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """One applied configuration, and what follows from it. All ensembles of a runner share it.

    `declared` is the catalog that the file promises; `wired_callers` are those that a use connects to each capability,
    by (provider, capability).
    """

    number: int
    network: Network
    declared: Catalog
    wired_callers: Mapping[tuple[str, str], frozenset[str]]
    queues: tuple[str, ...]
    """The ensembles that share tasks, in order."""
    leaving_callers: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """Those of the generation before, for as long as work of it may call; then it is emptied."""

    @classmethod
    def of(cls, network: Network, number: int, *, after: Generation | None = None) -> Generation:
        """`after` is the generation whose work may still be ending when this one begins."""
        catalog = declared(network)
        queues = {c.provider for c in catalog.capabilities if c.type is CapabilityType.TASK}
        return cls(number, network, catalog, callers_of(network), tuple(sorted(queues)), _callers(after))

    @property
    def queue_limits(self) -> dict[str, int]:
        """How many tasks each ensemble that shares some may have, in order."""
        return {name: self.network.ensembles[name].capacity.queue_limit for name in self.queues}


def _callers(generation: Generation | None) -> dict[tuple[str, str], frozenset[str]]:
    """Who may call what, of a generation and of those before whose work has not ended."""
    if generation is None:
        return {}
    wired, leaving = generation.wired_callers, generation.leaving_callers
    both = wired.keys() | leaving.keys()
    return {target: wired.get(target, frozenset()) | leaving.get(target, frozenset()) for target in both}


@dataclass(slots=True, eq=False)
class InForce:
    """The generation that a runner works by: one place to look, replaced as one."""

    generation: Generation
    known_queues: frozenset[str] = frozenset()
    """The ensembles that have a queue on the server, in this network or not."""

    @property
    def network(self) -> Network:
        return self.generation.network

    def queues(self) -> tuple[str, ...]:
        """The ensembles that share tasks, in order."""
        return self.generation.queues

    def left_queues(self) -> tuple[str, ...]:
        """Those that share none any more, or are gone, and whose tasks may still wait, in order."""
        return tuple(sorted(self.known_queues.difference(self.generation.queues)))

    def all_queues(self) -> tuple[str, ...]:
        """Wherever a task may wait, in order."""
        return tuple(sorted(self.known_queues.union(self.generation.queues)))

    def queue_limit(self, ensemble: str) -> int | None:
        """How many tasks its queue takes; None where the network has no such ensemble."""
        found = self.network.ensembles.get(ensemble)
        return found.capacity.queue_limit if found is not None else None

    def deliveries(self) -> Mapping[str, AnyDelivery]:
        return self.network.deliveries

    def max_payload(self) -> int:
        return self.network.defaults.max_payload


@dataclass(frozen=True, eq=False)
class Version:
    """One ensemble in one generation. Nothing of it ever changes: what is new is another version."""

    generation: Generation
    ensemble: Ensemble
    functions: Mapping[PythonTarget, UserFunction]
    modules: ModuleSpace

    @property
    def network(self) -> Network:
        return self.generation.network

    @property
    def name(self) -> str:
        return self.ensemble.name

    def in_generation(self, generation: Generation) -> Version | None:
        """The same functions in another generation; None where that names others."""
        ensemble = generation.network.ensembles[self.name]
        if set(targets_of(ensemble)) != self.functions.keys():
            return None
        version = Version(generation, ensemble, self.functions, self.modules)
        self.modules.keep_for(version)
        if ensemble == self.ensemble and "capabilities" in self.__dict__:
            version.__dict__["capabilities"] = self.capabilities  # nothing else of a generation is in them
        return version

    @property
    def takes_tasks(self) -> bool:
        return any(kind is CapabilityType.TASK for kind, _ in self.ensemble.shared().values())

    @property
    def tools(self) -> dict[str, str]:
        """The tools on offer, each with a line of description."""
        return {c.name: c.description or c.name for c in self.capabilities if c.type is CapabilityType.TOOL}

    @cached_property
    def capabilities(self) -> tuple[CapabilityInfo, ...]:
        """What it offers: as the file declares it, and where that says nothing, as its functions tell of themselves."""
        return tuple(versioned(self._told(c)) for c in self.generation.declared.of_provider(self.name))

    def _told(self, capability: CapabilityInfo) -> CapabilityInfo:
        tool = self.ensemble.tools.get(capability.name)
        if tool is None:
            return capability
        function = self.functions[tool.python]
        description = tool.description or function.description
        return replace(capability, description=description, input_schema=function.input_schema)


def version_of(generation: Generation, name: str, modules: ModuleSpace, threads: Executor) -> Version:
    """An ensemble with its functions loaded; the plain ones run in `threads`. Raises StartFailed.

    Where that came from an exception, the traceback is logged.
    """
    ensemble = generation.network.ensembles[name]
    try:
        functions = {target: prepare(modules.load(target), threads, str(target)) for target in targets_of(ensemble)}
    except StartFailed as problem:
        if (cause := problem.__cause__) is None:
            raise
        _log.warning("the code of %s cannot be used: %s", name, problem.message, exc_info=cause)
        raise StartFailed(problem.message, hint=_LOGGED) from cause
    version = Version(generation, ensemble, functions, modules)
    modules.keep_for(version)
    return version


def targets_of(ensemble: Ensemble) -> tuple[PythonTarget, ...]:
    """The functions that an ensemble names, each once."""
    tools = [tool.python for tool in ensemble.tools.values()]
    steps = [step.python for task in ensemble.tasks.values() for step in task.steps if isinstance(step, PythonStep)]
    probe = [ensemble.health.python] if ensemble.health and ensemble.health.python else []
    return tuple(dict.fromkeys(tools + steps + probe))
