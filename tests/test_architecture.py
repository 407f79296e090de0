"""The house rules of `.importlinter` hold, each library is imported in one place, and heavy ones only when needed."""

from __future__ import annotations

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
