"""What applying the files of a directory would do to the network that runs: for `plan`, and for who holds to one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.cli.session import NetworkClient
from runner.config.bundling import bundled, modules_of
from runner.config.reading import Reading, read_network
from runner.errors import InvalidNetwork, RestartNeeded
from runner.model import Network
from runner.plan.observed import Desired, Observed, Running
from runner.plan.plan import Plan, Refusal
from runner.plan.reconcile import reconcile
from runner.plan.text import refused
from runner.reports import StatusReport
from runner.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Files:
    """A directory, and the network that was read there."""

    workspace: Workspace
    network: Network
    reading: Reading


async def planned(network: NetworkClient, files: Files) -> Plan:
    """The plan from what runs to the files. Raises RestartNeeded where that takes one.

    What runs is read from its bundle, with the environment and the secrets of the directory.
    """
    applied = await network.applied()
    found = await network.bundle(applied.generation)
    before = read_network(found, found.bundle.file, files.workspace.environment(), safe=files.workspace)
    if before.network is None:
        raise InvalidNetwork(before.diagnostics, before.sources)
    observed = Observed(
        applied.generation,
        before.network,
        modules_of(before.network, found),
        dict(_running(await network.status())),
        before.references.secrets,
    )
    desired = Desired(
        files.network,
        modules_of(files.network, bundled(files.reading)),
        files.reading.references.secrets,
        references_changed=before.references.digest(applied.salt) != applied.environment,
    )
    return _planned(reconcile(observed, desired))


def _planned(found: Plan | Refusal) -> Plan:
    match found:
        case Plan():
            return found
        case Refusal():
            raise RestartNeeded(refused(found), hint=found.hint)


def _running(status: StatusReport) -> Iterator[tuple[str, Running]]:
    for ensemble in status.ensembles:
        yield ensemble.name, Running(ensemble.in_flight, sum(amount for _, amount in ensemble.queued))
