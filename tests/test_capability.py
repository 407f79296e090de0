"""The fingerprint of a capability's contract, and how its provider is, of several replicas."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from runner.beat import Vitals
from runner.capability import CapabilityInfo, fingerprint, versioned
from runner.offer import UNKNOWN, Condition, Offer, condition
from runner.registration import Registration
from runner.work import Authority, CapabilityType, EnsembleState

SOUP = CapabilityInfo(
    name="soup",
    type=CapabilityType.TOOL,
    provider="kitchen",
    tags=("food", "hot"),
    description="Soup.",
    input_schema={"type": "object", "required": ["size"]},
)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "stew"},
        {"provider": "cellar"},
        {"type": CapabilityType.TASK},
        {"tags": ("food",)},
        {"authority": Authority.SUPERVISED},
        {"domain": "food"},
        {"description": "Stew."},
        {"input_schema": {"type": "object"}},
        {"input_schema": None},
    ],
)
def test_whatever_a_caller_relies_on_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert fingerprint(replace(SOUP, **change)) != fingerprint(SOUP)


def test_limits_cost_and_order_do_not_change_the_fingerprint() -> None:
    same = {
        "tags": ("hot", "food"),
        "input_schema": {"required": ["size"], "type": "object"},
        "max_concurrent": 3,
        "queue_limit": 5,
        "sla": timedelta(seconds=3),
        "cost": 2.5,
        "version": "old",
    }
    assert fingerprint(replace(SOUP, **same)) == fingerprint(SOUP) == versioned(SOUP).version


def test_a_manifest_reads_back_as_it_was_written() -> None:
    told = versioned(replace(SOUP, sla=timedelta(minutes=2), cost=0.5))
    record = Registration(ensemble="kitchen", runner="one", state=EnsembleState.READY, capabilities=(told,))
    written = record.encode()
    assert Registration.model_validate_json(written) == record
    assert b'"sla":"PT2M"' in written
    assert b'"schema":' in written
    assert b'"inputSchema"' not in written
    assert b'"domain"' not in written


def vitals(**told: object) -> Vitals:
    return Vitals.model_validate({"ensemble": "kitchen", "state": EnsembleState.READY, "slots": 4, **told})


def test_the_condition_of_an_ensemble_is_that_of_all_its_ready_replicas() -> None:
    busy = vitals(in_flight=4, queued=6, waiting=1, took={"soup": 20.0}, constrained=True)
    calm = vitals(in_flight=1, queued=5, waiting=1, took={"soup": 10.0, "tea": 4.0})
    ill = vitals(in_flight=9, state=EnsembleState.DEGRADED, detail="the oven is cold")
    found = condition(
        [(EnsembleState.DEGRADED, ill), (EnsembleState.READY, busy), (EnsembleState.READY, calm)],
    )
    assert found == Condition(
        state=EnsembleState.READY,
        replicas=2,
        slots=8,
        in_flight=5,
        queue_depth=8,
        constrained=False,
        seconds={"soup": 0.015, "tea": 0.004},
    )
    assert condition([(EnsembleState.DEGRADED, ill)]).detail == "the oven is cold"


def test_a_replica_that_was_not_heard_yet_counts_as_there_and_not_as_constrained() -> None:
    found = condition([(EnsembleState.READY, vitals(constrained=True)), (EnsembleState.READY, None)])
    assert (found.replicas, found.constrained) == (2, False)


def test_of_nobody_nothing_is_known() -> None:
    assert condition([]) is UNKNOWN
    assert UNKNOWN.load == 0.0


def test_what_is_likely_is_those_before_it_and_then_itself() -> None:
    idle = Condition(EnsembleState.READY, replicas=1, slots=4, in_flight=1, seconds={"soup": 2.0})
    full = replace(idle, in_flight=4, queue_depth=7)
    assert (Offer(SOUP, idle).eta, Offer(SOUP, full).eta) == (2.0, 6.0)
    assert Offer(SOUP, replace(idle, seconds={})).eta is None
