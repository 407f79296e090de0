"""Whether all runners are ready for what one of them proposes. Pure: what they said, who lives, how long it took."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from runner.host.loading import LOAD_SECONDS

BOUND_SECONDS = LOAD_SECONDS + 10.0
"""After so long without a word from a runner that lives, a proposal is given up."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """For these, in order."""

    runners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """Nobody is waited for."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not, by runner, in order."""

    reasons: tuple[tuple[str, str], ...]


Verdict = Waiting | Ready | Refused


def verdict(asked: Set[str], said: Mapping[str, str | None], *, alive: Set[str], seconds: float) -> Verdict:
    """What follows from the answers so far: None for a runner that is ready, else why it is not.

    One refusal is enough. Whoever dies is not waited for: it comes back to what is in force then.
    """
    refused = tuple((runner, why) for runner, why in sorted(said.items()) if why is not None and runner in alive)
    if refused:
        return Refused(refused)
    missing = tuple(sorted(runner for runner in asked if runner in alive and runner not in said))
    if not missing:
        return Ready()
    if seconds >= BOUND_SECONDS:
        return Refused(tuple((runner, f"not ready after {BOUND_SECONDS:g} s") for runner in missing))
    return Waiting(missing)
