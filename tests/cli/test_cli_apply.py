"""`apply` and `rollback`: a network that watches nothing goes on when somebody says so, and back again."""

from __future__ import annotations

import getpass
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.support.terminal import Directory, ended, read_until

NETWORK = """\
network: inn
ensembles:
  kitchen: kitchen.yaml
  desk: {tasks: {greet: {share: true, steps: [{template: welcome}]}}}
"""
KITCHEN = """\
capacity: {max_concurrent: 4}
tasks: {cook: {share: true, steps: [{python: "kitchen:cook"}]}}
"""
CODE = "from pans import pans\n\ndef cook(context):\n    return pans\n"
ME = f"{getpass.getuser()}@{socket.gethostname()}"


def as_first(inn: Directory) -> None:
    for name, text in {"network.yaml": NETWORK, "kitchen.yaml": KITCHEN, "kitchen.py": CODE}.items():
        inn.write(name, text)
    inn.write("pans.py", "pans = 4\n")


@pytest.fixture
def inn(directory: Directory) -> Iterator[Directory]:
    """A network that does not watch its files, generation 1."""
    as_first(directory)
    process = directory.start("up", "--no-http", "--no-watch")
    try:
        read_until(process, "ready in")
        yield directory
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_files_are_applied_when_somebody_says_so_and_taken_back(inn: Directory) -> None:
    inn.write("pans.py", "pans = 9\n")
    assert inn.run("call", "kitchen/cook").out == "4\n"
    ran = inn.run("apply")
    assert ran.code == 0, ran.err
    assert "~ kitchen\n    pans.py edited (rolling)\n" in ran.out
    assert "\n\ngeneration 2 in " in ran.out
    assert inn.run("call", "kitchen/cook").out == "9\n"
    again = inn.run("apply")
    assert (again.code, again.out) == (0, "inn is as the files say (generation 2): nothing to do\n")

    planned = inn.run("plan", "--generation", "1", "--json")
    assert (planned.code, planned.json["hash"][:2]) == (2, "2-")
    back = inn.run("rollback", "1", "--plan", planned.json["hash"])
    assert (back.code, "generation 3 in " in back.out) == (0, True), back.err
    assert "stay as they are, and say something else (pans.py):" in back.err
    assert inn.run("call", "kitchen/cook").out == "4\n"
    assert (inn.path / "pans.py").read_text() == "pans = 9\n"
    history = inn.run("history", "--json").json
    assert [(entry["generation"], entry["restores"]) for entry in history] == [(1, None), (2, None), (3, 1)]
    assert [entry["by"] for entry in history[1:]] == [ME, ME]
    assert [entry["files"] for entry in history[1:]] == [["pans.py"], ["pans.py"]]
    assert f"{ME}, back to 1" in inn.run("history").out

    forth = inn.run("apply", "--json").json
    assert (forth["applied"], forth["generation"], forth["plan"]["generation"]) == (True, 4, 3)
    assert [step["action"] for step in forth["plan"]["steps"]] == ["update"]
    assert inn.run("rollback", "4", "--json").json["applied"] is False


def test_a_plan_holds_only_while_neither_files_nor_network_have_moved(inn: Directory) -> None:
    inn.write("kitchen.yaml", KITCHEN.replace("4", "8"))
    planned = inn.run("plan", "--json").json["hash"]
    inn.write("kitchen.yaml", KITCHEN.replace("4", "80"))
    ran = inn.run("apply", "--plan", planned)
    assert (ran.code, ran.out) == (1, "")
    assert "error[plan-moved]: the files have moved: from generation 1 on their plan is 1-" in ran.err
    inn.write("kitchen.yaml", KITCHEN.replace("4", "8"))
    done = inn.run("apply", "--plan", planned)
    assert (done.code, "capacity.max_concurrent 4 → 8 (live)" in done.out, "generation 2 in" in done.out) == (
        (0, True, True)
    )
    late = inn.run("apply", "--plan", planned, "--json")
    assert (late.code, late.json["error"]["code"]) == (1, "plan-moved")
    assert "the live network has moved: generation 2 by " in late.json["error"]["message"]
    nothing = inn.run("apply", "--plan", "nothing")
    assert (nothing.code, "error[usage]: `nothing` is the hash of no plan" in nothing.err) == (1, True)


def test_what_cannot_be_applied_is_refused_whole(inn: Directory) -> None:
    inn.write("network.yaml", NETWORK.replace("network: inn", "network: tavern"))
    ran = inn.run("apply")
    assert (ran.code, ran.out, "error[restart-needed]: `network` cannot change" in ran.err) == (1, "", True)
    inn.write("network.yaml", NETWORK.replace("welcome", "{{ welcome"))
    ran = inn.run("apply")
    assert (ran.code, ran.out, "network.yaml:4:" in ran.err) == (1, "", True)
    as_first(inn)
    inn.write("pans.py", "raise RuntimeError('no pans')\n")
    ran = inn.run("apply")
    assert (ran.code, "error[reload-failed]" in ran.err, "no pans" in ran.err) == (1, True, True)
    for generation, said in (("7", "there is no generation 7: the last is 1"), ("0", "greater than or equal to 1")):
        ran = inn.run("rollback", generation)
        assert (ran.code, said in ran.err) == (1, True), ran.err
    assert inn.run("status", "--json").json["generation"] == 1
    assert inn.run("call", "kitchen/cook").out == "4\n"


def test_without_a_network_nothing_can_be_applied(directory: Directory) -> None:
    as_first(directory)
    assert [directory.run(*verb).code for verb in (("apply",), ("rollback", "1"))] == [4, 4]
    directory.write("kitchen.yaml", "tasks: 7\n")
    assert directory.run("apply").code == 1
