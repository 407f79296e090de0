"""How it is found out whether an ensemble can work, as its file says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import JsonValue

if TYPE_CHECKING:  # the resolved network holds what is here
    from runner.model import PythonTarget


@dataclass(frozen=True, slots=True)
class Health:
    """How it is found out whether the ensemble can work: by one of `python`, `http` and `tool`."""

    python: PythonTarget | None = None
    http: str | None = None
    tool: str | None = None
    input: JsonValue = None
    """What the tool or the function is given."""
    interval: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(seconds=2)
    failures: int = 3
    """So many in a row make it DEGRADED."""

    @property
    def kind(self) -> str:
        return "python" if self.python else "http" if self.http else "tool"
