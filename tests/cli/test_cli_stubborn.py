"""Networks that do not want to end, and what people do to them: signals, `down`, `up --detach`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Directory, children, ended, eventually, lives, read_until

NETWORK = """\
network: stubborn
ensembles:
  desk:
    tools:
      block: {python: "mule:block", share: true}
      chat: {python: "mule:chat", share: true}
      hang: {python: "mule:hang", share: true}
  other:
    tools: {chat: {python: "mule:chat", share: true}}
"""
MULE = """\
import asyncio, os, pathlib, subprocess, sys, threading, time

HERE = pathlib.Path(__file__).parent

async def block(text: str) -> str:
    (HERE / "begun").touch()
    while True:
        pass

def hang(text: str) -> str:
    (HERE / "begun").touch()
    threading.Event().wait()

def chat(text: str) -> str:
    print("printed by the tool")
    sys.stdout.write("written by the tool\\n")
    subprocess.run(["echo", "echoed by a child of the tool"])
    return "the result"
"""
LOOP = "import pathlib\n(pathlib.Path(__file__).parent / 'begun').touch()\nwhile True:\n    pass\n"
CATCHING_LOOP = """\
import pathlib
while True:
    try:
        (pathlib.Path(__file__).parent / 'begun').touch()
        while True: pass
    except BaseException:
        print('caught')
