"""Plans of networks that stand in a test as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from runner.model import Network
from runner.plan.observed import Desired, Modules, Observed, Running
from runner.plan.plan import Plan, Refusal
from runner.plan.reconcile import reconcile
from tests.support.sources import printed, read


def network(ensembles: Mapping[str, Any], files: Mapping[str, str] | None = None, **top: Any) -> Network:
    """The resolved network of these ensembles, each as its file would say it."""
    text = yaml.safe_dump({"network": "hotel", **top, "ensembles": dict(ensembles)}, sort_keys=False)
    reading = read({"network.yaml": text, **(files or {})})
    assert reading.network is not None, printed(reading.diagnostics)
    return reading.network


def planned(
    before: Network,
    after: Network,
    *,
    running: Mapping[str, Running] | None = None,
    modules: tuple[Modules, Modules] = ({}, {}),
    secrets: frozenset[str] = frozenset(),
) -> Plan:
    """The plan from one network to another."""
    observed = Observed(3, before, modules[0], running or {})
    plan = reconcile(observed, Desired(after, modules[1], secrets))
    assert isinstance(plan, Plan), plan
    return plan


def refusal(before: Network, after: Network) -> Refusal:
    found = reconcile(Observed(3, before), Desired(after))
    assert isinstance(found, Refusal), found
    return found
