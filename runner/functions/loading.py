"""User modules, loaded by file path into a namespace of their own, one for each generation of the configuration.

`sys.path` is never touched and no bytecode is kept. `import helper`, `from . import helper` and packages resolve to the
files beside the module that a `python:` entry names, before anything installed; so do the imports that a function makes
when it runs. They do so because every module gets its own `__builtins__` with a scoped `__import__`; code that calls
`importlib.import_module` itself goes past it. Modules stand in `sys.modules` under a mangled name, which is what
dataclasses, pickle and type hints look for.
"""

from __future__ import annotations

import builtins
import itertools
import posixpath
import re
import sys
import threading
import traceback
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from runner.errors import StartFailed
from runner.functions.raised import in_full
from runner.imports import imported_files
from runner.model import PythonTarget
from runner.workspace import OutsideDirectory

CLOSE_SECONDS = 1.0
"""How long it is waited for a module that is being loaded, before its like are forgotten."""

_SERIAL = itertools.count(1)
_PREFIX = "_network_"
"""Of the names of users' modules in `sys.modules`, where they are beside all others."""

_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def _digest(path: str, read: Callable[[str], bytes]) -> bytes | None:
    try:
        return sha256(read(path)).digest()
    except _MISSING:
        return None


def is_of_user(scope: Mapping[str, object]) -> bool:
    """Whether these are the globals of a module that a ModuleSpace has loaded."""
    return str(scope.get("__name__", "")).startswith(_PREFIX)


