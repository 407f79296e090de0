"""Which network a command line points at, so that the commands we suggest point there too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.cli.options import DEFAULT_FILE

_FILE = ("-f", "--file")
_TALKING = frozenset({"up", "down", "call", "result", "cancel", "requests", "status", "catalog", "trace", "logs"})
_TALKING |= {"plan", "apply", "rollback", "history", "diff", "drain", "retry", "why"}
_READING = frozenset({"validate", "graph", "lock"})
_COMMAND = re.compile(rf"`run-network ({'|'.join(sorted(_TALKING | _READING))})\b")


@dataclass(frozen=True, slots=True)
class Place:
    file: str = DEFAULT_FILE
    nats: str | None = None

    def pointed(self, text: str) -> str:
        """The text, with `-f` and `--nats` after each verb of ours that it suggests, where they were given."""
        return _COMMAND.sub(lambda found: found.group() + self._options(found.group(1)), text)

    def _options(self, verb: str) -> str:
        file = f" -f {shlex.quote(self.file)}" if self.file != DEFAULT_FILE else ""
        return file + (f" --nats {shlex.quote(self.nats)}" if self.nats and verb in _TALKING else "")


def typed(arguments: Sequence[str]) -> Place:
    """The place in the words as typed, whatever verb they are of: needed even when parsing them failed."""
    file, nats = DEFAULT_FILE, None
    for word, following in pairwise([*arguments, ""]):
        option, equals, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        given = value if equals else following if not following.startswith("-") else ""
        if option in _FILE and given:
            file = given
        elif option == "--nats" and given:
            nats = given
    return Place(file, nats)
