"""What `up` shows of a save: the block, the reason why not, and the lines for programs."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.terminal import Directory, ended, eventually, read_until

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 4}
    tasks: {cook: {share: true, steps: [{template: cooked}]}}
"""


@contextmanager
def up(here: Directory, *options: str) -> Iterator[subprocess.Popen[str]]:
    here.write("inn/network.yaml", NETWORK)
    process = here.start("up", "-f", "inn/network.yaml", *options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_a_save_shows_what_changed_and_how_long_it_took(directory: Directory) -> None:
    with up(directory) as process:
        assert "Ctrl-C drains and stops; what you save is applied." in read_until(process, "ready in")
        directory.write("inn/network.yaml", NETWORK.replace("4", "8"))
        shown = read_until(process, "generation 2 in")
        assert shown.startswith("~ kitchen  capacity.max_concurrent 4 → 8 (live)\ngeneration 2 in ")
        assert shown.endswith(" ms\n")


def test_a_save_with_errors_is_shown_as_validate_does_and_by_status(directory: Directory) -> None:
    with up(directory) as process:
        read_until(process, "ready in")
        directory.write("inn/network.yaml", NETWORK.replace("4", "many"))
        assert read_until(process, "runs on") == (
            "inn/network.yaml:4:32: error[wrong-type]: `max_concurrent` must be a whole number, not text\n"
            "  4 |     capacity: {max_concurrent: many}\n"
            "    |                                ^^^^\n"
            "\n"
            "error[invalid-network]: The network file has errors.\n"
            "nothing has changed: generation 1 runs on\n"
        )
        status = directory.run("status", "-f", "inn/network.yaml")
        assert "the last reload failed:\n    network.yaml:4:32: error[wrong-type]" in status.out


def test_programs_read_a_line_for_each_save(directory: Directory) -> None:
    with up(directory, "--json") as process:
        read_until(process, '"ready"')
        directory.write("inn/network.yaml", NETWORK.replace("4", "8"))
        applied = json.loads(read_until(process, '"reload"').splitlines()[-1])
        assert (applied["ok"], applied["generation"]) == (True, 2)
        assert [(step["action"], step["ensemble"]) for step in applied["plan"]["steps"]] == [("update", "kitchen")]
        directory.write("inn/network.yaml", NETWORK.replace("4", "many"))
        refused = json.loads(read_until(process, '"ok":false').splitlines()[-1])
        assert (refused["type"], refused["generation"]) == ("reload", 2)
        assert [(d["file"], d["code"]) for d in refused["diagnostics"]] == [("inn/network.yaml", "wrong-type")]


def test_with_no_watch_a_save_waits_and_both_options_at_once_are_refused(directory: Directory) -> None:
    with up(directory, "--no-watch") as process:
        assert "the files are not watched." in read_until(process, "ready in")
    ran = directory.run("up", "-f", "inn/network.yaml", "--watch", "--no-watch")
    assert (ran.code, ran.err.splitlines()[0]) == (1, "error[usage]: --watch and --no-watch at once")


def test_a_network_in_the_background_watches_too(directory: Directory) -> None:
    directory.write("network.yaml", NETWORK)
    assert directory.run("up", "--detach").code == 0
    try:
        directory.write("network.yaml", NETWORK.replace("4", "8"))
        eventually(lambda: directory.run("status", "--json").json["generation"] == 2, "the save is applied")
    finally:
        assert directory.run("down").code == 0
