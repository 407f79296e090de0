"""What a lock leaves of those who meet a need, of a task that is moved as well."""

from __future__ import annotations

import pytest

from runner.model import Discovery, Ensemble, StaticTarget, Use
from runner.routing.locked import leaves
from tests.support.offers import capability

NEED = Discovery("cook", ("hot",))


def desk(*targets: Discovery | StaticTarget) -> Ensemble:
    return Ensemble("desk", uses={f"use-{place}": Use(f"use-{place}", one) for place, one in enumerate(targets)})


@pytest.mark.parametrize(
    ("targets", "left"),
    [
        ((), True),
        ((NEED,), True),
        ((Discovery("cook", ("hot",), only=("grill/cook",)), StaticTarget("kitchen", "cook")), False),
        ((Discovery("cook", ("hot",), only=("kitchen/cook",)),), True),
        (
            (Discovery("cook", ("hot",), only=("grill/cook",)), Discovery("cook", ("hot",), only=("kitchen/cook",))),
            True,
        ),
        ((Discovery("bake", ("hot",), only=("grill/cook",)),), True),
    ],
)
def test_a_task_is_moved_only_to_whom_its_use_is_locked(
    targets: tuple[Discovery | StaticTarget, ...], left: bool
) -> None:
    assert leaves(desk(*targets), NEED, capability("kitchen", tags=("hot",))) is left
