"""The record of what a network runs: which bundle, as which generation, applied by whom and when."""

from __future__ import annotations

from pydantic import AwareDatetime

from runner.bundle import Bundle
from runner.work import Wire


class Applied(Wire):
    """One generation. Generations count from 1; the same bundle applied again after another is a new one."""

    generation: int
    bundle: Bundle
    by: str
    """Who applied it: `user@host (pid N)`."""
    at: AwareDatetime
    changed: tuple[str, ...] = ()
    """The ensembles that are new, gone or different from the generation before."""
    environment: str = ""
    """A digest of what the references of its files stood for, salted with `salt`."""
    salt: str = ""

    def is_same(self, bundle: Bundle, environment: str) -> bool:
        """Whether applying this bundle, with references that digest so, changes nothing."""
        return self.bundle.hash == bundle.hash and self.environment == environment
