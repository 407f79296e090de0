"""Whom a call is for: a named provider, or whoever offers what is needed. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Container, Sequence
from dataclasses import dataclass

from runner.errors import UsageProblem
from runner.reports import CatalogEntry
from runner.subjects import is_name
from runner.work import CapabilityType, Code, EnsembleState


@dataclass(frozen=True, slots=True)
class Target:
    """`ensemble` is None for a capability to discover."""

    ensemble: str | None
    capability: str
    tags: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, tags: Sequence[str] = ()) -> Target:
        """Read `ensemble/capability` or `capability`. Raises UsageProblem."""
        ensemble, slash, capability = text.rpartition("/")
        if not is_name(capability) or (slash and not is_name(ensemble)):
            raise UsageProblem(f"{text!r} is no target", hint="say `ensemble/capability`, or a capability to discover")
        return cls(ensemble if slash else None, capability, tuple(tags))

    def __str__(self) -> str:
        name = f"{self.ensemble}/{self.capability}" if self.ensemble else self.capability
        return name + (f" [{', '.join(self.tags)}]" if self.tags else "")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why nobody can be asked."""

    code: Code
    message: str
    hint: str


def resolve(
    wanted: Target, catalog: Sequence[CatalogEntry], tried: Container[str] = frozenset()
) -> CatalogEntry | Missing:
    """The entry to call: the named one whatever its state (its queue waits for it), else the first that is ready.

    One that is constrained is passed over while there are others. Of those to be discovered none that was `tried`.
    """
    offers = [
        entry
        for entry in catalog
        if entry.name == wanted.capability and set(wanted.tags) <= {*entry.tags, *entry.aliases}
    ]
    if wanted.ensemble is not None:
        for entry in offers:
            if entry.provider == wanted.ensemble:
                return entry
        return _unknown(wanted, [f"{entry.provider}/{entry.name}" for entry in catalog])
    ready = [entry for entry in offers if entry.status is EnsembleState.READY and entry.provider not in tried]
    if ready:
        return next((entry for entry in ready if not entry.constrained), ready[0])
    held = [entry for entry in offers if entry.status is EnsembleState.DEGRADED and entry.type is CapabilityType.TASK]
    if held and (left := [entry for entry in held if entry.provider not in tried]):
        return left[0]
    if offers:
        states = ", ".join(f"{entry.provider} is {entry.status}" for entry in offers)
        hint = f"{states}: see `run-network status`"
        return Missing(Code.NO_PROVIDER, f"no live provider for {wanted}", hint)
    return _unknown(wanted, [entry.name for entry in catalog])


def _unknown(wanted: Target, names: Sequence[str]) -> Missing:
    plain = f"{wanted.ensemble}/{wanted.capability}" if wanted.ensemble else wanted.capability
    near = difflib.get_close_matches(plain, sorted(set(names)), n=1)
    hint = f"did you mean `{near[0]}`?" if near else "`run-network catalog` shows what is on offer"
    return Missing(Code.UNKNOWN_CAPABILITY, f"nobody shares {wanted}", hint)
