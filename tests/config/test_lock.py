"""A lock says what every discovered use comes to; what drifts from it is told where it stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.config.lock import Lock, LockedUse, Moved, drifts, lock_name, lock_of, written
from runner.config.locking import NoLock, Opened, read_lock
from runner.model import Discovery, Network
from tests.support.sources import MemorySource, read, said

NETWORK = """\
network: inn
ensembles:
  bar:
    uses:
      meal: {discover: cook, tags: [hot], select: least-loaded}
      named: kitchen/cook
  grill: {tasks: {cook: {share: [hot], steps: [{template: Grilled.}]}}}
  kitchen: {tasks: {cook: {share: [hot, cold], steps: [{template: Done.}]}}}
  larder: {tasks: {cook: {share: [cold], steps: [{template: Done.}]}}}
"""


def network(text: str = NETWORK) -> Network:
    found = read(text).network
    assert found is not None
    return found


def locked(after: str, before: str = NETWORK) -> str:
    """What is said of files that are held to the lock of earlier ones."""
    return said({"network.yaml": after, "network.lock": written(lock_of(network(before)))}, locked=True)


def test_a_lock_is_easy_to_read_and_to_compare() -> None:
    lines = written(lock_of(network())).splitlines()
    assert lines[2:8] == [
        "version: 1",
        "network: inn",
        "uses:",
        "  bar/meal:",
        '    need: "cook [hot]"',
        "    providers:",
    ]
    assert [line.partition(":")[0] for line in lines[8:]] == ["      grill/cook", "      kitchen/cook"]
    assert written(Lock("inn", {})).endswith("network: inn\nuses: {}\n")


def test_what_holds_is_bound_to_its_providers() -> None:
    files = {"network.yaml": NETWORK, "network.lock": written(lock_of(network()))}
    reading = read(files, locked=True)
    assert reading.diagnostics == ()
    assert reading.network is not None
    target = reading.network.ensembles["bar"].uses["meal"].target
    assert isinstance(target, Discovery)
    assert target.only == ("grill/cook", "kitchen/cook")
    assert network().ensembles["bar"].uses["named"] == reading.network.ensembles["bar"].uses["named"]


def test_without_being_asked_nobody_looks_at_a_lock() -> None:
    reading = read({"network.yaml": NETWORK, "network.lock": "nonsense"})
    assert reading.diagnostics == ()
    assert "network.lock" not in reading.library.contents()


def test_a_newcomer_is_told_at_the_use_and_a_loss_in_the_lock() -> None:
    assert locked(NETWORK.replace("share: [cold]", "share: [cold, hot]")) == (
        "network.yaml:5:7: error[lock-drift]: `bar/meal` may come to `larder/cook` now, to which it is not locked\n"
        "  hint: see what changed and lock it anew with `run-network lock --update`"
    )
    assert locked(NETWORK.replace("share: [hot]", "share: [warm]")).startswith(
        "network.lock:9:7: error[lock-drift]: `bar/meal` is locked to `grill/cook`, which does not meet it any more\n"
    )


def test_a_changed_contract_is_told_and_a_changed_limit_is_none() -> None:
    changed = NETWORK.replace("share: [hot, cold], steps", "description: Cooks., share: [hot, cold], steps")
    assert "error[lock-drift]: the contract of `kitchen/cook`, to which `bar/meal` is locked, was " in locked(changed)
    assert locked(NETWORK.replace("kitchen: {", "kitchen: {capacity: {max_concurrent: 3}, ")) == ""


def test_uses_that_come_go_and_change_are_told() -> None:
    other = NETWORK.replace("meal:", "food:")
    assert [line for line in locked(other).split("\n") if "hint" not in line] == [
        "network.yaml:5:7: error[lock-drift]: `bar/food` is discovered and not locked",
        "network.lock:6:3: error[lock-drift]: `bar/meal` is locked, and no such use is discovered any more",
    ]
    assert "`bar/meal` looked for cook [hot] when it was locked, and looks for cook [cold] now" in locked(
        NETWORK.replace("tags: [hot]", "tags: [cold]")
    )
    assert "this locks the network `inn`, and the file is of `pub`" in locked(NETWORK.replace("inn", "pub"))


def test_what_is_wrong_with_the_lock_itself_is_told_like_any_file() -> None:
    files = {"network.yaml": NETWORK, "network.lock": "version: 1\nnetwork: inn\nuse: {}\n"}
    assert "network.lock:3:1: error[unknown-key]" in said(files, locked=True)
    assert said({"network.yaml": NETWORK, "network.lock": "a: ["}, locked=True).startswith("network.lock:")
    assert said(NETWORK, locked=True).startswith("network.lock:1:1: error[missing-lock]")
    assert isinstance(read_lock(MemorySource({}), "network.yaml"), NoLock)


def test_the_lock_is_called_as_its_network_file() -> None:
    assert [lock_name(file) for file in ("network.yaml", "inn.yml", "inn")] == ["network.lock", "inn.lock", "inn.lock"]


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}/[a-z][a-z0-9-]{0,8}", fullmatch=True)
needs = st.from_regex(r"(\*|[a-z0-9-]{1,9}|[0-9]e[0-9])( \[[a-z, 0-9-]{1,9}\])?", fullmatch=True)
uses = st.builds(LockedUse, needs, st.dictionaries(names, st.from_regex(r"[0-9a-f]{12}", fullmatch=True), max_size=3))
locks = st.builds(Lock, st.just("inn"), st.dictionaries(names, uses, max_size=3))


@given(locks)
def test_what_is_written_is_read_again(lock: Lock) -> None:
    """Fingerprints that look like numbers are texts all the same, and so is whatever is looked for."""
    found = read_lock(MemorySource({"network.lock": written(lock)}), "network.yaml")
    assert isinstance(found, Opened), found
    assert found.lock == lock
    assert list(drifts(lock, found.lock)) == []


@given(locks, locks)
def test_drift_is_found_from_both_sides(one: Lock, other: Lock) -> None:
    forth, back = list(drifts(one, other)), list(drifts(other, one))
    assert bool(forth) == bool(back) == (one.uses != other.uses)
    assert sum(d.moved is Moved.PROVIDER_ADDED for d in forth) == sum(d.moved is Moved.PROVIDER_REMOVED for d in back)


AGENT = """\
network: "null"
models: {chef: [{provider: scripted, script: script.yaml}]}
ensembles:
  bar:
    agents: {chef: {model: chef, tools: [{catalog: {tags: [hot]}}]}}
    tasks: {serve: {share: true, steps: [{agent: chef}]}}
  grill: {tasks: {cook: {share: [hot], steps: [{template: Grilled.}]}}}
"""


def test_what_an_agent_looks_up_is_locked_like_any_use_whatever_the_network_is_called() -> None:
    files = {"network.yaml": AGENT, "script.yaml": "cases: [{say: Done.}]\n"}
    found = read(files).network
    assert found is not None
    reading = read({**files, "network.lock": written(lock_of(found))}, locked=True)
    assert reading.diagnostics == ()
    assert reading.network is not None
    target = reading.network.ensembles["bar"].uses["chef.catalog-0"].target
    assert isinstance(target, Discovery)
    assert target.only == ("grill/cook",)


def test_what_an_agent_looks_up_anew_is_drift() -> None:
    files = {"network.yaml": AGENT, "script.yaml": "cases: [{say: Done.}]\n"}
    drifted = said({**files, "network.lock": written(Lock("null", {}))}, locked=True)
    assert "error[lock-drift]: `bar/chef.catalog-0` is discovered and not locked" in drifted
