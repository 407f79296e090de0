"""What belongs to a network that was read: the files, for other runners and for the history."""

from __future__ import annotations

from collections.abc import Iterator

from runner.bundle import Bundled
from runner.config.imports import imported_files
from runner.config.reading import Reading
from runner.model import Ensemble, PythonStep, PythonTarget


def bundled(reading: Reading) -> Bundled:
    """Every file that was read, and every module that a named one may import from beside it.

    Contents are those that were read, so that the bundle is the network's own, whatever happened to the files since.
    """
    touched = reading.library.contents()
    modules = imported_files((path for path in touched if path.endswith(".py")), reading.content)
    found = reading.library.contents()
    return Bundled.of(reading.file, {path: found[path] for path in sorted(touched.keys() | modules)})


def changed(before: Reading, after: Reading) -> tuple[str, ...]:
    """The ensembles that are new, gone or different: in what their files say, or in the code that they name.

    Nobody's where either has errors.
    """
    if before.network is None or after.network is None:
        return ()
    earlier, later = before.network.ensembles, after.network.ensembles
    return tuple(
        name
        for name in sorted(earlier.keys() | later.keys())
        if earlier.get(name) != later.get(name) or _code(before, earlier[name]) != _code(after, later[name])
    )


def _code(reading: Reading, ensemble: Ensemble) -> dict[str, bytes]:
    """The modules that an ensemble may load."""
    modules = imported_files({target.path for target in targets(ensemble)}, reading.content)
    return {path: data for path in modules if (data := reading.content(path)) is not None}


def targets(ensemble: Ensemble) -> Iterator[PythonTarget]:
    """The functions that an ensemble names."""
    yield from (tool.python for tool in ensemble.tools.values())
    for task in ensemble.tasks.values():
        yield from (step.python for step in task.steps if isinstance(step, PythonStep))
