"""`run-network lock`, and a network that is held to it: from the files alone, and while it runs."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.support.terminal import Directory, ended, read_until

NETWORK = """\
network: inn
ensembles:
  bar:
    uses: {meal: {discover: cook, select: round-robin}}
    tasks: {serve: {share: true, steps: [{use: meal}]}}
  grill: {tasks: {cook: {share: true, steps: [{template: Grilled.}]}}}
  kitchen: {tasks: {cook: {share: true, steps: [{template: Cooked.}]}}}
"""
LARDER = "  larder: {tasks: {cook: {share: true, steps: [{template: Cold.}]}}}\n"


def inn(directory: Directory) -> Directory:
    directory.write("network.yaml", NETWORK)
    return directory


def lock_of(directory: Directory) -> str:
    return Path(directory.path / "network.lock").read_text()


def test_a_lock_is_written_holds_and_is_written_anew(directory: Directory) -> None:
    inn(directory)
    first = directory.run("lock")
    assert (first.code, first.out) == (0, "network.lock written: 1 discovered use, 2 providers\n")
    assert directory.run("lock").out == "network.lock holds: 1 discovered use, 2 providers\n"
    before = lock_of(directory)
    directory.write("network.yaml", NETWORK + LARDER)
    drifted = directory.run("lock")
    assert (drifted.code, drifted.out, lock_of(directory)) == (1, "", before)
    assert drifted.err == (
        "error[lock-drift]: network.lock does not hold: "
        "`bar/meal` may come to `larder/cook` now, to which it is not locked\n"
        "hint: `run-network lock --update` writes it anew\n"
    )
    updated = directory.run("lock", "--update")
    assert updated.out == (
        "+ `bar/meal` may come to `larder/cook` now, to which it is not locked\n"
        "network.lock written: 1 discovered use, 3 providers, 1 change\n"
    )
    assert directory.run("validate", "--locked").code == 0


def test_a_lock_as_json(directory: Directory) -> None:
    document = json.loads(inn(directory).run("lock", "--json").out)
    assert document["file"] == "network.lock"
    assert (document["written"], document["changes"]) == (True, [])
    (use,) = document["uses"]
    assert (use["use"], use["need"]) == ("bar/meal", "cook")
    assert [provider["provider"] for provider in use["providers"]] == ["grill/cook", "kitchen/cook"]
    directory.write("network.yaml", NETWORK.replace("Grilled.", "Done.").replace("  grill:", "  broiler:"))
    changes = json.loads(directory.run("lock", "--update", "--json").out)["changes"]
    assert [(c["change"], c["use"], c["provider"], c["what"]) for c in changes] == [
        ("provider-added", "bar/meal", "broiler/cook", []),
        ("provider-removed", "bar/meal", "grill/cook", ["there is no ensemble `grill`"]),
    ]


def test_what_changed_of_a_contract_is_told_in_words_once_the_lock_has_it(
    directory: Directory,
) -> None:
    inn(directory).run("lock")
    whole = lock_of(directory)
    directory.write("network.lock", whole[: whole.index("contracts:")])
    assert (directory.run("lock").code, directory.run("validate", "--locked").code) == (0, 0)
    assert "contracts:" not in lock_of(directory)
    directory.run("lock", "--update")
    assert lock_of(directory) == whole
    directory.write("network.yaml", NETWORK.replace("kitchen: {", "kitchen: {authority: supervised, "))
    told = "the contract of `kitchen/cook`, to which `bar/meal` is locked, changed: its authority was autonomous"
    assert told in directory.run("validate", "--locked").out
    assert f"~ {told} and is supervised\n" in directory.run("lock", "--update").out


def test_validate_and_up_refuse_what_drifted_and_name_it(directory: Directory) -> None:
    inn(directory).run("lock")
    directory.write("network.yaml", NETWORK + LARDER)
    assert directory.run("validate").code == 0
    for command in (("validate", "--locked"), ("up", "--locked")):
        ran = directory.run(*command)
        assert ran.code == 1
        told = ran.out + ran.err
        assert "network.yaml:4:12: error[lock-drift]: `bar/meal` may come to `larder/cook` now" in told
    found = json.loads(directory.run("validate", "--locked", "--format", "json").out)
    assert [d["code"] for d in found if d["severity"] == "error"] == ["lock-drift"]


def test_without_a_lock_there_is_nothing_to_hold_to(directory: Directory) -> None:
    ran = inn(directory).run("up", "--locked")
    assert (ran.code, "error[missing-lock]" in ran.err) == (1, True)


def test_a_locked_network_refuses_a_newcomer_that_is_saved_or_applied(directory: Directory) -> None:
    """And takes it once it is locked."""
    inn(directory).run("lock")
    process = directory.start("up", "--locked", "--no-http")
    try:
        read_until(process, "ensembles ready")
        directory.write("network.yaml", NETWORK + LARDER)
        told = read_until(process, "lock-drift")
        assert "`bar/meal` may come to `larder/cook` now, to which it is not locked" in told
        refused = directory.run("apply")
        assert (refused.code, "`bar/meal` may come to `larder/cook` now" in refused.err) == (1, True)
        assert {directory.run("call", "bar/serve").out for _ in range(4)} == {"Grilled.\n", "Cooked.\n"}
        directory.run("lock", "--update")
        read_until(process, "generation 2")
        assert {directory.run("call", "bar/serve").out for _ in range(4)} == {"Grilled.\n", "Cooked.\n", "Cold.\n"}
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)
