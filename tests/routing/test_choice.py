"""Who is asked, and the reason of everybody who is not: what routing acts on is what is told."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runner.catalog import Catalog
from runner.model import Discovery, Mode, Selection, StaticTarget, Use
from runner.offer import UNKNOWN, Condition
from runner.routing.choice import Choice, Limits, choose, in_order
from runner.routing.considered import Wanted, considered
from runner.routing.strategy import Occasion
from runner.work import Authority, CapabilityType, Code, EnsembleState
from tests.support.offers import capability

READY = Condition(EnsembleState.READY, 1, 4)
FULL = replace(READY, constrained=True, queue_depth=12)
CATALOG = Catalog.of(
    [
        capability("annex", tags=("food", "near")),
        capability("attic", tags=("food",), authority=Authority.SUPERVISED),
        capability("bar", tags=("drinks",)),
        capability("desk", tags=("food",)),
        capability("kitchen", tags=("food", "cloud")),
        capability("tavern", "count", tags=("food",), type=CapabilityType.TOOL),
    ]
)


def chosen(
    target: Discovery | StaticTarget,
    live: Mapping[str, Condition] | None = None,
    limits: Limits = Limits(),  # noqa: B008
    *,
    catalog: Catalog = CATALOG,
    mode: Mode = Mode.AWAIT,
    authority: Authority = Authority.AUTONOMOUS,
) -> Choice:
    wanted = Wanted.by(Use("need", target, mode=mode, authority=authority), "desk")
    found = considered(wanted, catalog, promised=CATALOG)
    return choose(target, found, conditions(live or {}), Occasion(random.Random(7)), limits)


def conditions(live: Mapping[str, Condition]) -> Callable[[str], Condition]:
    told = {c.provider: READY for c in CATALOG.capabilities} | dict(live)
    return lambda name: told.get(name, UNKNOWN)


def asked(target: Discovery | StaticTarget, live: Mapping[str, Condition] | None = None) -> list[str]:
    """Who is asked, one after the other."""
    found = considered(Wanted.by(Use("need", target), "desk"), CATALOG)
    return [one.provider for one in in_order(target, found, conditions(live or {}), Occasion(random.Random(7)))]


def told(choice: Choice) -> list[str]:
    """A line for each candidate: whether it is eligible, and the reason."""
    return [
        f"{'+' if c.eligible else '-'} {c.considered.target}" + (f": {c.reason}" if c.reason else "")
        for c in choice.candidates
    ]


def test_every_candidate_is_told_with_the_reason_against_it() -> None:
    choice = chosen(
        Discovery("cook", ("food",)),
        {"annex": Condition(EnsembleState.DRAINING, detail="it goes"), "kitchen": FULL},
    )
    assert told(choice) == [
        "- annex/cook: annex is DRAINING: it goes",
        "+ attic/cook",
        "- bar/cook: does not carry the tag `food`",
        "- desk/cook: an ensemble does not discover itself",
        "- kitchen/cook: constrained: more wait for it than its `backpressure` allows (12)",
    ]
    assert (choice.strategy, choice.chosen and choice.chosen.provider) == ("first", "attic")


def test_by_tags_alone_whoever_carries_any_of_them_is_considered() -> None:
    choice = chosen(Discovery(None, ("food", "cloud")))
    assert told(choice) == [
        "- annex/cook: does not carry the tag `cloud`",
        "- attic/cook: does not carry the tag `cloud`",
        "- desk/cook: does not carry the tag `cloud`",
        "+ kitchen/cook",
        "- tavern/count: does not carry the tag `cloud`",
    ]


def test_what_the_file_promises_and_nobody_registered_is_not_asked() -> None:
    catalog = Catalog.of(c for c in CATALOG.capabilities if c.provider != "annex")
    assert told(chosen(Discovery("cook", ("near",)), catalog=catalog))[0] == (
        "- annex/cook: annex has not registered it"
    )
    down = chosen(Discovery("cook", ("near",)), {"annex": UNKNOWN}, catalog=catalog)
    assert told(down)[0] == "- annex/cook: annex is STOPPED"


def test_who_is_not_well_holds_tasks_while_nobody_else_is_there_and_is_asked_for_no_tool() -> None:
    ill = Condition(EnsembleState.DEGRADED, detail="the oven is cold")
    some = chosen(Discovery("cook", ("food",)), {"annex": ill, "attic": ill})
    assert told(some)[:2] == [f"- {name}/cook: {name} is DEGRADED: the oven is cold" for name in ("annex", "attic")]
    assert some.chosen is not None
    assert some.chosen.provider == "kitchen"
    everybody = chosen(Discovery("cook", ("food",)), dict.fromkeys(("annex", "attic", "kitchen"), ill))
    assert told(everybody)[0] == "+ annex/cook: annex is DEGRADED; its queue holds the task"
    tool = chosen(Discovery("count", ()), {"tavern": ill})
    assert (tool.chosen, tool.against_all) == (None, Code.CAPABILITY_DEGRADED)


def test_a_constrained_provider_is_asked_where_all_are() -> None:
    everybody = dict.fromkeys(("annex", "attic", "kitchen"), FULL)
    assert [c.eligible for c in chosen(Discovery("cook", ("food",)), everybody).candidates] == [
        True,
        True,
        False,  # without the tag
        False,  # itself
        True,
    ]


def test_the_preferred_go_first_and_the_avoided_last_whatever_the_strategy() -> None:
    for select in Selection:
        need = Discovery("cook", ("food",), select, prefer=("cloud",), avoid=("near",))
        choice = chosen(need)
        assert choice.chosen is not None
        assert [choice.chosen.provider, *asked(need)[1:]] == asked(need) == ["kitchen", "attic", "annex"]
    reasons = {c.considered.target: c.reason for c in choice.candidates if c.eligible}
    assert reasons == {
        "annex/cook": "avoided for the tag `near`",
        "attic/cook": None,
        "kitchen/cook": "preferred for the tag `cloud`",
    }


def test_the_preferred_are_passed_over_while_they_have_too_much_to_do() -> None:
    need = Discovery("cook", ("food",), prefer=("cloud",))
    found = chosen(need, {"kitchen": FULL}).chosen
    assert found is not None
    assert found.provider == "annex"


def test_a_limit_that_keeps_everybody_away_is_the_reason_of_the_choice() -> None:
    need = Discovery("cook", ("cloud",))
    by_limit = {
        "scope": chosen(need, limits=Limits(scope=("annex/*",))),
        "chain": chosen(need, limits=Limits(chain=("kitchen/cook", "desk/order"))),
        "authority": chosen(need, authority=Authority.SUPERVISED),
        "mode": chosen(Discovery("count", ()), mode=Mode.ASYNC),
        "gone": chosen(need, {"kitchen": UNKNOWN}),
    }
    assert {name: choice.against_all for name, choice in by_limit.items()} == {
        "scope": Code.NOT_WIRED,
        "chain": Code.DELEGATION_CYCLE,
        "authority": Code.AUTHORITY_EXCEEDED,
        "mode": Code.INVALID_REQUEST,
        "gone": Code.NO_PROVIDER,
    }
    assert all(choice.chosen is None for choice in by_limit.values())


def test_a_named_provider_is_asked_however_it_is() -> None:
    choice = chosen(StaticTarget("kitchen", "cook"), {"kitchen": UNKNOWN})
    assert told(choice) == ["+ kitchen/cook: kitchen is STOPPED; it was named, and is asked all the same"]
    assert choice.chosen is not None


NAMES = ("annex", "attic", "kitchen")


@given(
    select=st.sampled_from(Selection),
    states=st.tuples(*[st.sampled_from((EnsembleState.READY, EnsembleState.STOPPED))] * 3),
    full=st.sets(st.sampled_from(NAMES)),
    tried=st.sets(st.sampled_from([f"{name}/cook" for name in NAMES])),
)
def test_somebody_is_chosen_just_where_somebody_is_eligible_and_it_is_one_of_them(
    select: Selection, states: tuple[EnsembleState, ...], full: set[str], tried: set[str]
) -> None:
    live = {
        name: replace(READY, state=state, constrained=name in full) for name, state in zip(NAMES, states, strict=True)
    }
    choice = chosen(Discovery("cook", ("food",), select), live, Limits(tried=dict.fromkeys(tried, "QUEUE_FULL")))
    eligible = {c.considered.target for c in choice.candidates if c.eligible}
    assert all(c.reason for c in choice.candidates if not c.eligible)
    assert not eligible & tried
    assert (choice.chosen is None) is (not eligible)
    assert choice.chosen is None or f"{choice.chosen.provider}/cook" in eligible


@given(select=st.sampled_from(Selection), full=st.sets(st.sampled_from(NAMES)), down=st.sampled_from(NAMES))
def test_everybody_who_is_up_has_a_turn_and_those_with_too_much_to_do_the_last(
    select: Selection, full: set[str], down: str
) -> None:
    live = {name: replace(READY, constrained=name in full) for name in NAMES} | {down: UNKNOWN}
    order = asked(Discovery("cook", ("food",), select), live)
    assert sorted(order) == sorted({*NAMES} - {down})
    assert [name in full for name in order] == sorted(name in full for name in order)


def test_a_named_provider_is_asked_once() -> None:
    assert asked(StaticTarget("kitchen", "cook"), {"kitchen": UNKNOWN}) == ["kitchen"]


@given(
    select=st.sampled_from(Selection),
    states=st.tuples(*[st.sampled_from((EnsembleState.READY, EnsembleState.DEGRADED, EnsembleState.STOPPED))] * 3),
    full=st.sets(st.sampled_from(NAMES)),
    seed=st.integers(0, 99),
)
def test_the_order_is_what_each_choice_without_those_before_it_comes_to(
    select: Selection, states: tuple[EnsembleState, ...], full: set[str], seed: int
) -> None:
    live = conditions(
        {n: replace(READY, state=state, constrained=n in full) for n, state in zip(NAMES, states, strict=True)}
    )
    target = Discovery("cook", ("food",), select, prefer=("near",), avoid=("cloud",))
    found = considered(Wanted.by(Use("need", target), "desk"), CATALOG)
    one_by_one, tried, occasion = [], {}, Occasion(random.Random(seed), turn=seed)
    while (following := choose(target, found, live, occasion, Limits(tried=tried)).chosen) is not None:
        one_by_one.append(following)
        tried[f"{following.provider}/{following.capability.name}"] = "no"
    assert list(in_order(target, found, live, Occasion(random.Random(seed), turn=seed))) == one_by_one


class Counted:
    """How often somebody's condition is asked for."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, _: str) -> Condition:
        self.times += 1
        return READY


