"""The README's examples, tried: its two one-line commands in a fresh clone, its tour and its example network."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.terminal import Directory, ended, read_until, sample

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL_PATIENCE = 600


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def examples(text: str) -> list[tuple[str, str]]:
    """Each `$ command` of the console blocks, with the output shown below it."""
    found = []
    for block in blocks(text, "console"):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def try_out(here: Directory, command: str, output: str) -> None:
    program, *words = shlex.split(command)
    assert program == "run-network"
    ran = here.run(*words)
    assert ran.code == 0, ran.err
    if output:
        assert numberless(ran.out) == numberless(output)


def numberless(text: str) -> str:
    """Without the numbers that each run draws anew: tickets and orders."""
    return re.sub(r"#\d+|P-\d+", "#", text)


def test_it_opens_with_the_two_commands_and_is_one_sitting() -> None:
    run, test = blocks(README, "sh")[:2]
    assert run.count("\n") == test.count("\n") == 1
    assert README.index(test) < README.index("\n## ")
    assert README.count("\n") <= 150


def test_the_tour_works_with_the_sample(tmp_path: Path) -> None:
    hotel = sample(tmp_path)
    process = hotel.start("up")
    try:
        read_until(process, "ensembles ready")
        tour = examples(section("A tour"))
        assert "room-service/handle-guest-request" in tour[0][0], "the guest's order comes first"
        for command, output in tour:
            try_out(hotel, command, output)
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_the_example_network_prints_what_is_shown(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    text = section("A network")
    for block in blocks(text, "yaml") + blocks(text, "python"):
        directory.write(block.splitlines()[0].removeprefix("# "), block)
    for command, output in examples(text):
        assert output, f"{command} is shown without its output"
        try_out(directory, command, output)


def test_the_verbs_of_the_table_exist(tmp_path: Path) -> None:
    listed = Directory(tmp_path).run("--help").out
    for name in re.findall(r"`([a-z]+)(?: [A-Z]+)?`", section("Verbs").split("\n\n")[1]):
        assert f"  {name} " in listed, name


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of what is committed."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not in a git checkout")
    where = tmp_path_factory.mktemp("fresh") / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(where)], check=True, capture_output=True)
    return where


def bare() -> dict[str, str]:
    """An environment that knows nothing of this one's packages."""
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS"}}


def test_the_first_command_brings_the_sample_up_in_a_fresh_clone(clone: Path) -> None:
    process = subprocess.Popen(
        ["bash", "-c", blocks(README, "sh")[0]],
        cwd=clone,
        env=bare(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert "6 ensembles ready" in read_until(process, "ensembles ready")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        ended(process)
    assert process.returncode == 130


def test_the_second_command_runs_tests_in_a_fresh_clone(clone: Path) -> None:
    ran = subprocess.run(
        ["bash", "-c", blocks(README, "sh")[1]],
        cwd=clone,
        env={**bare(), "PYTEST_ADDOPTS": "tests/test_durations.py"},  # not this test again
        capture_output=True,
        text=True,
        timeout=INSTALL_PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
