"""`validate --import`: execute the Python modules that the network names, as warming up does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from runner.cli import output
from runner.cli.interrupts import Interrupts
from runner.cli.load import Loaded
from runner.config.codes import Rule
from runner.diagnostics import Diagnostic, Span
from runner.errors import EnsembleNetworkError
from runner.functions.calling import prepare
from runner.functions.loading import ModuleSpace
from runner.model import Network, PythonStep, PythonTarget
from runner.workspace import Workspace


def import_modules(workspace: Workspace, loaded: Loaded) -> Loaded:
    """What reading gave, with a diagnostic for every function that cannot be had; any makes it invalid."""
    if loaded.network is None:
        return loaded
    output.reserve()
    Interrupts().take()
    space = ModuleSpace(workspace.read, workspace.directory, generation=0)
    with ThreadPoolExecutor(max_workers=1) as executor:
        found = tuple(filter(None, (_tried(space, target, executor) for target in _targets(loaded.network))))
    space.close()
    if not found:
        return loaded
    return replace(loaded, network=None, diagnostics=(*loaded.diagnostics, *found))


def _targets(network: Network) -> Iterator[PythonTarget]:
    """Every function that the network names, once, in order of ensemble."""
    named = dict.fromkeys(
        target
        for _, ensemble in sorted(network.ensembles.items())
        for target in (
            *(tool.python for tool in ensemble.tools.values()),
            *(step.python for task in ensemble.tasks.values() for step in task.steps if isinstance(step, PythonStep)),
        )
    )
    yield from named


def _tried(space: ModuleSpace, target: PythonTarget, executor: ThreadPoolExecutor) -> Diagnostic | None:
    try:
        prepare(space.load(target), executor, str(target))
    except EnsembleNetworkError as error:
        start = Span(target.path, 1, 1, 1, 1)
        return Diagnostic(Rule.INVALID_PYTHON, error.message, start, hint=error.hint)
    return None