def test_of_thousands_the_order_is_short_and_each_is_looked_at_once() -> None:
    many = Catalog.of([capability(f"inn-{number}", tags=("food",)) for number in range(3000)])
    target, live = Discovery("cook", ("food",), Selection.LEAST_LOADED), Counted()
    found = considered(Wanted.by(Use("need", target), "desk"), many)
    order = in_order(target, found, live, Occasion(random.Random(7)))
    assert (len({one.provider for one in order}), live.times) == (20, 3000)


def test_where_thousands_cannot_be_asked_the_reasons_of_a_few_are_told_first_of_those_who_are_what_was_wanted() -> None:
    many = [capability(f"inn-{number}", tags=("food",)) for number in range(3000)]
    both = capability("zoo", tags=("food", "hot"))
    target = Discovery(None, ("food", "hot"))
    found = considered(Wanted.by(Use("need", target), "desk"), Catalog.of([*many, both]))
    choice = choose(target, found, lambda _: UNKNOWN, Occasion(random.Random(7)))
    assert choice.told.startswith("zoo/cook: zoo is STOPPED; inn-0/cook: does not carry the tag `hot`; ")
    assert choice.told.endswith("; and 2,996 more")


@given(
    select=st.sampled_from(Selection),
    tags=st.sets(st.sampled_from(("food", "near", "cloud", "drinks"))),
    name=st.sampled_from(("cook", "count", None)),
    down=st.sets(st.sampled_from([c.provider for c in CATALOG.capabilities])),
)
def test_whoever_lacks_a_tag_is_told_of_and_decides_nothing(
    select: Selection, tags: set[str], name: str | None, down: set[str]
) -> None:
    target = Discovery(name, tuple(sorted(tags)), select)
    wanted, live = Wanted.by(Use("need", target), "desk"), conditions(dict.fromkeys(down, UNKNOWN))
    near, meeting = (considered(wanted, CATALOG, near=near) for near in (True, False))
    assert set(meeting) <= set(near) or not tags
    if name is not None or tags:
        told, decided = (choose(target, found, live, Occasion(random.Random(7))) for found in (near, meeting))
        assert told.chosen == decided.chosen
        assert [c for c in told.candidates if c.eligible] == [c for c in decided.candidates if c.eligible]
