"""`history` and `diff` over generations that ran one after the other."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runner.bundle import Bundled
from runner.cli.render.difference import difference, text
from runner.reports import DiffReport
from tests.support.terminal import Directory, ended, read_until

NETWORK = """\
network: inn
ensembles:
  kitchen: kitchen.yaml
"""
KITCHEN = 'tasks: {cook: {share: true, steps: [{template: "cooked"}]}}\n'


@contextmanager
def up(directory: Directory) -> Iterator[None]:
    process = directory.start("up", "--no-http", "--no-watch")
    try:
        read_until(process, "ready in")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_generations_are_listed_and_compared(directory: Directory) -> None:
    directory.write("network.yaml", NETWORK)
    directory.write("kitchen.yaml", KITCHEN)
    with up(directory):
        assert directory.run("diff").out == ""
        directory.write("kitchen.yaml", KITCHEN.replace("cooked", "fried"))
        written = directory.run("diff")
        assert (written.code, written.out) == (
            0,
            "--- a/kitchen.yaml\n+++ b/kitchen.yaml\n@@ -1 +1 @@\n"
            '-tasks: {cook: {share: true, steps: [{template: "cooked"}]}}\n'
            '+tasks: {cook: {share: true, steps: [{template: "fried"}]}}\n',
        )
    with up(directory):
        history = directory.run("history", "--json").json
        assert [(entry["generation"], entry["ensembles"], entry["files"], entry["applied"]) for entry in history] == [
            (1, ["kitchen"], ["kitchen.yaml", "network.yaml"], False),
            (2, ["kitchen"], ["kitchen.yaml"], True),
        ]
        assert "2 *" in directory.run("history").out
        assert directory.run("status", "--json").json["generation"] == 2
        assert directory.run("diff", "1").out == written.out
        told = directory.run("diff", "2", "1", "--json").json
        assert (told["from"], told["to"]) == (2, 1)
        assert [(file["path"], file["change"]) for file in told["files"]] == [("kitchen.yaml", "changed")]
        directory.write("network.yaml", "network: [")
        invalid = directory.run("diff")
        assert (invalid.code, "network.yaml:1:" in invalid.err) == (1, True)
        unkept = directory.run("diff", "7")
        assert (unkept.code, "there is no generation 7" in unkept.err) == (1, True)


def test_nothing_is_compared_where_no_network_runs(directory: Directory) -> None:
    directory.write("network.yaml", NETWORK)
    directory.write("kitchen.yaml", KITCHEN)
    assert [directory.run(verb).code for verb in ("history", "diff")] == [4, 4]


def shown(before: dict[str, bytes], after: dict[str, bytes]) -> str:
    files = difference(Bundled.of("n", before), Bundled.of("n", after))
    return text(DiffReport(before=1, after=2, files=files))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": b"x\n"}, {"a": b"x\n"}, ""),
        ({}, {"a": b"x\n"}, "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x"),
        ({"a": b"x\n"}, {}, "--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x"),
        ({"a": b"x\n"}, {"a": b"x"}, "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+x\n\\ No newline at end of file"),
        ({"a": b"\x1b[2J\n"}, {"a": b"\t\r\n"}, "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-\\x1b[2J\n+\t\\r"),
        ({"a": b"\xff"}, {"a": b"x", "b": b""}, "a changed\nb added"),
        (
            {"a": b"erp: {token: hush-1, scope: [x]}\n"},
            {"a": b'erp: {token: "hush-2", api_key: "${env:KEY}", url: "nats://me:hush@host"}\n'},
            "--- a/a\n+++ b/a\n@@ -1 +1 @@\n"
            "-erp: {token: (hidden), scope: [x]}\n"
            '+erp: {token: (hidden), api_key: "${env:KEY}", url: "nats://(hidden)@host"}',
        ),
    ],
)
def test_files_are_compared_as_diff_does(before: dict[str, bytes], after: dict[str, bytes], said: str) -> None:
    assert shown(before, after) == said
