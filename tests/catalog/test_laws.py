"""Laws of the catalog: what it finds is what a look at every capability finds, and no change touches an older one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.capability import CapabilityInfo
from runner.catalog import Catalog
from runner.catalog.shelf import Shelf
from runner.registration import Registration
from runner.work import CapabilityType, EnsembleState

TAGS = ("food", "hot", "stock", "odd")
ALIASES = {"inventory": "stock", "edible": "food"}
WORDS = (*TAGS, *ALIASES, "unheard")
NAMES = ("soup", "tea", "count")
ENSEMBLES = ("kitchen", "cellar", "bar")
RUNNERS = ("one", "two")
DOMAINS = (None, "food", "goods")
SERVING = (EnsembleState.READY, EnsembleState.DEGRADED)


@dataclass(frozen=True)
class Asked:
    name: str | None
    tags: tuple[str, ...]
    any_tags: tuple[str, ...]
    type: CapabilityType | None
    domain: str | None

    def meets(self, one: CapabilityInfo) -> bool:
        canonical = [ALIASES.get(tag, tag) for tag in self.tags]
        either = [ALIASES.get(tag, tag) for tag in self.any_tags]
        return (
            self.name in (None, one.name)
            and set(canonical) <= set(one.tags)
            and (not either or not set(either).isdisjoint(one.tags))
            and self.type in (None, one.type)
            and self.domain in (None, one.domain)
        )


words = st.lists(st.sampled_from(WORDS), max_size=3).map(tuple)
asked = st.builds(
    Asked,
    st.sampled_from((None, *NAMES, "unheard")),
    words,
    words,
    st.sampled_from((None, *CapabilityType)),
    st.sampled_from((*DOMAINS, "unheard")),
)


def offers(ensemble: str) -> st.SearchStrategy[tuple[CapabilityInfo, ...]]:
    one = st.builds(
        CapabilityInfo,
        name=st.sampled_from(NAMES),
        type=st.sampled_from(CapabilityType),
        provider=st.just(ensemble),
        tags=st.lists(st.sampled_from(TAGS), max_size=4).map(tuple),
        domain=st.sampled_from(DOMAINS),
        cost=st.sampled_from((None, 1.0)),
    )
    return st.lists(one, max_size=4, unique_by=lambda capability: capability.name).map(tuple)


registrations = st.sampled_from(ENSEMBLES).flatmap(
    lambda ensemble: st.builds(
        Registration,
        ensemble=st.just(ensemble),
        runner=st.sampled_from(RUNNERS),
        state=st.sampled_from(SERVING),
        capabilities=offers(ensemble),
    )
)
removals = st.tuples(st.sampled_from(ENSEMBLES), st.sampled_from(RUNNERS))


def offered(records: Iterable[Registration]) -> dict[tuple[str, str], CapabilityInfo]:
    """The word of the best replica counts, and of these the one whose runner is named first."""
    found: dict[tuple[str, str], CapabilityInfo] = {}
    for record in sorted(records, key=lambda record: (SERVING.index(record.state), record.runner)):
        for capability in record.capabilities:
            found.setdefault((capability.provider, capability.name), capability)
    return dict(sorted(found.items()))


@settings(max_examples=150, deadline=None)
@given(st.lists(registrations | removals, max_size=8), st.lists(asked, min_size=1, max_size=4))
def test_after_any_changes_it_finds_what_a_look_at_everything_finds(
    changes: list[Registration | tuple[str, str]], questions: list[Asked]
) -> None:
    records: dict[tuple[str, str], Registration] = {}
    catalog = Catalog(ALIASES)
    history = []
    for change in changes:
        if isinstance(change, Registration):
            catalog = catalog.put(change)
            records[change.ensemble, change.runner] = change
        else:
            catalog = catalog.drop(*change)
            records.pop(change, None)
        history.append((catalog, offered(records.values())))
    for snapshot, there in [(Catalog(ALIASES), {}), *history]:
        assert snapshot.capabilities == tuple(there.values())
        assert len(snapshot) == len(there)
        for one in questions:
            expected = tuple(capability for capability in there.values() if one.meets(capability))
            assert snapshot.find(**vars(one)) == expected
        for ensemble in ENSEMBLES:
            assert snapshot.of_provider(ensemble) == tuple(c for c in there.values() if c.provider == ensemble)
            for name in NAMES:
                assert snapshot.get(ensemble, name) == there.get((ensemble, name))


@settings(max_examples=30, deadline=None)
@given(st.lists(registrations, max_size=6))
def test_it_is_the_same_however_it_came_about(changes: list[Registration]) -> None:
    catalog = Catalog(ALIASES)
    for change in changes:
        catalog = catalog.put(change)
    whole = Catalog.of(catalog.capabilities, ALIASES)
    assert whole.capabilities == catalog.capabilities
    assert all(whole.find(tags=(tag,)) == catalog.find(tags=(tag,)) for tag in WORDS)


MANY = tuple(
    CapabilityInfo(name=f"c{number}", type=CapabilityType.TOOL, provider="kitchen") for number in range(17_000)
)


def test_a_shelf_holds_the_same_whether_filled_at_once_or_one_by_one() -> None:
    grown = Shelf()
    for number, capability in enumerate(MANY):
        assert grown.next_number == len(grown) == number, "the one before is as it was"
        grown = grown.put(number, capability)
    assert grown == Shelf.of(MANY)
    assert tuple(grown.every()) == MANY


@given(st.sets(st.integers(0, 299)))
def test_a_number_is_given_again_once_nobody_has_it(gone: set[int]) -> None:
    whole = Shelf.of(MANY[:300])
    left = whole
    for number in gone:
        left = left.put(number, None)
    assert left.every() == [one for number, one in enumerate(MANY[:300]) if number not in gone]
    assert len(left) == 300 - len(gone)
    assert whole == Shelf.of(MANY[:300]), "the one before is as it was"
    again = left
    for _ in gone:
        again = again.put(again.next_number, MANY[again.next_number])
    assert again == whole
    assert again.next_number == 300


def test_ensembles_that_come_and_go_take_no_more_room_than_one() -> None:
    catalog = Catalog()
    for number in range(300):
        catalog = catalog.put(record(f"guest-{number}")).drop(f"guest-{number}", "one")
        assert catalog._shelf.next_number == 0
    assert catalog._by == Catalog()._by


def record(ensemble: str) -> Registration:
    offered = (CapabilityInfo(name="rest", type=CapabilityType.TOOL, provider=ensemble, tags=("odd",)),)
    return Registration(ensemble=ensemble, runner="one", state=EnsembleState.READY, capabilities=offered)
