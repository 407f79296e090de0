"""How long the hotel takes from nothing to all READY: in phases, and as a user sees it.

    python benchmarks/startup.py [--runs 10] [--cores 2]

Each run starts in a fresh copy of the sample, so that keys, streams and consumers are made anew; `again` is a second
start in the same directory. Phases are stamped inside a process that goes the way of `run-network up`; the figures of
whole processes are those of the command itself, from spawning it to its line that says so. All are medians, in
milliseconds, pinned to so many cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
BOUNDS = {"up, cold": 1500.0, "validate, cold": 500.0}
EVERYBODY = "every ensemble READY"

Stamps = dict[str, float]
"""Milliseconds from the start of the process, by what was reached."""


def probe(directory: Path) -> None:
    """Go the way of `up`, printing what is reached with the time: the clock is the same in every process."""
    stamp("interpreter started")
    from runner.cli import app, load  # noqa: F401
    from runner.cli.verbs import up  # noqa: F401
    from runner.host.happenings import EnsembleMoved, Happening, NetworkReady, ServerReady
    from runner.host.runner import running

    stamp("imports done")
    workspace = load.workspace_of(str(directory / "network.yaml"))
    network = load.network_of(workspace)
    stamp("file read")
    started = False

    def watch(happening: Happening) -> None:
        nonlocal started
        match happening:
            case ServerReady():
                stamp("server ready")
            case EnsembleMoved(ensemble, state):
                if not started:
                    stamp("streams ready")
                    started = True
                if state == "READY":
                    stamp(f"  {ensemble} READY")
            case NetworkReady():
                stamp(EVERYBODY)

    async def bring_up() -> None:
        async with running(network, workspace, watcher=watch):
            pass
        stamp("stopped again")

    asyncio.run(bring_up())


def stamp(reached: str) -> None:
    print(json.dumps({"reached": reached, "at": time.monotonic()}), flush=True)


def phases(directory: Path) -> Stamps:
    """One probe of a start in this directory."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, __file__, "--probe", str(directory)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = map(json.loads, done.stdout.splitlines())
    return {line["reached"]: (line["at"] - began) * 1000 for line in lines}


def until_ready(directory: Path) -> Stamps:
    """One `up`, and how long its lines and its end take to come."""
    began = time.monotonic()
    process = subprocess.Popen(
        command("up", directory, "--json", "--no-http", "--no-watch"),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "ready":
            break
    ready = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"up ended with {process.returncode}")
    return {"ready": (ready - began) * 1000, "stopped": (time.monotonic() - ready) * 1000}


def validated(directory: Path) -> float:
    began = time.monotonic()
    subprocess.run(command("validate", directory), env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - began) * 1000


def command(verb: str, directory: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "runner", verb, "-f", str(directory / "network.yaml"), *options]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def hotel() -> Iterator[Path]:
    """A fresh copy of the sample."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(ROOT / "network.yaml", place)
        shutil.copytree(ROOT / "ensembles", Path(place) / "ensembles")
        yield Path(place)


def measure(runs: int) -> None:
    stamps: list[Stamps] = []
    whole: dict[str, list[float]] = {name: [] for name in ("up, cold", "up, again", "stop", "validate, cold")}
    with hotel() as directory:
        phases(directory)  # byte code and file cache, as on every start but a machine's first
    for _ in range(runs):
        with hotel() as directory:
            stamps.append(phases(directory))
        with hotel() as directory:
            whole["validate, cold"].append(validated(directory))
            cold, again = until_ready(directory), until_ready(directory)
        whole["up, cold"].append(cold["ready"])
        whole["up, again"].append(again["ready"])
        whole["stop"] += [cold["stopped"], again["stopped"]]
    show_phases(stamps)
    show_whole(whole)


def show_phases(runs: list[Stamps]) -> None:
    """Ensembles come up side by side, so that their times are no phases of their own."""
    reached = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    print(f"{'reached':28} {'after ms':>9} {'phase ms':>9}")
    before = 0.0
    for name, milliseconds in sorted(reached.items(), key=lambda item: item[1]):
        own = "" if name.startswith(" ") else f"{milliseconds - before:9.0f}"
        print(f"{name:28} {milliseconds:9.0f} {own}".rstrip())
        if own:
            before = milliseconds


def show_whole(whole: dict[str, list[float]]) -> None:
    print(f"\n{'whole process':28} {'median ms':>9} {'slowest':>9} {'bound':>9}")
    for name, figures in whole.items():
        bound = f"{BOUNDS[name]:9.0f}" if name in BOUNDS else ""
        print(f"{name:28} {statistics.median(figures):9.0f} {max(figures):9.0f} {bound}".rstrip())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--probe", type=Path)
    options = parser.parse_args()
    if options.probe:
        probe(options.probe)
        return
    cores = sorted(os.sched_getaffinity(0))[: options.cores]
    os.sched_setaffinity(0, cores)
    print(f"{options.runs} runs on {len(cores)} cores")
    measure(options.runs)


if __name__ == "__main__":
    main()
