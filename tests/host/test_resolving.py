"""How a use is resolved call by call: what a look costs does not go by what nobody asked for."""

from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest

from runner.catalog import Catalog
from runner.host import resolving as module
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


PROMISED = Catalog.of([capability("grill", tags=("food", "hot"))])
DRAINING = Condition(EnsembleState.DRAINING)


def promising(condition: Condition) -> tuple[Looked, Resolving]:
    """The file promises somebody whom nobody has heard of yet, or no more."""
    desk = Looked(Catalog.of(COLD), condition)
    return desk, Resolving("desk", PROMISED, cast(Desk, desk), random.Random(7))


async def found(uses: Resolving) -> str | None:
    choice = await uses.found(NEED, uses.occasion(NEED, "", 1.0))
    return choice.chosen.provider if choice.chosen is not None else None


async def test_who_comes_with_a_change_is_waited_for_in_the_moment_after_it() -> None:
    desk, uses = promising(READY)
    uses.begin()
    asking = asyncio.ensure_future(found(uses))
    await asyncio.sleep(0)
    assert not asking.done()
    desk.catalog = Catalog.of([*COLD, capability("grill", tags=("food", "hot"))])
    assert await asking == "grill"


async def test_who_does_not_come_is_waited_for_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLING_SECONDS", 0.02)
    _, uses = promising(READY)
    uses.begin()
    assert await found(uses) is None


@pytest.mark.parametrize("begun", [False, True])
async def test_nobody_is_waited_for_but_right_after_a_change_and_where_the_file_promises_somebody(
    monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    monkeypatch.setattr(asyncio, "sleep", None)
    if begun:
        _, uses = resolving(UNKNOWN)
        uses.begin()
    else:
        _, uses = promising(READY)
    assert await found(uses) is None


@pytest.mark.parametrize(("condition", "who"), [(READY, "grill"), (DRAINING, "grill"), (UNKNOWN, None)])
async def test_work_that_began_before_a_change_finds_whom_its_own_file_promises_as_long_as_they_are_there(
    condition: Condition, who: str | None
) -> None:
    _, uses = promising(condition)
    uses.supersede()
    assert await found(uses) == who


async def test_work_that_began_before_a_change_asks_who_is_on_offer_now_where_somebody_is() -> None:
    hot = capability("kitchen", tags=("food", "hot"))
    desk, uses = promising(READY)
    desk.catalog = Catalog.of([hot])
    uses.supersede()
    assert await found(uses) == "kitchen"
