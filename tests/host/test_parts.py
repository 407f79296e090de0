"""A registration that is longer than one record: split into parts that have room, and whole again in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.capability import CapabilityInfo
from runner.host.parts import Parts, is_part, part_key
from runner.registration import Registration, split
from runner.work import CapabilityType, EnsembleState

KEY = "kitchen.one"


def registration(descriptions: list[str]) -> Registration:
    offered = tuple(
        CapabilityInfo(name=f"dish-{at}", type=CapabilityType.TOOL, provider="kitchen", description=text)
        for at, text in enumerate(descriptions)
    )
    return Registration(ensemble="kitchen", runner="one", state=EnsembleState.READY, capabilities=offered)


menus = st.lists(st.text(max_size=40), max_size=40).map(registration)


@given(menus, st.integers(200, 4000))
def test_no_record_is_longer_than_said_but_for_what_one_capability_tells(menu: Registration, most: int) -> None:
    record, parts = split(menu, most)
    assert (record == menu.encode()) == (parts == {}) == (len(menu.encode()) <= most)
    for data in parts.values():
        assert len(data) <= most or data.count(b'"provider"') == 1
    assert split(menu, most) == (record, parts), "the same is named the same"


@given(menus, st.integers(200, 1000), st.randoms())
def test_it_is_seen_whole_once_all_of_it_is_there_and_not_before(menu: Registration, most: int, chance) -> None:
    record, digests = split(menu, most)
    arriving = [(KEY, record), *((part_key(KEY, digest), data) for digest, data in digests.items())]
    chance.shuffle(arriving)
    parts, seen = Parts(), list[Registration]()
    for number, (key, data) in enumerate(arriving, 1):
        if is_part(key):
            seen += [whole for _, whole in parts.add(key, data)]
        elif (whole := parts.whole(key, Registration.model_validate_json(data))) is not None:
            seen.append(whole)
        assert seen == ([menu] if number == len(arriving) else [])


def test_what_waits_is_forgotten_with_its_record() -> None:
    record, digests = split(registration(["soup", "fish"]), 150)
    parts = Parts()
    assert parts.whole(KEY, Registration.model_validate_json(record)) is None
    parts.drop(KEY)
    for digest, data in digests.items():
        assert list(parts.add(part_key(KEY, digest), data)) == []
    assert (len(parts), parts.runners()) == (2, {"one"})
    for key in parts.of("one"):
        parts.drop(key)
    assert (len(parts), parts.runners()) == (0, frozenset())


def test_a_part_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="Part"):
        list(Parts().add(part_key(KEY, "0"), b"nonsense"))
