"""The command line as a user has it: a process, in a directory, with what it prints and its exit code."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Directory:
    """A directory to run the command in."""

    path: Path

    def write(self, name: str, text: str) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        done = subprocess.run(
            command(*arguments),
            cwd=self.path,
            env=surroundings(**environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments),
            cwd=self.path,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )


def in_shell(here: Directory, line: str) -> Ran:
    """Run a shell's command line, in which `$RUN` is the command: for redirections."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=here.path,
        env=surroundings(RUN=shlex.join(command())),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def lives(pid: int) -> bool:
    """Whether the process runs: one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "runner", *arguments]


def surroundings(**changes: str) -> dict[str, str]:
    """The environment without anything that changes colour or width."""
    kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LLM_BASE_URL"}}
    return {**kept, "PYTHONPATH": str(ROOT), **changes}


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds; fail, naming it, where it does not in time."""
    give_up = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > give_up:
            pytest.fail(f"still not: {what}")
        time.sleep(0.02)


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What the process prints up to and with the line that has these words. The process's end is a failure."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    pytest.fail(f"ended before saying {words!r}: {''.join(lines)}{process.stderr.read() if process.stderr else ''}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the process; its exit code and the rest of what it printed."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def sample(path: Path) -> Directory:
    shutil.copy(ROOT / "network.yaml", path)
    shutil.copytree(ROOT / "ensembles", path / "ensembles")
    return Directory(path)
