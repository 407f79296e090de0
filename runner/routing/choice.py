"""Who is asked, and why nobody else is: the one decision that routing acts on and `why` tells of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.model import Discovery, StaticTarget
from runner.offer import Condition, Offer
from runner.routing.considered import Considered, Reason
from runner.routing.guards import in_scope
from runner.routing.selection import STRATEGIES
from runner.routing.strategy import Occasion
from runner.work import CapabilityType, Code, EnsembleState

NAMED = "static"
"""The strategy of a use that names its provider."""

MOST_TOLD = 5
"""Of how many the reason is told where nobody can be asked: a tag may be carried by thousands."""

MOST_IN_ORDER = 20
"""How many are told to come one after the other."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps one request from a provider, whoever that is."""

    scope: Sequence[str] = ("*",)
    chain: Sequence[str] = ()
    """What it came through: nobody in it is asked again."""
    tried: Mapping[str, str] = field(default_factory=dict)
    """Whoever was asked already, as `ensemble/capability`, and what came of it."""


ANYTHING = Limits()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One capability, and whether it can be asked now; `reason` says why not, or what speaks for it."""

    considered: Considered
    offer: Offer
    against: Reason | None = None
    named: bool = False

    @property
    def eligible(self) -> bool:
        return self.against is None

    @property
    def reason(self) -> str | None:
        if self.against is not None:
            return self.against.words
        if self.offer.state is not EnsembleState.READY:
            how = "it was named, and is asked all the same" if self.named else "its queue holds the task"
            return f"{self.offer.provider} is {self.offer.state}; {how}"
        return self.considered.liking


@dataclass(frozen=True, slots=True)
class Choice:
    """`candidates` in order of provider and name; `chosen` is None where none of them is eligible."""

    strategy: str
    candidates: tuple[Candidate, ...]
    chosen: Offer | None

    @property
    def against_all(self) -> Code:
        """The one limit that kept away everybody who is what was wanted; NO_PROVIDER where they had several reasons."""
        codes = {c.against.code for c in self.candidates if c.against is not None} - {Code.UNKNOWN_CAPABILITY}
        return next(iter(codes)) if len(codes) == 1 else Code.NO_PROVIDER

    @property
    def told(self) -> str:
        """Candidates that are not eligible, with the reason: first those who are what was wanted, and not too many."""
        against = [(c.considered.target, c.against) for c in self.candidates if c.against is not None]
        against.sort(key=lambda one: one[1].code is Code.UNKNOWN_CAPABILITY)
        more = len(against) - MOST_TOLD
        words = [f"{target}: {reason.words}" for target, reason in against[:MOST_TOLD]]
        return "; ".join([*words, f"and {more:,} more"] if more > 0 else words)


@dataclass(frozen=True, slots=True)
class Standing:
    """How everybody who is considered stands, for requests within the same limits, until a provider's condition
    changes. `best` are those among whom the strategy decides, in order of provider and name."""

    candidates: tuple[Candidate, ...]
    best: tuple[Offer, ...]


def standing(
    target: StaticTarget | Discovery, considered: Sequence[Considered], conditions: Sequence[Condition], limits: Limits
) -> Standing:
    """Judge those who are considered. `conditions` tell how the provider of each is now.

    A named provider is asked however it is: its queue waits for it. Of discovered ones those are eligible that are
    READY, in the scope, and not in the chain, and of tasks those that are DEGRADED, since their queue holds what comes,
    while nobody is READY; whoever has too much to do is passed over while there are others. Of
    these the preferred go first and the avoided last.
    """
    offers = [Offer(one.capability, now) for one, now in zip(considered, conditions, strict=True)]
    if isinstance(target, StaticTarget):
        named = tuple(Candidate(one, offer, named=True) for one, offer in zip(considered, offers, strict=True))
        return Standing(named, tuple(offers[:1]))
    candidates = _spared(
        [
            Candidate(one, offer, _against(one, offer.condition, limits))
            for one, offer in zip(considered, offers, strict=True)
        ]
    )
    eligible = [candidate for candidate in candidates if candidate.against is None]
    rank = min((candidate.considered.rank for candidate in eligible), default=0)
    best = tuple(candidate.offer for candidate in eligible if candidate.considered.rank == rank)
    return Standing(tuple(candidates), best)


def picked(target: StaticTarget | Discovery, standing: Standing, occasion: Occasion) -> Choice:
    """Among equals the strategy decides."""
    if isinstance(target, StaticTarget):
        return Choice(NAMED, standing.candidates, standing.best[0] if standing.best else None)
    chosen = STRATEGIES[target.select](standing.best, occasion) if standing.best else None
    return Choice(target.select.value, standing.candidates, chosen)


def choose(
    target: StaticTarget | Discovery,
    considered: Sequence[Considered],
    live: Callable[[str], Condition],
    occasion: Occasion,
    limits: Limits = ANYTHING,
) -> Choice:
    """Choose one of those who are considered. `live` tells how an ensemble is now."""
    conditions = [live(one.capability.provider) for one in considered]
    return picked(target, standing(target, considered, conditions, limits), occasion)


def in_order(
    target: StaticTarget | Discovery,
    considered: Sequence[Considered],
    live: Callable[[str], Condition],
    occasion: Occasion,
) -> tuple[Offer, ...]:
    """Who is asked one after the other where one after the other does not take it, up to MOST_IN_ORDER; a named
    provider alone.

    As `choose` would say it for each in turn, and judged anew only where all the equals were asked: among the rest of
    them nothing else speaks for or against anybody.
    """
    conditions = [live(one.capability.provider) for one in considered]
    order: list[Offer] = []
    tried: dict[str, str] = {}
    while best := standing(target, considered, conditions, Limits(tried=tried)).best:
        while best and len(order) < MOST_IN_ORDER:
            following = picked(target, Standing((), best), occasion).chosen
            assert following is not None
            order.append(following)
            tried[f"{following.provider}/{following.capability.name}"] = "no"
            best = tuple(offer for offer in best if offer is not following)
        if isinstance(target, StaticTarget) or len(order) == MOST_IN_ORDER:
            break
    return tuple(order)


def _against(one: Considered, condition: Condition, limits: Limits) -> Reason | None:
    if one.against is not None:
        return one.against
    holds = condition.state is EnsembleState.DEGRADED and one.capability.type is CapabilityType.TASK
    if condition.state is not EnsembleState.READY and not holds:
        detail = f": {condition.detail}" if condition.detail else ""
        is_ill = condition.state is EnsembleState.DEGRADED
        code = Code.CAPABILITY_DEGRADED if is_ill else Code.NO_PROVIDER
        return Reason(code, f"{one.capability.provider} is {condition.state}{detail}")
    if one.promised:
        return Reason(Code.NO_PROVIDER, f"{one.capability.provider} has not registered it")
    if (why := limits.tried.get(one.target)) is not None:
        return Reason(Code.NO_PROVIDER, f"was asked: {why}")
    if not in_scope(one.target, limits.scope):
        words = f"is outside the scope that the caller lends: {', '.join(limits.scope) or 'none'}"
        return Reason(Code.NOT_WIRED, words)
    if one.target in limits.chain:
        path = " → ".join((*limits.chain, one.target))
        return Reason(Code.DELEGATION_CYCLE, f"the delegation would come back: {path}")
    return None


def _spared(candidates: list[Candidate]) -> list[Candidate]:
    """Whoever is not well, or has too much to do, is passed over, unless all that could be asked are, or have."""
    if any(c.against is None and c.offer.state is EnsembleState.READY for c in candidates):
        candidates = [c if c.against or c.offer.state is EnsembleState.READY else _ill(c) for c in candidates]
    free = any(c.against is None and not c.offer.condition.constrained for c in candidates)
    if not free:
        return candidates
    return [_passed_over(c) if c.against is None and c.offer.condition.constrained else c for c in candidates]


def _ill(candidate: Candidate) -> Candidate:
    detail = f": {candidate.offer.condition.detail}" if candidate.offer.condition.detail else ""
    words = f"{candidate.offer.provider} is {candidate.offer.state}{detail}"
    return replace(candidate, against=Reason(Code.CAPABILITY_DEGRADED, words))


def _passed_over(candidate: Candidate) -> Candidate:
    waiting = candidate.offer.queue_depth
    words = "constrained: more wait for it than its `backpressure` allows" + (f" ({waiting})" if waiting else "")
    return replace(candidate, against=Reason(Code.CAPACITY_CONSTRAINED, words))
