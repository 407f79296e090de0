"""A network that runs is talked to although its file is away, or says nothing that can be read."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.terminal import Directory, ended, read_until

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {meal: {discover: cook, select: first}}
    tasks: {order: {share: true, steps: [{use: meal}]}}
  kitchen: {tasks: {cook: {share: true, steps: [{template: Cooked.}]}}}
"""
TALKING = [
    ("status",),
    ("catalog",),
    ("why", "desk", "meal"),
    ("call", "desk/order", "soup", "--request-id", "one"),
    ("result", "one"),
    ("requests",),
    ("logs",),
    ("graph", "--live"),
    ("history",),
    ("diff", "1", "1"),
    ("plan", "--generation", "1"),
]
"""Verbs that need no file."""


@pytest.fixture
def inn(directory: Directory) -> Iterator[Directory]:
    directory.write("inn.yaml", NETWORK)
    process = directory.start("up", "-f", "inn.yaml", "--no-http")
    try:
        read_until(process, "ensembles ready")
        yield directory
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_a_network_whose_file_is_away_is_talked_to_and_stopped(inn: Directory) -> None:
    (inn.path / "inn.yaml").unlink()
    note = f"note: there is no file inn.yaml; the network that runs in {inn.path} is asked\n"
    for words in TALKING:
        ran = inn.run(*words, "-f", "inn.yaml")
        assert (ran.code, ran.err.startswith(note)) == (0, True), (words, ran)
        assert ran.out != "" or words[0] == "diff", words
    assert inn.run("call", "desk/order", "soup", "-f", "inn.yaml").out == "Cooked.\n"
    rolled = inn.run("rollback", "1", "-f", "inn.yaml")
    assert rolled.code == 0
    down = inn.run("down", "-f", "inn.yaml")
    assert (down.code, down.err) == (0, f"{note}stopped\n")
    assert "there is no file inn.yaml" in inn.run("status", "-f", "inn.yaml").err


def test_what_needs_the_file_says_that_the_network_goes_on_without_it(inn: Directory) -> None:
    (inn.path / "inn.yaml").unlink()
    for words in (("plan",), ("apply",), ("diff",)):
        ran = inn.run(*words, "-f", "inn.yaml")
        assert ran.code == 1
        assert "there is no file inn.yaml" in ran.err
        assert f"the network that runs in {inn.path} goes on as it is: write the file again to change it" in ran.err


def test_a_file_that_was_never_there_is_not_taken_for_the_one_that_runs(inn: Directory) -> None:
    ran = inn.run("status")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "error[usage]: there is no file network.yaml\n"
        f"hint: the network that runs in {inn.path} is that of inn.yaml: name it with `-f`\n"
    )


def test_a_network_whose_file_cannot_be_read_is_talked_to(inn: Directory) -> None:
    inn.write("inn.yaml", "network: inn\nensembles: [")
    for words in TALKING:
        ran = inn.run(*words, "-f", "inn.yaml")
        assert (ran.code, ran.out != "" or words[0] == "diff") == (0, True), (words, ran)
        assert "note:" not in ran.err
