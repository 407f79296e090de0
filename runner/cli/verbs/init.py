"""`run-network init`: a small network to start from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, IdleFile, Verbose
from runner.errors import UsageProblem
from runner.subjects import is_name


def run(
    directory: Annotated[str, typer.Argument(metavar="DIR", help="Where to write it; made if it is not there.")],
    file: IdleFile = DEFAULT_FILE,
    verbose: Verbose = False,
) -> int:
    """Write a small network that runs: two ensembles with a Python tool each, and a task that delegates.

    Overwrites nothing: where one of its files is there already, it writes none.
    """
    target = Path(directory)
    files = {target / path: text for path, text in starter(network_name(target))}
    taken = sorted(str(path) for path in files if path.exists() or path.is_symlink())
    if taken:
        raise UsageProblem(f"{taken[0]} is there already", hint="choose another directory; `init` overwrites nothing")
    for path, text in files.items():
        _write(path, text)
        output.talk(f"wrote {path}")
    output.talk(f'\nNow:\n  cd {shlex.quote(directory)}\n  run-network call shop/order "2 lamps"')
    return 0


def starter(name: str) -> Iterator[tuple[str, str]]:
    """Every file of the starter as its path and text, the network called `name`."""
    for path, file in sorted(_walk(resources.files("runner.cli") / "starter", "")):
        text = file.read_text(encoding="utf-8")
        yield path, text.replace("network: my-network", f"network: {name}") if path == "network.yaml" else text


def network_name(directory: Path) -> str:
    """The directory's name as a network name, or `my-network` where it is none."""
    name = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-")
    return name if is_name(name) else "my-network"


def _walk(directory: Traversable, way: str) -> Iterator[tuple[str, Traversable]]:
    for entry in directory.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _walk(entry, f"{way}{entry.name}/")
        elif entry.name.endswith((".yaml", ".py")):
            yield way + entry.name, entry


def _write(path: Path, text: str) -> None:
    """Raises UsageProblem where the place cannot be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageProblem(f"cannot write {path}: {error.strerror}") from None
