"""User modules: loaded by path, imports scoped to the files beside them, one world for each generation."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.errors import StartFailed
from runner.functions.loading import ModuleSpace
from runner.model import PythonTarget
from runner.workspace import Workspace


class House:
    """A network directory and its module spaces."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spaces: list[ModuleSpace] = []

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.directory / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def space(self) -> ModuleSpace:
        workspace = Workspace.of(self.directory / "network.yaml")
        self.spaces.append(ModuleSpace(workspace.read, self.directory, len(self.spaces) + 1))
        return self.spaces[-1]

    def call(self, path: str, function: str = "f", *arguments: object) -> object:
        return self.space().load(PythonTarget(path, function))(*arguments)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    for space in house.spaces:
        space.close()
    assert not [name for name in sys.modules if name.startswith("_network_")]


def test_a_module_imports_the_files_beside_it_and_knows_where_it_stands(house: House) -> None:
    house.write(
        a__main="import helper\nfrom helper import VALUE\ndef f(): return helper.VALUE, VALUE, __file__",
        a__helper="VALUE = 7",
    )
    assert house.call("a/main.py") == (7, 7, str(house.directory / "a/main.py"))


@pytest.mark.parametrize(
    "statement",
    [
        "from . import helper",
        "from .helper import VALUE",
        "import pack.deep as helper",
        "from pack import deep as helper",
        "from pack.deep import VALUE",
        "from pack import *\nhelper = deep",
        "import pack.deep\nhelper = pack.deep",
        "from .pack.deep import VALUE",
        "from pack.sibling import VALUE",
        "from pack.upward import VALUE",
        "from pack.absolute import VALUE",
    ],
)
def test_packages_and_relative_imports_resolve_beside_the_module(house: House, statement: str) -> None:
    house.write(
        a__main=f"{statement}\ndef f(): return globals().get('VALUE') or helper.VALUE",
        a__helper="VALUE = 7",
        a__pack____init__="",
        a__pack__deep="VALUE = 7",
        a__pack__sibling="from .deep import VALUE",
        a__pack__upward="from ..helper import VALUE",
        a__pack__absolute="from helper import VALUE",
    )
    (house.directory / "a/pack").mkdir(parents=True, exist_ok=True)
    (house.directory / "a/pack/__init__.py").write_text("__all__ = ['deep']")
    assert house.call("a/main.py") == 7


def test_an_import_inside_a_function_is_scoped_too(house: House) -> None:
    house.write(main="def f():\n    import helper\n    return helper.VALUE", helper="VALUE = 7")
    assert house.call("main.py") == 7


def test_modules_of_the_same_name_in_two_folders_are_two_modules(house: House) -> None:
    for folder in "ab":
        house.write(
            **{f"{folder}__main": "from helper import V\ndef f(): return V", f"{folder}__helper": f"V = '{folder}'"}
        )
    assert (house.call("a/main.py"), house.call("b/main.py")) == ("a", "b")


def test_installed_modules_and_the_real_import_are_still_there(house: House) -> None:
    imports = "import json, os.path\nfrom runner import Refused\n"
    house.write(main=f"{imports}def f(): return json.dumps([Refused.code]), os.path.sep")
    assert house.call("main.py") == ('["REFUSED"]', "/")
    assert str(house.directory) not in sys.path


def test_each_generation_has_its_own_code_and_globals_lazy_imports_included(house: House) -> None:
    body = "    import helper\n    N.append(1)\n    return helper.V, len(N)"
    house.write(main=f"N = []\ndef f():\n{body}", helper="V = 'old'")
    target = PythonTarget("main.py", "f")
    old = house.space().load(target)
    assert old() == ("old", 1)
    house.write(helper="V = 'new'")
    new = house.space().load(target)
    assert (new(), old(), new()) == (("new", 1), ("old", 2), ("new", 2))


def test_nothing_is_left_in_a_bytecode_cache(house: House) -> None:
    house.write(main="import helper\ndef f(): return 1", helper="")
    house.call("main.py")
    assert sorted(path.name for path in house.directory.rglob("*")) == ["helper.py", "main.py"]


def test_dataclasses_and_pickle_find_the_module(house: House) -> None:
    imports = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    house.write(main=f"{imports}@dataclass\nclass Dish:\n    name: str\ndef f(): return Dish('omelette')")
    dish = house.call("main.py")
    assert dataclasses.asdict(pickle.loads(pickle.dumps(dish))) == {"name": "omelette"}


def test_modules_that_import_each_other_load(house: House) -> None:
    house.write(a="import b\ndef f(): return b.g()", b="import a\ndef g(): return a.f.__name__")
    assert house.call("a.py") == "f"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nimport nosuchmodule", "main.py:2: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("from . import nothing", "main.py:1: ImportError: cannot import name 'nothing' from '.' (unknown location)"),
        ("from .nothing import x", "main.py:1: ModuleNotFoundError: there is no module `nothing` in ./"),
        ("from ..outside import x", "main.py:1: ModuleNotFoundError: there is no module `outside` in ../"),
        ("def f(:", "main.py:1: SyntaxError: invalid syntax"),
        ("\n\nraise ValueError('the oven is cold')", "main.py:3: ValueError: the oven is cold"),
        ("import sys\nsys.exit(3)", "main.py:2: SystemExit: 3"),
        ("import broken", "broken.py:2: ZeroDivisionError: division by zero"),
        ("open('/nonexistent')", "main.py:1: FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent'"),
        ("g = 1", "main.py: `f` does not exist"),
        ("f = 1", "main.py: `f` is no function"),
    ],
)
def test_what_does_not_load_says_where_and_shows_no_traceback(house: House, source: str, message: str) -> None:
    house.write(main=source, broken="\n1 / 0")
    with pytest.raises(StartFailed) as caught:
        house.call("main.py")
    assert caught.value.message == message


def test_a_missing_module_is_named(house: House) -> None:
    with pytest.raises(StartFailed, match=r"nosuch\.py: there is no such module"):
        house.call("nosuch.py")


def test_a_missing_import_can_be_caught_by_the_module_itself(house: House) -> None:
    attempt = "try:\n    import nosuchmodule as found\nexcept ImportError:\n    found = None\n"
    house.write(main=f"{attempt}def f(): return found")
    assert house.call("main.py") is None


LATE = "import helper\ndef f():\n    import late\n    return late.VALUE"


@pytest.mark.parametrize(
    ("saved", "same"),
    [
        ({}, True),
        ({"other.py": "VALUE = 2"}, True),
        ({"helper.py": "# edited"}, False),
        ({"late.py": "VALUE = 2"}, False),
        ({"deeper.py": "VALUE = 2"}, False),
        ({"late.py": None}, False),
        ({"late/__init__.py": "VALUE = 2"}, False),
    ],
)
def test_code_is_the_same_while_no_file_is_different_that_it_came_to_or_may_come_to(
    tmp_path: Path, saved: dict[str, str | None], same: bool
) -> None:
    """A function that imports when it runs gets what was there when its module was loaded."""
    before = {"main.py": LATE, "helper.py": "", "late.py": "from deeper import VALUE", "deeper.py": "VALUE = 1"}
    space = ModuleSpace(of(before), tmp_path, 1)
    target = PythonTarget("main.py", "f")
    function = space.load(target)
    assert space.is_as([target], of({**before, **saved})) is same
    assert function() == 1
    assert space.is_as([target], of({**before, **saved})) is same
    space.close()


def of(files: dict[str, str | None]) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        if (text := files.get(path)) is None:
            raise FileNotFoundError(path)
        return text.encode()

    return read
