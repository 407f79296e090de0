"""The names that a Python module binds at its top level, from its text alone."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.same import InUse


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a module does not parse."""

    reason: str
    line: int | None = None


@InUse
def bound_names(source: bytes) -> frozenset[str] | Broken:
    """What a module with this source has as attributes once imported; branches and tries count as taken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(source)
    except SyntaxError as error:
        return Broken(error.msg, error.lineno)
    except ValueError as error:
        return Broken(str(error))
    except (RecursionError, MemoryError):
        return Broken("it is nested too deeply")
    return frozenset(_bound(module.body))


def _bound(statements: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in aliases)
            case ast.Assign(targets=targets):
                yield from (name for target in targets for name in _targets(target))
            case ast.AnnAssign(target=target, value=value) if value is not None:
                yield from _targets(target)
            case ast.If() | ast.Try() | ast.TryStar() | ast.With() | ast.For() | ast.While():
                yield from _bound(_inner(statement))


def _inner(statement: ast.stmt) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler):
            yield from child.body


def _targets(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            yield from (name for element in elements for name in _targets(element))
        case ast.Starred(value=value):
            yield from _targets(value)
