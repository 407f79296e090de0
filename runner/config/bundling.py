"""What belongs to a network that was read: the files, for other runners and for the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.bundle import Bundled
from runner.config.reading import Reading
from runner.imports import Imports, forget_unused, imported_files
from runner.model import Ensemble, Network, PythonStep, PythonTarget
from runner.same import found_once


def bundled(reading: Reading) -> Bundled:
    """Every file that was read, and every module that a named one may import from beside it.

    Contents are those that were read, so that the bundle is the network's own, whatever happened to the files since.
    """
    touched = reading.library.contents()
    modules = imported_files((path for path in touched if path.endswith(".py")), reading.content)
    forget_unused()
    found = reading.library.contents()
    return Bundled.of(reading.file, {path: found[path] for path in sorted(touched.keys() | modules)})


def changed(before: Network, earlier: Bundled, after: Network, later: Bundled) -> tuple[str, ...]:
    """The ensembles that are new, gone or different: in what their files say, or in the code that they name.

    `earlier` and `later` are the files of the networks before and after.
    """
    ours, theirs = before.ensembles, after.ensembles
    was, now = modules_of(before, earlier), modules_of(after, later)
    return tuple(
        name
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name) or was[name] != now[name]
    )


@found_once
def modules_of(network: Network, files: Bundled) -> Mapping[str, Mapping[str, str]]:
    """Of each ensemble, the modules that it may load, each with the hash of its content."""
    imports, hashes = Imports(files.content), files.bundle.files
    return {
        name: {path: hashes[path] for path in sorted(imports.files({target.path for target in targets(ensemble)}))}
        for name, ensemble in network.ensembles.items()
    }


def targets(ensemble: Ensemble) -> Iterator[PythonTarget]:
    """The functions that an ensemble names."""
    yield from (tool.python for tool in ensemble.tools.values())
    if ensemble.health is not None and ensemble.health.python is not None:
        yield ensemble.health.python
    for task in ensemble.tasks.values():
        yield from (step.python for step in task.steps if isinstance(step, PythonStep))
