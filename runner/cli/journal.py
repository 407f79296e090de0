"""Where log records go: into the runner's log file, so that no traceback reaches a caller or a terminal."""

from __future__ import annotations

import logging
import sys

from runner.cli.presence import usable
from runner.workspace import Workspace

FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


def hush() -> None:
    """Keep log records off the terminal: without any handler Python would print warnings there."""
    logging.getLogger().addHandler(logging.NullHandler())


def speak() -> None:
    """Put log records on stderr too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    logging.getLogger().addHandler(handler)
    logging.getLogger("runner").setLevel(logging.DEBUG)


def keep(workspace: Workspace) -> None:
    """Append log records to `.run-network/runner.log`, from now until the process ends. Raises UsageProblem."""
    handler = logging.FileHandler(usable(workspace).log, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(FORMAT))
    logging.getLogger().addHandler(handler)
    if logging.getLogger("runner").level == logging.NOTSET:
        logging.getLogger("runner").setLevel(logging.INFO)
