"""A network that runs is talked to although its file is away, or says nothing that can be read."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.terminal import Directory, ended, read_until

FILE = ("-f", "inn.yaml")
NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {meal: {discover: cook, select: first}}
    tasks: {order: {share: true, steps: [{use: meal}]}}
  kitchen: {tasks: {cook: {share: true, steps: [{template: Cooked.}]}}}
"""


@contextmanager
def up_without_file(path: Path) -> Iterator[Directory]:
    """It has worked off the request `one`, and its file is away since then."""
    inn = Directory(path)
    inn.write("inn.yaml", NETWORK)
    process = inn.start("up", *FILE, "--no-http")
    try:
        read_until(process, "ensembles ready")
        assert inn.run("call", "desk/order", "soup", "--request-id", "one", *FILE).out == "Cooked.\n"
        (path / "inn.yaml").unlink()
        yield inn
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


@pytest.fixture(scope="module")
def inn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    with up_without_file(tmp_path_factory.mktemp("inn")) as there:
        yield there


def note(inn: Directory) -> str:
    return f"note: there is no file inn.yaml; the network that runs in {inn.path} is asked\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("status",), "inn, generation 1"),
        (("catalog",), "kitchen/cook"),
        (("why", "desk", "meal"), "→ kitchen/cook"),
        (("call", "desk/order", "soup"), "Cooked."),
        (("result", "one"), "Cooked."),
        (("requests",), "_cli/one"),
        (("logs",), "completed"),
        (("graph", "--live"), "kitchen"),
        (("history",), "1 *"),
        (("diff", "1", "1"), ""),
        (("plan", "--generation", "1"), ""),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_whoever_only_talks_to_the_network_needs_no_file(inn: Directory, words: tuple[str, ...], told: str) -> None:
    ran = inn.run(*words, *FILE)
    assert (ran.code, ran.err.startswith(note(inn))) == (0, True), ran
    assert told in ran.out


def test_a_network_whose_file_is_away_is_stopped(tmp_path: Path) -> None:
    with up_without_file(tmp_path) as inn:
        down = inn.run("down", *FILE)
        assert (down.code, down.err) == (0, f"{note(inn)}stopped\n")


@pytest.mark.parametrize("verb", ["plan", "apply", "diff"])
def test_what_needs_the_file_says_that_the_network_goes_on_without_it(inn: Directory, verb: str) -> None:
    ran = inn.run(verb, *FILE)
    assert (ran.code, ran.err) == (
        1,
        "error[usage]: there is no file inn.yaml\n"
        f"hint: the network that runs in {inn.path} goes on as it is: write the file again to change it\n",
    )


def test_a_file_that_was_never_there_is_not_taken_for_the_one_that_runs(inn: Directory) -> None:
    ran = inn.run("status")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "error[usage]: there is no file network.yaml\n"
        f"hint: the network that runs in {inn.path} is that of inn.yaml: name it with `-f`\n"
    )


def test_a_network_whose_file_cannot_be_read_is_talked_to(inn: Directory) -> None:
    inn.write("inn.yaml", "network: inn\nensembles: [")
    try:
        for words, told in ((("why", "desk", "meal"), "→ kitchen/cook"), (("call", "desk/order", "soup"), "Cooked.")):
            ran = inn.run(*words, *FILE)
            assert (ran.code, told in ran.out, "note:" in ran.err) == (0, True, False), ran
    finally:
        (inn.path / "inn.yaml").unlink()
