"""A lock says what every discovered use comes to; what drifts from it is told where it stands."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from runner.capability import CapabilityInfo
from runner.config.lock import Drift, Lock, LockedUse, Moved, drifts, lock_name, lock_of, written
from runner.config.lock_contract import Contract, contract_of, differences
from runner.config.locking import NoLock, Opened, read_lock
from runner.model import Discovery, Network
from runner.work import CapabilityType
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
    assert [line.partition(":")[0] for line in lines[8:11]] == ["      grill/cook", "      kitchen/cook", "contracts"]
    assert lines[11:] == [
        "  grill/cook:",
        "    type: task",
        "    authority: autonomous",
        '    tags: ["hot"]',
        "  kitchen/cook:",
        "    type: task",
        "    authority: autonomous",
        '    tags: ["cold", "hot"]',
    ]
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
        "network.lock:9:7: error[lock-drift]: `bar/meal` is locked to `grill/cook`, which does not meet it any more: "
        "the tag `warm` is new and the tag `hot` is gone\n"
    )
    gone = NETWORK.replace("  grill: {", "  broiler: {")
    assert "`grill/cook`, which does not meet it any more: there is no ensemble `grill`\n" in locked(gone)
    assert "any more: `grill` shares no `cook`\n" in locked(NETWORK.replace("{share: [hot], ", "{"))


def test_a_changed_contract_is_told_and_a_changed_limit_is_none() -> None:
    changed = NETWORK.replace("share: [hot, cold], steps", "description: Cooks., share: [hot, cold], steps")
    told = "the contract of `kitchen/cook`, to which `bar/meal` is locked, changed: its description is new\n"
    assert f"error[lock-drift]: {told}" in locked(changed)
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
SPA = """\
  spa:
    uses:
      lunch: {discover: cook, tags: [hot]}
      snack: {discover: cook, tags: [cold], fallback: larder/cook}
"""


def test_what_drifted_is_told_once_with_all_the_uses_that_come_to_it() -> None:
    changed = (NETWORK + SPA).replace(
        "share: [hot, cold], steps", "share: {tags: [hot, cold, fine], authority: supervised}, steps"
    )
    (told, _) = locked(changed, NETWORK + SPA).splitlines()
    assert told == (
        "network.lock:10:7: error[lock-drift]: the contract of `kitchen/cook`, to which `bar/meal`, `spa/lunch` and "
        "`spa/snack` are locked, changed: the tag `fine` is new and its authority was autonomous and is supervised"
    )
    (told, _) = locked(NETWORK + SPA + HATCH, NETWORK + SPA).splitlines()
    assert told.endswith("`bar/meal` and `spa/lunch` may come to `hatch/cook` now, to which they are not locked")


HATCH = "  hatch: {tasks: {cook: {share: [hot], steps: [{template: Warm.}]}}}\n"


def test_a_lock_without_contracts_tells_fingerprints() -> None:
    """Such as one that was written before they were kept."""
    old = written(replace(lock_of(network()), contracts={}))
    changed = NETWORK.replace("share: [hot, cold], steps", "description: Cooks., share: [hot, cold], steps")
    before, after = (lock_of(network(text)).uses["bar/meal"].providers["kitchen/cook"] for text in (NETWORK, changed))
    said_of_it = said({"network.yaml": changed, "network.lock": old}, locked=True)
    assert f"to which `bar/meal` is locked, was {before} and is {after} now\n" in said_of_it


def typed(**schema: JsonValue) -> Contract:
    taken: dict[str, JsonValue] = {"type": "object", **schema}
    return contract_of(CapabilityInfo(name="cook", type=CapabilityType.TASK, provider="kitchen", input_schema=taken))


def test_what_changed_of_an_input_is_told_by_its_name() -> None:
    before = typed(properties={"dish": {"type": "string"}, "salt": {"type": "boolean"}, "for": {}}, required=["dish"])
    after = typed(
        properties={"dish": {"type": "string", "maxLength": 9}, "for": {"type": ["integer", "null"]}, "at": {}},
        required=["at", "for"],
        additionalProperties=False,
    )
    assert list(differences(before, after)) == [
        "the input `at` is new, and required",
        "the input `dish` is string as before, and says something else",
        "the input `dish` is not required any more",
        "the input `for` was anything and is integer|null",
        "the input `for` is required now",
        "the input `salt` is gone",
        "its `input_schema` says something else beside its properties",
    ]


def test_no_text_of_a_contract_stands_in_the_lock() -> None:
    """It may come from a reference, and be a secret."""
    contract = typed(
        properties={"dish": {"const": "canary"}, "odd name: canary": {}}, required=["canary"], description="canary"
    )
    assert "canary" not in written(Lock("inn", {}, {"kitchen/cook": replace(contract, description=None)}))


keys = st.sampled_from(["type", "properties", "required", "a", "b"]) | st.text(max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_any_schema_is_kept_and_read_again(schema: JsonValue) -> None:
    """Also one that is none; and two that differ are told apart."""
    contract, other = typed(properties=schema, required=schema), typed()
    lock = Lock("inn", {}, {"kitchen/cook": contract})
    found = read_lock(MemorySource({"network.lock": written(lock)}), "network.yaml")
    assert isinstance(found, Opened), found
    assert found.lock == lock
    assert list(differences(contract, found.lock.contracts["kitchen/cook"])) == []
    assert list(differences(contract, other)) != []


needs = st.from_regex(r"(\*|[a-z0-9-]{1,9}|[0-9]e[0-9])( \[[a-z, 0-9-]{1,9}\])?", fullmatch=True)
uses = st.builds(LockedUse, needs, st.dictionaries(names, st.from_regex(r"[0-9a-f]{12}", fullmatch=True), max_size=3))
locks = st.builds(Lock, st.just("inn"), st.dictionaries(names, uses, max_size=3))


@given(locks)
def test_what_is_written_is_read_again(lock: Lock) -> None:
    """Fingerprints that look like numbers are texts all the same, and so is whatever is looked for."""
    found = read_lock(MemorySource({"network.lock": written(lock)}), "network.yaml")
    assert isinstance(found, Opened), found
    assert found.lock == lock
    assert drifts(lock, found.lock) == ()


def count(found: tuple[Drift, ...], moved: Moved) -> int:
    return sum(len(drift.uses) for drift in found if drift.moved is moved)


@given(locks, locks)
def test_drift_is_found_from_both_sides(one: Lock, other: Lock) -> None:
    forth, back = drifts(one, other), drifts(other, one)
    assert bool(forth) == bool(back) == (one.uses != other.uses)
    assert count(forth, Moved.PROVIDER_ADDED) == count(back, Moved.PROVIDER_REMOVED)


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
