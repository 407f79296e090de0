"""The record of what a network runs: which bundle, as which generation, applied by whom and when."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime

from runner.bundle import Bundle
from runner.work import Wire


class Applied(Wire):
    """One generation. Generations count from 1; the same bundle applied again after another is a new one."""

    generation: int
    bundle: Bundle
    by: str
    """Who applied it: a runner as `user@host (pid N)`, a client as `user@host` or `client of user@host`."""
    at: AwareDatetime
    changed: tuple[str, ...] = ()
    """The ensembles that are new, gone or different from the generation before."""
    environment: str = ""
    """A digest of what the references of its files stood for, salted with `salt`."""
    salt: str = ""
    restores: int | None = None
    """The generation whose files these are again, where it was rolled back to."""

    def is_same(self, bundle: Bundle, environment: str) -> bool:
        """Whether applying this bundle, with references that digest so, changes nothing."""
        return self.bundle.hash == bundle.hash and self.environment == environment


class Proposal(Wire):
    """Somebody is about to apply a bundle: one at a time, as long as its runner lives and until `until`."""

    id: str
    runner: str
    applied: Applied
    until: AwareDatetime

    def is_void(self, *, alive: bool, now: datetime) -> bool:
        """Whether nothing comes of it any more. What counts is the record in force: this only spares a race."""
        return not alive or now > self.until


class Readiness(Wire):
    """What a runner answers to a proposal: it is ready to run it, or `problem` says why not.

    One that is `stopping` is not to be waited for.
    """

    problem: str | None = None
    stopping: bool = False
