"""An ensemble whose place another takes: what is told of both, as one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from runner.beat import Vitals
from runner.host.succession import Succession
from runner.work import EnsembleState, Priority


def one(*, slots: int, in_flight: int) -> Any:
    vitals = Vitals(ensemble="kitchen", state=EnsembleState.READY, slots=slots, in_flight=in_flight)
    return SimpleNamespace(vitals=vitals, in_hand=lambda: {Priority.NORMAL: in_flight})


def test_one_that_is_not_admitted_yet_has_no_slots_and_can_be_told_of() -> None:
    """Else the beat of its runner breaks, and the runner is taken for dead."""
    told = Succession(one(slots=0, in_flight=0), one(slots=4, in_flight=2)).vitals
    assert (told.in_flight, told.in_hand, told.load) == (2, {Priority.NORMAL: 2}, 2.0)
