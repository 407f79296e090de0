"""Whom a use could come to, and what stands against each that does not change from call to call. Pure.

What comes of it holds for one state of the catalog, so that it can be kept until that changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.capability import CapabilityInfo
from runner.catalog import Catalog
from runner.model import Discovery, Mode, StaticTarget, Use
from runner.routing.locked import admits
from runner.work import Authority, CapabilityType, Code


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a provider is not asked: in words, and by the code that a caller gets where it is the reason of all."""

    code: Code
    words: str


@dataclass(frozen=True, slots=True)
class Considered:
    """One capability. `against` is None where nothing lasting is; `rank` is 0 for the preferred, 2 for the avoided."""

    capability: CapabilityInfo
    against: Reason | None = None
    rank: int = 1
    liking: str | None = None
    """Why it has that rank."""
    promised: bool = False
    """The file promises it, and nobody who is live has registered it."""

    @property
    def target(self) -> str:
        return f"{self.capability.provider}/{self.capability.name}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is needed: by `asking`, which may be nobody of the network, for a request that requires an authority."""

    target: StaticTarget | Discovery
    asking: str
    authority: Authority = Authority.AUTONOMOUS
    tasks_only: str | None = None
    """Why a tool will not do; None where it does."""

    @classmethod
    def by(cls, use: Use, asking: str) -> Wanted:
        left = "that answers whoever waits, and nobody does" if use.mode is Mode.ASYNC else None
        return cls(use.target, asking, use.authority, left)


NOTHING = Catalog()


def considered(
    wanted: Wanted, catalog: Catalog, promised: Catalog = NOTHING, *, near: bool = True
) -> tuple[Considered, ...]:
    """Every capability that is near enough to what is wanted to be worth a word, in order of provider and name.

    What is live is in `catalog`; of what is only `promised` by the file it is told why it is not asked. Without `near`
    those who lack one of the tags are left out: nobody of them is chosen, and a tag may be carried by thousands.
    """
    look = _near if near else _meeting
    live = {(found.provider, found.name): found for found in look(wanted.target, catalog)}
    rest = {(found.provider, found.name): found for found in look(wanted.target, promised)}
    every = {**rest, **live}
    return tuple(_judged(wanted, every[target], promised=target not in live) for target in sorted(every))


def _near(target: StaticTarget | Discovery, catalog: Catalog) -> Iterator[CapabilityInfo]:
    """Those of that name; without a name, those with any of the tags."""
    match target:
        case StaticTarget(ensemble, name):
            if (named := catalog.get(ensemble, name)) is not None:
                yield named
        case Discovery(name=str() as name):
            yield from catalog.find(name=name)
        case Discovery(tags=tags):
            for tag in tags:
                yield from catalog.find(tags=(tag,))


def _meeting(target: StaticTarget | Discovery, catalog: Catalog) -> Iterable[CapabilityInfo]:
    """Those of that name and with all of the tags."""
    if isinstance(target, StaticTarget):
        return _near(target, catalog)
    return catalog.find(name=target.name, tags=target.tags)


def _judged(wanted: Wanted, capability: CapabilityInfo, *, promised: bool) -> Considered:
    target = wanted.target
    if isinstance(target, StaticTarget):
        return Considered(capability)
    against = _against(wanted, target, capability)
    if avoided := [tag for tag in target.avoid if tag in capability.tags]:
        return Considered(capability, against, 2, f"avoided for {_tagged(avoided)}", promised)
    if preferred := [tag for tag in target.prefer if tag in capability.tags]:
        return Considered(capability, against, 0, f"preferred for {_tagged(preferred)}", promised)
    return Considered(capability, against, promised=promised)


def _against(wanted: Wanted, need: Discovery, capability: CapabilityInfo) -> Reason | None:
    if lacking := [tag for tag in need.tags if tag not in capability.tags]:
        return Reason(Code.UNKNOWN_CAPABILITY, f"does not carry {_tagged(lacking)}")
    if capability.provider == wanted.asking:
        return Reason(Code.UNKNOWN_CAPABILITY, "an ensemble does not discover itself")
    if not admits(need, capability):
        return Reason(Code.NO_PROVIDER, f"is not locked: the lock names {', '.join(need.only or ()) or 'nobody'}")
    if wanted.tasks_only is not None and capability.type is CapabilityType.TOOL:
        return Reason(Code.INVALID_REQUEST, f"is a tool: {wanted.tasks_only}")
    if wanted.authority.rank > capability.authority.rank:
        required, registered = wanted.authority.lower(), capability.authority.lower()
        words = f"is registered as `{registered}`, and the request requires `{required}`"
        return Reason(Code.AUTHORITY_EXCEEDED, words)
    return None


def _tagged(tags: list[str]) -> str:
    return f"the tag{'s' if len(tags) > 1 else ''} {', '.join(f'`{tag}`' for tag in tags)}"
