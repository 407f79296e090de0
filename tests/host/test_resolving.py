"""How a use is resolved call by call: what a look costs does not go by what nobody asked for."""

from __future__ import annotations

import random
from typing import cast

from runner.catalog import Catalog
from runner.host.desk import Desk
from runner.host.resolving import Resolving, nobody
from runner.model import Discovery, Selection, Use
from runner.offer import UNKNOWN, Condition
from runner.work import EnsembleState
from tests.support.offers import capability

READY = Condition(EnsembleState.READY, 1, 4)
NEED = Use("meal", Discovery("cook", ("food", "hot"), Selection.RANDOM))
COLD = [capability(f"inn-{number}", tags=("food",)) for number in range(1000)]


class Looked:
    """A desk that knows who is on offer, and notes whose condition is asked for."""

    def __init__(self, catalog: Catalog, condition: Condition) -> None:
        self.catalog = catalog
        self.looks: list[str] = []
        self._condition = condition

    def condition(self, ensemble: str) -> Condition:
        self.looks.append(ensemble)
        return self._condition


def resolving(condition: Condition) -> tuple[Looked, Resolving]:
    hot = [capability(name, tags=("food", "hot")) for name in ("grill", "kitchen")]
    desk = Looked(Catalog.of([*COLD, *hot]), condition)
    return desk, Resolving("desk", Catalog(), cast(Desk, desk), random.Random(7))


def test_whoever_carries_one_of_several_tags_costs_a_call_nothing() -> None:
    desk, uses = resolving(READY)
    choice = uses.choice(NEED, uses.occasion(NEED, "", 1.0))
    assert choice.chosen is not None
    assert desk.looks == ["grill", "kitchen"]
    told = uses.explained(NEED, uses.next_occasion(NEED, "", 1.0))
    assert len(told.candidates) == 1002


def test_where_nobody_can_be_asked_it_is_told_of_those_who_are_near() -> None:
    _, uses = resolving(UNKNOWN)
    choice = uses.choice(NEED, uses.occasion(NEED, "", 1.0))
    hint = nobody(NEED, choice, None).hint
    assert hint is not None
    assert hint.startswith("grill/cook: grill is STOPPED; kitchen/cook: kitchen is STOPPED; inn-0/cook: does not carry")
    assert hint.endswith("; and 997 more")
