"""Why a use goes where it goes, as a document: what a runner would do now, or what the file alone decides. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.catalog import Catalog, declared
from runner.model import Discovery, Network, Selection, StaticTarget, Use
from runner.offer import Condition, Offer
from runner.routing.choice import Candidate, Choice, choose, in_order
from runner.routing.considered import Wanted, considered
from runner.routing.strategy import Occasion
from runner.routing.wiring import fallback
from runner.templates import TemplateProblem, compile_value, rendered
from runner.why import CandidateReport, WhyReport
from runner.work import EnsembleState

_GOES_BY = {
    Selection.ROUND_ROBIN: "whose turn it is",
    Selection.RANDOM: "chance",
    Selection.LEAST_LOADED: "how busy they are",
    Selection.LOWEST_LATENCY: "how fast they were",
    Selection.MEETS_DEADLINE: "how soon they would be done",
}
"""What strategies go by that no file tells."""

MOST_CANDIDATES = 1000
"""How many are told of: an answer has to fit into a message."""


def report(
    ensemble: str,
    use: Use,
    choice: Choice,
    order: Sequence[Offer],
    note: str | None = None,
    *,
    falls_back: Offer | None = None,
    runner: str | None = None,
    generation: int | None = None,
) -> WhyReport:
    """The choice as a document. With a `note` it depends on the request, and nobody is named."""
    target = use.target
    chosen = choice.chosen if note is None else None
    need = target if isinstance(target, Discovery) else Discovery(None, ())
    return WhyReport(
        ensemble=ensemble,
        use=use.name,
        kind="discovered" if isinstance(target, Discovery) else "static",
        need=str(target),
        candidates=tuple(map(_candidate, _some(choice.candidates))),
        omitted=max(0, len(choice.candidates) - MOST_CANDIDATES),
        chosen=chosen.provider if chosen is not None else None,
        target=_named(chosen) if chosen is not None else None,
        strategy=choice.strategy,
        order=tuple(map(_named, order)),
        prefer=need.prefer,
        avoid=need.avoid,
        fallback=str(use.fallback) if use.fallback is not None else None,
        fallback_type=falls_back.capability.type if falls_back is not None else None,
        fallback_state=falls_back.state if falls_back is not None else None,
        note=note,
        runner=runner,
        generation=generation,
    )


def key_of(target: StaticTarget | Discovery, given: str | None) -> tuple[str, str | None]:
    """The key that the choice goes by, or why none can be made without a request."""
    if isinstance(target, StaticTarget) or target.select is not Selection.AFFINITY or target.key is None:
        return "", None
    if given is not None:
        return given, None
    if compile_value(target.key).names:
        return "", f"each request goes by its key, {target.key}: name one to see where it goes"
    try:
        return str(rendered(target.key, {})), None
    except TemplateProblem as problem:
        return "", problem.message


def by_the_file(network: Network, ensemble: str, use: Use, *, key: str | None = None) -> WhyReport:
    """Whom a use would ask once every ensemble of the file is up and has nothing to do.

    Nobody is named where that goes by what only a running network knows.
    """
    made, note = key_of(use.target, key)
    catalog = declared(network)
    found = considered(Wanted.by(use, ensemble), catalog)
    occasion = Occasion(_NoChance(), key=made)
    choice = choose(use.target, found, _ready, occasion)
    note = note or _unknowable(use.target, choice)
    order = in_order(use.target, found, _ready, occasion) if note is None else ()
    return report(ensemble, use, choice, order, note, falls_back=fallback_of(use, catalog, _ready))


def fallback_of(use: Use, declared: Catalog, live: Callable[[str], Condition]) -> Offer | None:
    """What a use falls back to, with how its provider is."""
    capability = fallback(use, declared)
    return Offer(capability, live(capability.provider)) if capability is not None else None


class _NoChance:
    def random(self) -> float:
        return 0.0


def _ready(_: str) -> Condition:
    return Condition(EnsembleState.READY)


def _unknowable(target: StaticTarget | Discovery, choice: Choice) -> str | None:
    """Why the file does not decide it."""
    if isinstance(target, StaticTarget) or target.select not in _GOES_BY:
        return None
    ranks = [candidate.considered.rank for candidate in choice.candidates if candidate.eligible]
    if sum(rank == min(ranks) for rank in ranks) < 2:
        return None
    return f"`{target.select}` goes by {_GOES_BY[target.select]}: only a running network knows"


def _some(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Not too many, in the same order: rather those who are eligible."""
    if len(candidates) <= MOST_CANDIDATES:
        return candidates
    eligible_first = sorted(range(len(candidates)), key=lambda place: not candidates[place].eligible)
    return tuple(candidates[place] for place in sorted(eligible_first[:MOST_CANDIDATES]))


def _candidate(candidate: Candidate) -> CandidateReport:
    offer = candidate.offer
    return CandidateReport(
        provider=offer.provider,
        eligible=candidate.eligible,
        reason=candidate.reason,
        capability=offer.capability.name,
        type=offer.capability.type,
        tags=offer.capability.tags,
        state=offer.state,
        load=round(offer.load, 3),
        queue_depth=offer.queue_depth,
        latency_ms=_milliseconds(offer.latency),
        eta_ms=_milliseconds(offer.eta),
        cost=offer.cost,
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _named(offer: Offer) -> str:
    return f"{offer.provider}/{offer.capability.name}"
