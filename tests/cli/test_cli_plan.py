"""`plan`: what applying the files would do to the network that runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.terminal import Directory, ended, eventually, read_until

NETWORK = """\
network: inn
ensembles:
  kitchen: kitchen.yaml
  desk: {uses: {relax: {tags: [wellness]}}, tasks: {book: {share: true, steps: [{use: relax}]}}}
  laundry: {tasks: {wash: {share: [wellness], steps: [{template: clean}]}}}
"""
KITCHEN = """\
description: "${env:MOTTO:-none}"
capacity: {max_concurrent: 4}
tasks: {cook: {share: true, steps: [{python: "kitchen:cook"}]}}
"""
CODE = """\
import time
from pathlib import Path
from pans import pans

def cook(context):
    while not Path("done").exists():
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def inn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    here = Directory(tmp_path_factory.mktemp("inn"))
    as_applied(here)
    process = here.start("up", "--no-http", "--no-watch")
    try:
        read_until(process, "ready in")
        yield here
    finally:
        here.write("done", "")
        process.send_signal(signal.SIGTERM)
        ended(process)


def as_applied(inn: Directory) -> None:
    for name, text in {"network.yaml": NETWORK, "kitchen.yaml": KITCHEN, "kitchen.py": CODE}.items():
        inn.write(name, text)
    inn.write("pans.py", "pans = 4\n")


@pytest.fixture(autouse=True)
def _unchanged(inn: Directory) -> None:
    as_applied(inn)


def test_files_that_run_already_need_nothing(inn: Directory) -> None:
    inn.write("kitchen.yaml", "# a comment\n" + KITCHEN)
    ran = inn.run("plan")
    assert (ran.code, ran.out, ran.err) == (0, "inn is as the files say (generation 1): nothing to do\n", "")
    assert inn.run("plan", "--json").json["steps"] == []


def test_an_edit_is_told_with_what_it_touches(inn: Directory) -> None:
    inn.write("kitchen.yaml", KITCHEN.replace("4", "8"))
    inn.write("pans.py", "pans = 5\n")
    inn.write(
        "network.yaml", NETWORK.replace("laundry:", "spa:").replace("wash", "massage").replace("clean", "relaxed")
    )
    ran = inn.run("plan")
    assert ran.code == 2, ran.err
    told, _, last = ran.out.rstrip().rpartition("\n")
    assert told == (
        "inn, from generation 1 on\n"
        "\n"
        "+ spa\n"
        "    shares massage (task)\n"
        "    max_concurrent 16, queue_limit 1000, sla 30s\n"
        "~ kitchen\n"
        "    capacity.max_concurrent 4 → 8 (live)\n"
        "    pans.py edited (rolling)\n"
        "- laundry\n"
        "\n"
        "+ edge desk → spa/massage (discovered: wellness): spa is new\n"
        "- edge desk → laundry/wash (discovered: wellness): laundry is removed\n"
        "\n"
        "+ starts   ~ changes   - finishes what it has in hand, and stops\n"
        "live: in place, at once. rolling: a new version is ready before it takes over."
        " Work in flight ends as it began.\n"
    )
    document = inn.run("plan", "--json").json
    assert last == f"1 to start, 1 to change, 1 to stop. Hash {document['hash']}"
    assert document["generation"] == 1
    assert [(step["action"], step["ensemble"]) for step in document["steps"]] == [
        ("start", "spa"),
        ("update", "kitchen"),
        ("rewire", "desk"),
        ("rewire", "desk"),
        ("drain", "laundry"),
        ("stop", "laundry"),
    ]
    assert document["steps"][1]["cause"] == "capacity.max_concurrent 4 → 8 (live), pans.py edited (rolling)"
    assert document["changes"][0] == {
        "ensemble": "kitchen",
        "path": "capacity.max_concurrent",
        "before": 4,
        "after": 8,
        "class": "live",
    }


def test_work_in_flight_is_counted(inn: Directory) -> None:
    assert inn.run("call", "kitchen/cook", "soup", "--mode", "async").code == 0
    inn.write("kitchen.py", CODE + "\n")

    def is_counted() -> bool:
        steps = inn.run("plan", "--json").json["steps"]
        assert [step["action"] for step in steps] == ["update"]
        return bool(steps[0]["in_flight"] == 1)

    eventually(is_counted, "the meal is in flight")
    assert "~ kitchen (1 in flight)" in inn.run("plan").out
    inn.write("done", "")


def test_the_environment_of_the_shell_does_not_count_and_is_told_of(inn: Directory) -> None:
    ran = inn.run("plan", MOTTO="hush-hush")
    assert (ran.code, ran.out) == (0, "inn is as the files say (generation 1): nothing to do\n")
    assert ran.err == (
        "note: ${env:MOTTO:-none} (kitchen.yaml) stands for something else in this shell than where the runner runs: "
        "the runner's value counts\n"
    )
    inn.write("kitchen.yaml", KITCHEN.replace("MOTTO", "OTHER"))
    told = inn.run("plan", "--json", OTHER="hush-hush")
    assert (told.code, told.json["steps"], "hush" in told.out + told.err) == (0, [], False)


def test_a_secret_that_changed_is_told_without_what_is_in_it(inn: Directory) -> None:
    inn.write(".env", "MOTTO=hush-hush\n")
    try:
        ran = inn.run("plan")
        assert (ran.code, "description none → (hidden) (live)" in ran.out, "hush" in ran.out) == (2, True, False)
    finally:
        (inn.path / ".env").unlink()


def test_what_only_the_runner_knows_is_read_there(inn: Directory) -> None:
    inn.write("kitchen.yaml", KITCHEN.replace(":-none", ""))
    ran = inn.run("plan")
    assert (ran.code, ran.out) == (1, "")
    assert "kitchen.yaml:1:14: error[unset-reference]: the environment variable `MOTTO` is not set" in ran.err
    assert 'description: "${env:MOTTO}"' in ran.err
    inn.write(".env", "MOTTO=none\n")
    try:
        assert inn.run("plan").code == 0
    finally:
        (inn.path / ".env").unlink()


def test_another_name_or_server_is_refused(inn: Directory) -> None:
    inn.write("network.yaml", NETWORK.replace("network: inn", "network: tavern"))
    ran = inn.run("plan")
    assert (ran.code, ran.out) == (1, "")
    assert "`network` cannot change while the network runs\n  network inn → tavern" in ran.err
    assert "put it back, or stop the network" in ran.err
    assert inn.run("plan", "--json").json["error"]["code"] == "restart-needed"


def test_files_that_are_not_valid_are_no_plan(inn: Directory) -> None:
    inn.write("kitchen.yaml", KITCHEN.replace("capacity", "capasity"))
    ran = inn.run("plan")
    assert (ran.code, ran.out, "error[unknown-key]" in ran.err) == (1, "", True)


def test_without_a_network_there_is_nothing_to_compare_with(directory: Directory) -> None:
    as_applied(directory)
    assert directory.run("plan").code == 4


def test_what_validate_warns_of_a_plan_does_not_repeat(inn: Directory) -> None:
    inn.write("network.yaml", NETWORK.replace("share: [wellness]", "share: true"))
    assert "warning[no-provider]" in inn.run("validate").out
    ran = inn.run("plan")
    assert (ran.code, ran.err) == (2, "")
    inn.write("kitchen.yaml", KITCHEN.replace("4", "many"))
    refused = inn.run("plan")
    assert refused.code == 1
    assert "error[wrong-type]" in refused.err
    assert "warning[" not in refused.err
