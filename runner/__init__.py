"""Ensemble Network: a declarative runner for networks of agent ensembles over NATS.

`connect` is the whole client library; `Context` and `Refused` are what user code in Python meets.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as `typing` has it, whose import takes longer than all that is here
if TYPE_CHECKING:
    from runner.client.connect import connect
    from runner.errors import Refused
    from runner.functions.context import Context

__version__ = "0.1.0"
__all__ = ["Context", "Refused", "__version__", "connect"]

_HOMES = {"connect": "runner.client.connect", "Context": "runner.functions.context", "Refused": "runner.errors"}


def __getattr__(name: str) -> object:
    """Public names load on first use, so that `run-network validate` never pays for NATS."""
    if name not in _HOMES:
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
