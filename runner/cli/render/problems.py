"""How a failure reads: in words, and as the document of `--json`."""

from __future__ import annotations

from pydantic import JsonValue

from runner.cli.render import diagnostics
from runner.cli.render.style import paint, visible, visible_lines
from runner.errors import EnsembleNetworkError, InvalidNetwork
from runner.work import WorkError


def human(error: EnsembleNetworkError, *, colour: bool) -> str:
    """What, where and a hint. A file's problems stand in full above it."""
    told = in_words(error.code, error.message, _hint(error), colour=colour)
    if isinstance(error, InvalidNetwork):
        return f"{diagnostics.human(error.diagnostics, error.sources, colour=colour)}\n\n{told}"
    return told


def failure(error: WorkError, *, colour: bool) -> str:
    """The error of a response, in the same words as any other."""
    return in_words(error.code, error.message, error.hint, colour=colour)


def in_words(code: str, message: str, hint: str | None, *, colour: bool) -> str:
    """Message and hint may come from the network: nothing in them moves a terminal."""
    told = f"{paint(f'error[{visible(code)}]', 'red', 'bold', colour=colour)}: {visible_lines(message)}"
    return told + (f"\n{paint('hint', 'cyan', colour=colour)}: {visible_lines(hint)}" if hint else "")


def as_json(error: EnsembleNetworkError) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"code": error.code, "message": error.message, "hint": _hint(error)}
    if isinstance(error, InvalidNetwork):
        return {"error": told, "diagnostics": diagnostics.as_json(error.diagnostics)}
    return {"error": told}


def _hint(error: EnsembleNetworkError) -> str | None:
    """None for a file's problems: they stand beside it, and need not be asked for."""
    return None if isinstance(error, InvalidNetwork) else error.hint
