"""The house rules of `.importlinter` hold, each library is imported in one place, and heavy ones only when needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]

HOMES = {
    "nats": {"runner.bus"},
    "nkeys": {"runner.bus"},
    "rich": {"runner.cli"},
    "typer": {"runner.cli"},
    "yaml": {"runner.config"},
    "jinja2": {"runner.sandbox"},
}
"""The one package (or module) that may import each library."""

CANCELLING = {
    "runner/endings.py": "the one place where a task is ended",
    "runner/bus/caller.py": "a timer",
    "runner/bus/connection.py": "a timer",
    "runner/bus/vigil.py": "a timer",
    "runner/bus/known.py": "a reading that another one follows; `close` ends them all",
    "runner/cli/session.py": "what is left at the very end of a program, waited for within a bound",
    "runner/cli/verbs/up.py": "a start that is given up, which whoever waits for it learns from `stop` too",
    "runner/functions/context.py": "what a thread waits for",
    "runner/functions/threads.py": "work that no thread has begun",
    "runner/host/acceptance.py": "a timer",
    "runner/host/claim.py": "a timer",
    "runner/host/health.py": "a probe that is late; the next waits for its end, and `close` ends it",
    "runner/host/heartbeat.py": "a timer",
    "runner/host/in_hand.py": "a user's work, which its crew waits for",
    "runner/host/process/grip.py": "a look-up that is done, or that nobody needs any more and one answer bounds",
    "runner/host/process/line.py": "a timer",
    "runner/host/task_queue.py": "a user's work, which its crew waits for",
    "runner/host/tool_calls.py": "a user's work, which its crew waits for",
}
"""What is cancelled without `runner.endings.ended`, by module."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("runner", include_external_packages=True, cache_dir=None)


def test_the_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    linted = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_imported_at_home_only(graph: grimp.ImportGraph, library: str) -> None:
    importers = graph.find_modules_that_directly_import(library)
    strangers = {
        name for name in importers if not any(name == home or name.startswith(f"{home}.") for home in HOMES[library])
    }
    assert importers, f"nothing imports {library} any more: remove it here and from the dependencies"
    assert not strangers


def test_importing_the_package_imports_neither_nats_nor_pydantic() -> None:
    code = "import sys, runner; print(*sorted({'nats', 'pydantic', 'asyncio', 'typer'} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []


def test_no_module_is_longer_than_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / "runner").rglob("*.py"))
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 400
    }
    assert long == {}


def test_a_task_is_ended_in_one_way_only() -> None:
    """Who cancels it once and waits, waits for ever where the cancellation is lost: `runner.endings` says how."""
    found = {str(path.relative_to(ROOT)) for path in sorted((ROOT / "runner").rglob("*.py")) if _cancels(path)}
    assert found == CANCELLING.keys()


def _cancels(path: Path) -> bool:
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Attribute) and call.func.attr == "cancel" and not call.args for call in calls)
