"""Which files imports lead to; the loader of modules is the judge of what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import StartFailed
from runner.functions.loading import ModuleSpace
from runner.imports import imported_files
from runner.model import PythonTarget

FILES = {
    "plain": {"kitchen.py": "import helper", "helper.py": "import deeper", "deeper.py": "", "other.py": ""},
    "in a folder": {"e/kitchen.py": "import helper, json", "e/helper.py": "", "helper.py": "raise SystemExit"},
    "from a module": {"kitchen.py": "from helper import x", "helper.py": "x = 1"},
    "a submodule": {"kitchen.py": "import p.q", "p/__init__.py": "", "p/q.py": "import r", "r.py": "", "p/s.py": ""},
    "a module of a package": {"kitchen.py": "from p import q, x", "p/__init__.py": "x = 1", "p/q.py": "", "p/s.py": ""},
    "a star": {"kitchen.py": "from p import *", "p/__init__.py": "__all__ = ['q']", "p/q.py": "", "p/s.py": ""},
    "a star of the own package": {
        "kitchen.py": "import p",
        "p/__init__.py": "__all__ = ['q']\nfrom . import *",
        "p/q.py": "",
        "p/s.py": "",
    },
    "what the own package imported": {
        "p/kitchen.py": "from . import x, a",
        "p/__init__.py": "from .q import x\nfrom . import r",
        "p/q.py": "x = 1",
        "p/a.py": "",
        "p/r.py": "",
    },
    "a star of the package around": {
        "p/kitchen.py": "from . import *",
        "p/__init__.py": "__all__ = ['q']",
        "p/q.py": "",
        "p/s.py": "",
    },
    "modules beside, past the own package": {"p/kitchen.py": "from . import a", "p/__init__.py": "1 / 0", "p/a.py": ""},
    "what a package imports from itself": {
        "kitchen.py": "import p",
        "p/__init__.py": "x = 1\nfrom . import helper\nfrom . import helper as h, x",
        "p/helper.py": "from . import deeper",
        "p/deeper.py": "",
    },
    "relative": {"kitchen.py": "from . import a\nfrom .b import c", "a.py": "", "b.py": "c = 1"},
    "relative up": {
        "kitchen.py": "import p.q.r",
        "p/q/r.py": "from .. import s\nfrom ..t import u",
        "p/q/__init__.py": "",
    }
    | {"p/__init__.py": "", "p/s.py": "", "p/t.py": "u = 1"},
    "a cycle": {"kitchen.py": "import a", "a.py": "import b", "b.py": "import a, kitchen"},
    "conditional": {"kitchen.py": "try:\n import a\nexcept ImportError:\n a = None", "a.py": ""},
    "missing": {"kitchen.py": "try:\n import nowhere_at_all\nexcept ImportError:\n pass"},
    "a package hides a module": {"kitchen.py": "import a", "a/__init__.py": "", "a.py": "raise SystemExit"},
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_every_file_that_loading_reads_is_found_and_no_other(tmp_path: Path, files: dict[str, str]):
    target = next(path for path in files if path.endswith("kitchen.py"))
    loaded: set[str] = set()

    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(path)
        loaded.add(path)
        return files[path].encode()

    space = ModuleSpace(read, tmp_path, 1)
    with pytest.raises(StartFailed, match="does not exist"):
        space.load(PythonTarget(target, "nothing"))
    space.close()
    assert imported_files([target], contents(files)) == loaded


def test_imports_of_a_function_are_found_though_nothing_runs():
    files = {"kitchen.py": "def cook():\n import lazy\n from . import later", "lazy.py": "1 / 0", "later.py": ""}
    assert imported_files(["kitchen.py"], contents(files)) == {"kitchen.py", "lazy.py", "later.py"}


def test_nothing_outside_the_directory_is_looked_for():
    files = {"kitchen.py": "from ... import secrets", "../secrets.py": "", "../../secrets.py": ""}
    assert imported_files(["kitchen.py"], contents(files)) == {"kitchen.py"}


@pytest.mark.parametrize("broken", ["import (", "\0import x", "(" * 5000 + "import x"])
def test_a_module_that_does_not_parse_leads_nowhere(broken: str):
    assert imported_files(["kitchen.py"], contents({"kitchen.py": broken, "x.py": ""})) == {"kitchen.py"}


def contents(files: dict[str, str]):
    return lambda path: files[path].encode() if path in files else None
