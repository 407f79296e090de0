"""Which files a module's imports lead to, from its text alone: nothing of it is executed.

The counterpart of `runner.functions.loading`, which resolves the same imports when modules run: a file beside the
module that a `python:` entry names goes before anything installed. Imports anywhere in a module count, also within
functions and conditions, so that the answer has every file that loading may ask for. What code imports under a name
that it computes is not found.
"""

from __future__ import annotations

import ast
import posixpath
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from runner.same import InUse

Exists = Callable[[str], bytes | None]
"""The content of a file by its path from the top, or None."""


@dataclass(frozen=True, slots=True)
class Import:
    """`from <level dots><module> import <names>`; an `import a.b` has no level and no names."""

    level: int
    module: str
    names: tuple[str, ...]


def imported_files(modules: Iterable[str], read: Exists) -> frozenset[str]:
    """What `Imports(read).files` tells, for once."""
    return Imports(read).files(modules)


class Imports:
    """The imports of one set of files, which does not change; each module and each name is looked at once."""

    def __init__(self, read: Exists) -> None:
        self._read = read
        self._named: dict[tuple[str, str], str | None] = {}
        self._next: dict[tuple[str, str], tuple[str, ...]] = {}

    def files(self, modules: Iterable[str]) -> frozenset[str]:
        """Every file that importing these modules may load, themselves included. Cycles end; what is missing is left
        out.

        Each module's absolute imports look in its own folder first, and so do those of what it imports.
        """
        waiting = [(path, posixpath.dirname(path)) for path in modules if self._read(path) is not None]
        seen: set[tuple[str, str]] = set()
        while waiting:
            path, root = waiting.pop()
            if (path, root) not in seen:
                seen.add((path, root))
                waiting += [(found, root) for found in self._imported(path, root)]
        return frozenset(path for path, _ in seen)

    def _imported(self, path: str, root: str) -> tuple[str, ...]:
        """What one module imports; `root` is where its absolute imports look."""
        if (path, root) not in self._next:
            source, package = self._read(path) or b"", posixpath.dirname(path)
            found = (file for wanted in imports_in(source) for file in self._files(wanted, package, root))
            self._next[path, root] = tuple(dict.fromkeys(found))
        return self._next[path, root]

    def _files(self, wanted: Import, package: str, root: str) -> Iterator[str]:
        base = posixpath.normpath(posixpath.join(package, *[".."] * (wanted.level - 1))) if wanted.level else root
        found: str | None = None
        for part in wanted.module.split(".") if wanted.module else ():
            found = self._beside(base, part)
            if found is None:
                return
            yield found
            base = posixpath.join(base, part)
        if found is not None and posixpath.basename(found) != "__init__.py":
            return
        package = found or posixpath.normpath(posixpath.join(base, "__init__.py"))
        for name in self._children(wanted.names, package):
            if child := self._beside(base, name):
                yield child
            elif found is None and self._is_there(package):
                yield package
        if found is None and "*" in wanted.names and self._is_there(package):
            yield package

    def _children(self, names: tuple[str, ...], package: str) -> Iterable[str]:
        """The names that may be modules of a package; a star stands for what the package says it exports."""
        if "*" not in names:
            return names
        source = self._read(package)
        return exports_in(source) if source is not None else ()

    def _is_there(self, path: str) -> bool:
        return not path.startswith("../") and self._read(path) is not None

    def _beside(self, directory: str, name: str) -> str | None:
        """The package or module of that name in a directory. A package hides a module."""
        if (directory, name) not in self._named:
            paths = (
                posixpath.normpath(posixpath.join(directory, path)) for path in (f"{name}/__init__.py", f"{name}.py")
            )
            found = (path for path in paths if not path.startswith("../") and self._read(path) is not None)
            self._named[directory, name] = next(found, None)
        return self._named[directory, name]


@InUse
def imports_in(source: bytes) -> tuple[Import, ...]:
    """Every import of a module, in order. A module that does not parse has none."""
    if b"import" not in source:
        return ()
    return tuple(_found(_parsed(source)))


@InUse
def exports_in(source: bytes) -> tuple[str, ...]:
    """The strings that a module assigns to `__all__`."""
    return tuple(
        item.value
        for node in ast.walk(_parsed(source))
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and _is_all(node)
        for item in ast.walk(node)
        if isinstance(item, ast.Constant) and isinstance(item.value, str)
    )


def forget_unused() -> None:
    """To be called by whoever has followed every import of a configuration: let go of what was edited away."""
    imports_in.turn()
    exports_in.turn()


def _found(module: ast.Module) -> Iterator[Import]:
    for node in ast.walk(module):
        match node:
            case ast.Import(names):
                yield from (Import(0, alias.name, ()) for alias in names)
            case ast.ImportFrom(name, names, level):
                yield Import(level, name or "", tuple(alias.name for alias in names))


def _is_all(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def _parsed(source: bytes) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # loading the module tells
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])