class ModuleSpace:
    """The modules of one generation. `read` gives the bytes of a path relative to `directory`, or raises OSError."""

    def __init__(self, read: Callable[[str], bytes], directory: Path, generation: int) -> None:
        self.read = read
        self.directory = directory
        self._prefix = f"{_PREFIX}{next(_SERIAL)}_generation_{generation}"
        self._modules: dict[str, ModuleType] = {}
        self._digests: dict[str, bytes | None] = {}
        self._looked: dict[str, set[str]] = defaultdict(set)
        self._users = 0
        self._counting = threading.RLock()  # not the other one: whoever leaves must not wait for an import
        self._lock = threading.RLock()

    def keep_for(self, user: object) -> None:
        """The modules stay as they are for as long as this user, or another one, is there; then they are forgotten."""
        with self._counting:
            self._users += 1
        weakref.finalize(user, self._left).atexit = False

    def is_as(self, targets: Iterable[PythonTarget], read: Callable[[str], bytes]) -> bool:
        """Whether `read` gives for every file that these functions came to, or may come to, what it is here.

        So it is False where one of them was not loaded here. Imports within functions count before they are made: made
        later, they are from here.
        """
        modules = {target.path for target in targets}
        with self._lock:
            paths = self._reached(modules)
            if not all(path in self._digests and self._digests[path] == _digest(path, read) for path in paths):
                return False
            ahead = imported_files(modules, self._content_of(self.read)) | imported_files(
                modules, self._content_of(read)
            )
            return all(_digest(path, self.read) == _digest(path, read) for path in ahead - paths)

    def _content_of(self, read: Callable[[str], bytes]) -> Callable[[str], bytes | None]:
        """The same as contents; what was looked for and is missing, here and there, is not looked for again."""

        def content(path: str) -> bytes | None:
            try:
                return read(path) if self._digests.get(path, b"") is not None else None
            except (*_MISSING, OutsideDirectory):
                return None

        return content

    def load(self, target: PythonTarget) -> Callable[..., Any]:
        """The function that a `python:` entry names. Raises StartFailed, with file and line, where it cannot be had."""
        root = posixpath.dirname(target.path)
        try:
            module = self._module(target.path, root)
        except KeyboardInterrupt:
            raise  # a module that takes too long to load is interrupted
        except BaseException as error:
            raise StartFailed(f"{self._place(error, target.path)}: {in_full(error)}") from error
        if module is None:
            raise StartFailed(f"{target.path}: there is no such module")
        function = getattr(module, target.function, None)
        if not callable(function):
            wrong = "is no function" if hasattr(module, target.function) else "does not exist"
            raise StartFailed(f"{target.path}: `{target.function}` {wrong}")
        return function  # type: ignore[no-any-return]

    def close(self) -> None:
        """Forget the modules. Functions that are still held go on working.

        Where one of them is still being loaded, and does not come to an end, they stay.
        """
        if not self._lock.acquire(timeout=CLOSE_SECONDS):
            return
        try:
            for module in self._modules.values():
                sys.modules.pop(module.__name__, None)
            self._modules.clear()
        finally:
            self._lock.release()

    def _module(self, path: str, root: str) -> ModuleType | None:
        """The module of a file, executed once; None without the file. `root` is where its absolute imports look."""
        with self._lock:
            if path in self._modules:
                return self._modules[path]
            try:
                source = self.read(path)
            except _MISSING:
                self._digests[path] = None
                return None
            self._digests[path] = sha256(source).digest()
            module = self._empty_module(path, root)
            self._modules[path] = module
            sys.modules[module.__name__] = module
            try:
                exec(compile(source, str(module.__file__), "exec", dont_inherit=True), module.__dict__)
            except BaseException:
                del self._modules[path]
                sys.modules.pop(module.__name__, None)
                raise
            return module

    def _empty_module(self, path: str, root: str) -> ModuleType:
        name = re.sub(r"\W", "_", path.removesuffix(".py"))
        module = ModuleType(f"{self._prefix}_{len(self._modules)}_{name}")
        module.__file__ = str(self.directory / path)
        if posixpath.basename(path) == "__init__.py":
            module.__path__ = [str(self.directory / posixpath.dirname(path))]
        scoped = self._scoped_import(path, root)
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": scoped}
        return module

    def _scoped_import(self, path: str, root: str) -> Callable[..., ModuleType]:
        package, looked = posixpath.dirname(path), self._looked[path]

        def scoped(
            name: str,
            globals: Mapping[str, object] | None = None,
            locals: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            base = posixpath.normpath(posixpath.join(package, *[".."] * (level - 1))) if level else root
            if level and not name:
                return self._from_directory(base, root, fromlist or (), looked)
            first, *rest = name.split(".")
            top = self._beside(base, first, root, looked)
            if top is None and level:
                raise ModuleNotFoundError(f"there is no module `{name}` in {base or '.'}/", name=name)
            if top is None:
                return builtins.__import__(name, globals, locals, fromlist or (), 0)
            return self._descend(top, posixpath.join(base, first), rest, root, fromlist or (), looked)

        return scoped

    def _descend(
        self,
        top: ModuleType,
        directory: str,
        rest: list[str],
        root: str,
        fromlist: Sequence[str],
        looked: set[str],
    ) -> ModuleType:
        """What `import a.b` (the first part) or `from a.b import c` (the last part) binds."""
        module = top
        for part in rest:
            child = self._beside(directory, part, root, looked)
            if child is None:
                raise ModuleNotFoundError(f"there is no module `{part}` in {directory}/", name=part)
            setattr(module, part, child)
            module, directory = child, posixpath.join(directory, part)
        if not fromlist:
            return top
        if hasattr(module, "__path__"):
            self._bind_children(module, directory, root, fromlist, looked)
        return module

    def _bind_children(
        self, module: ModuleType, directory: str, root: str, names: Sequence[str], looked: set[str]
    ) -> None:
        wanted = getattr(module, "__all__", ()) if "*" in names else names
        for name in wanted:
            if not hasattr(module, name) and (child := self._beside(directory, name, root, looked)):
                setattr(module, name, child)

    def _from_directory(self, directory: str, root: str, names: Sequence[str], looked: set[str]) -> ModuleType:
        """`from . import a, b`: the modules beside, and what the package's own module has, where there is one. That is
        loaded for what is no module, or where it was loaded before."""
        path = posixpath.normpath(posixpath.join(directory, "__init__.py"))
        package = self._modules.get(path, ModuleType(directory or "."))
        self._bind_children(package, directory, root, names, looked)
        if not all(hasattr(package, name) for name in names) and not path.startswith("../"):
            looked.add(path)
            package = self._module(path, root) or package
            self._bind_children(package, directory, root, names, looked)
        return package

    def _beside(self, directory: str, name: str, root: str, looked: set[str]) -> ModuleType | None:
        """The package or module of that name in a directory, or None. `looked` gathers what the importer depends on."""
        for path in (f"{name}/__init__.py", f"{name}.py"):
            full = posixpath.normpath(posixpath.join(directory, path))
            if full.startswith("../"):
                return None
            looked.add(full)
            if module := self._module(full, root):
                return module
        return None

    def _reached(self, paths: Iterable[str]) -> set[str]:
        """These files and all that their imports have looked at."""
        reached: set[str] = set()
        ahead = set(paths)
        while ahead:
            reached |= ahead
            ahead = {found for path in ahead for found in tuple(self._looked.get(path, ()))} - reached
        return reached

    def _left(self) -> None:
        """A user is gone."""
        with self._counting:
            self._users -= 1
            last = self._users == 0
        if last:
            self.close()

    def _place(self, error: BaseException, path: str) -> str:
        """`file:line` of the innermost line in the user's files that the error came through."""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{self._shown(error.filename) or path}:{error.lineno or 1}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if shown := self._shown(frame.filename):
                return f"{shown}:{frame.lineno}"
        return path

    def _shown(self, filename: str) -> str | None:
        try:
            return Path(filename).relative_to(self.directory).as_posix()
        except ValueError:
            return None
