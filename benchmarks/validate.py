"""How long `run-network validate` takes: a small network cold, and 1,000 and 10,000 ensembles in one file.

Each figure is the median of whole processes, start to exit. Run it with `python benchmarks/validate.py [RUNS]`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SMALL, MIDDLE, LARGE = 6, 1_000, 10_000
BOUNDS = {SMALL: 0.5, MIDDLE: 0.8, LARGE: 5.0}

ENSEMBLE = """\
  ensemble-{number}:
    description: Does the work of ensemble {number}.
    capacity: {{max_concurrent: 4, queue_limit: 500}}
    uses:
      ask-next: ensemble-{next}/answer
    tools:
      look-up: {{python: "tools:look_up", description: Looks things up., share: [stock]}}
    tasks:
      answer:
        share: {{tags: [stock]}}
        steps:
          - {{id: found, tool: look-up}}
          - {{template: "Found: {{{{ steps.found }}}}"}}
"""


@dataclass(frozen=True, slots=True)
class Measured:
    ensembles: int
    seconds: float
    megabytes: float


def write_network(folder: Path, ensembles: int) -> Path:
    """A network file with that many inline ensembles of twelve lines, and the one module they share."""
    blocks = (ENSEMBLE.format(number=number, next=(number + 1) % ensembles) for number in range(ensembles))
    head = "network: measured\ntags: {stock: what there is}\nensembles:\n"
    folder.joinpath("tools.py").write_text("def look_up(what: str) -> str:\n    return what\n")
    file = folder / "network.yaml"
    file.write_text(head + "".join(blocks))
    return file


def run_once(file: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of one process. Raises if it does not exit with 0."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "runner", "validate", "-f", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"validate failed with {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def measure(ensembles: int, runs: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        file = write_network(Path(folder), ensembles)
        figures = [run_once(file) for _ in range(runs)]
    return Measured(ensembles, statistics.median(f[0] for f in figures), max(f[1] for f in figures))


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    measured = {ensembles: measure(ensembles, runs) for ensembles in BOUNDS}
    print(f"{'ensembles':>10} {'median s':>9} {'bound s':>8} {'peak MB':>8}")
    for figure in measured.values():
        bound = BOUNDS[figure.ensembles]
        print(f"{figure.ensembles:>10,} {figure.seconds:>9.3f} {bound:>8.1f} {figure.megabytes:>8.0f}")
    start = measured[SMALL].seconds
    growth = (measured[LARGE].seconds - start) / (measured[MIDDLE].seconds - start)
    print(f"growth from {MIDDLE:,} to {LARGE:,} ensembles, start-up taken off: {growth:.1f} x")


if __name__ == "__main__":
    main()