"""
FUNCTIONS = "\nasync def block(text): ...\ndef hang(text): ...\ndef chat(text): ...\n"


@pytest.fixture
def mule(directory: Directory) -> Directory:
    directory.write("network.yaml", NETWORK)
    directory.write("mule.py", MULE)
    return directory


@pytest.fixture
def up(mule: Directory) -> Iterator[subprocess.Popen[str]]:
    process = mule.start("up")
    read_until(process, "ready in")
    yield process
    process.kill()
    process.communicate()


def interrupted_twice(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    assert process.stderr is not None
    while "again forces" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    code, _, err = ended(process)
    return code, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_a_network_whose_event_loop_is_blocked(
    mule: Directory, up: subprocess.Popen[str], number: signal.Signals
) -> None:
    (server,) = children(up.pid)
    caller = mule.start("call", "desk/block", "x")
    try:
        eventually((mule.path / "begun").exists, "the tool blocks the loop")
        code, err = interrupted_twice(up, number)
        assert (code, err) == (130, "forced\n")
        eventually(lambda: not lives(server), "nats-server went with its parent")
    finally:
        caller.kill()
        caller.communicate()


def test_a_second_signal_ends_a_network_that_loops_as_it_is_imported(mule: Directory) -> None:
    mule.write("mule.py", LOOP + FUNCTIONS)
    process = mule.start("up")
    eventually((mule.path / "begun").exists, "the module loops")
    assert interrupted_twice(process, signal.SIGINT) == (130, "forced\n")


def test_validate_that_imports_a_loop_ends_at_ctrl_c_even_where_the_module_catches_it(mule: Directory) -> None:
    mule.write("mule.py", LOOP + FUNCTIONS)
    process = mule.start("validate", "--import")
    eventually((mule.path / "begun").exists, "the module loops")
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    (mule.path / "begun").unlink()
    mule.write("mule.py", CATCHING_LOOP + FUNCTIONS)
    process = mule.start("validate", "--import")
    eventually((mule.path / "begun").exists, "the module loops")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "caught\n", "and what a module prints is no data"
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "", "forced\n")


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_one_signal_drains_and_says_when_it_has(
    up: subprocess.Popen[str], number: signal.Signals, expected: int
) -> None:
    up.send_signal(number)
    code, out, err = ended(up)
    assert code == expected
    assert out.count("STOPPED") == 2
    assert err.splitlines()[-1] == "stopped"


def test_threads_that_user_code_leaves_behind_do_not_hold_the_end(mule: Directory) -> None:
    thread = "threading.Thread(target=threading.Event().wait).start()\n"
    mule.write("mule.py", MULE + thread)
    process = mule.start("up")
    read_until(process, "ready in")
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert (code, err.splitlines()[-1]) == (0, "stopped")
    assert mule.run("call", "desk/chat", "x").code == 0


def test_what_user_code_prints_is_no_data(mule: Directory) -> None:
    ran = mule.run("call", "desk/chat", "x")
    assert (ran.code, ran.out) == (0, "the result\n")
    for words in ("printed by the tool", "written by the tool", "echoed by a child of the tool"):
        assert f"{words}\n" in ran.err
    process = mule.start("up", "--json")
    read_until(process, '"ready"')
    mule.run("call", "desk/chat", "x")
    process.send_signal(signal.SIGTERM)
    _, out, err = ended(process)
    assert all(json.loads(line)["type"] for line in out.splitlines())
    assert "written by the tool" in err


def test_a_network_goes_on_when_nobody_reads_what_it_shows(mule: Directory) -> None:
    with open("/dev/full", "w") as full:
        process = mule.start("up", stdout=full)
    assert process.stderr is not None
    assert process.stderr.readline() == "stdout cannot be written to: the network goes on and shows nothing more\n"
    eventually(lambda: mule.run("call", "desk/chat", "x").out == "the result\n", "it answers")
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0


def test_the_ready_line_counts_what_is_hosted_and_says_that_the_files_are_not_watched(mule: Directory) -> None:
    process = mule.start("up", "--only", "other", "--no-watch")
    shown = read_until(process, "ready in")
    process.send_signal(signal.SIGTERM)
    ended(process)
    (line,) = [line for line in shown.splitlines() if "ready in" in line]
    assert line.startswith("1 ensemble ready in ")
    assert line.endswith(" ms. Ctrl-C drains and stops; the files are not watched.")


def test_nothing_left_to_host_is_a_usage_error(mule: Directory) -> None:
    for words in (["--except", "desk,other"], ["--only", "desk", "--except", "desk"]):
        ran = mule.run("up", *words)
        assert (ran.code, ran.err.splitlines()[0]) == (1, "error[usage]: nothing left to host")


def test_a_refused_second_detach_leaves_the_log_of_the_first(mule: Directory) -> None:
    first = mule.run("up", "-d", "--json").json
    try:
        log = Path(first["log"])
        said = log.read_text()
        assert "ready in" in said or '"ready"' in said
        second = mule.run("up", "-d")
        assert second.code == 1
        assert second.err.startswith(f"error[already-running]: a network is already running in {mule.path} (pid ")
        assert str(first["pid"]) in second.err
        assert log.read_text().startswith(said)
    finally:
        assert mule.run("down", "--json").json == {"status": "STOPPED"}
    assert not lives(first["pid"])


def test_detach_says_once_why_it_did_not_come_up(mule: Directory) -> None:
    mule.write("mule.py", "raise RuntimeError('no oven')\n" + FUNCTIONS)
    ran = mule.run("up", "-d")
    assert ran.code == 1
    assert ran.err.count("no oven") == ran.err.count("error[") == 1
    assert mule.run("up", "-d", "--json").json["error"]["code"] == "start-failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupting_detach_leaves_no_orphan(mule: Directory, number: signal.Signals) -> None:
    wait = "import pathlib\nHERE = pathlib.Path(__file__).parent\n(HERE / 'begun').touch()\n"
    mule.write("mule.py", wait + "while not (HERE / 'go').exists(): pass\n" + FUNCTIONS)
    process = mule.start("up", "-d")
    eventually((mule.path / "begun").exists, "the module waits")
    (runner,) = children(process.pid)
    process.send_signal(number)
    if number is signal.SIGKILL:
        process.wait()
    (mule.path / "go").touch()
    assert ended(process)[0] == (-9 if number is signal.SIGKILL else 130)
    eventually(lambda: not lives(runner), "the runner is gone")


def test_a_runner_that_does_not_answer_is_named(mule: Directory, up: subprocess.Popen[str]) -> None:
    up.send_signal(signal.SIGSTOP)
    ran = mule.run("down", "--timeout", "1s")
    assert ran.code == 1
    assert ran.err.startswith(f"error[network-error]: pid {up.pid} does not answer")
    assert f"`kill -9 {up.pid}` ends it" in ran.err
    up.send_signal(signal.SIGCONT)


def test_down_with_the_address_of_a_server_waits_until_no_runner_answers(
    mule: Directory, up: subprocess.Popen[str]
) -> None:
    address = json.loads((mule.path / ".run-network" / "connection.json").read_text())["url"][0]
    down = mule.run("down", "--nats", address)
    assert (down.code, down.err) == (0, "stopped\n")
    assert ended(up)[0] == 0
