"""Who somebody is, for the history of a network."""

from __future__ import annotations

import getpass
import os
import socket


def who() -> str:
    """This process, as the history names it: `user@host (pid N)`."""
    return f"{person()} (pid {os.getpid()})"


def person() -> str:
    """Whose process this is, and where: `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no entry for it, as in some containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
