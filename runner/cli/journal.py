"""The runner's log file: where tracebacks go, so that none reaches a caller or a terminal."""

from __future__ import annotations

import logging

from runner.workspace import Workspace

FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


def keep(workspace: Workspace) -> None:
    """Append the `runner` logger to `.run-network/runner.log`, from now until the process ends."""
    workspace.state.mkdir(mode=0o700, exist_ok=True)
    handler = logging.FileHandler(workspace.state / "runner.log", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(FORMAT))
    logger = logging.getLogger("runner")
    logger.addHandler(handler)
    logger.propagate = False  # or the root logger's last resort would print warnings on the terminal
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
