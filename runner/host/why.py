"""Why a use goes where it goes, as this runner would decide it now: by the same function that decides it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.host.desk import Desk
from runner.host.ensemble import HostedEnsemble
from runner.host.registry import Registry
from runner.host.resolving import Resolving
from runner.host.version import InForce
from runner.model import Discovery, Selection, StaticTarget, Use
from runner.reports import ProblemReport
from runner.routing.choice import Candidate, in_order
from runner.templates import TemplateProblem, compile_value, rendered
from runner.why import CandidateReport, WhyAnswer, WhyReport, WhyRequest
from runner.work import Code


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """Answers for every ensemble of the network: of one that is hosted here as its next request will be resolved."""

    in_force: InForce
    registry: Registry
    desk: Desk
    hosted: Mapping[str, HostedEnsemble]
    runner: str

    async def answer(self, _: str, body: bytes) -> bytes | None:
        """None where another runner hosts the ensemble, and knows better."""
        asked = WhyRequest.model_validate_json(body)
        if asked.ensemble not in self.hosted and self.registry.of(asked.ensemble):
            return None
        return self._answer(asked).model_dump_json(by_alias=True).encode()

    def _answer(self, asked: WhyRequest) -> WhyAnswer:
        ensembles = self.in_force.network.ensembles
        ensemble = ensembles.get(asked.ensemble)
        if ensemble is None:
            return _unknown(f"no ensemble is called {asked.ensemble}", asked.ensemble, ensembles)
        use = ensemble.uses.get(asked.use)
        if use is None:
            return _unknown(f"{asked.ensemble} has no use called {asked.use}", asked.use, ensemble.uses)
        return WhyAnswer(report=self._report(asked, use))

    def _report(self, asked: WhyRequest, use: Use) -> WhyReport:
        resolving, target = self._resolving(asked.ensemble), use.target
        given = use.deadline or self.in_force.network.defaults.deadline
        key, note = _key(target, asked.key)
        occasion = resolving.next_occasion(use, key, asked.deadline or given.total_seconds())
        choice = resolving.choice(use, occasion)
        again = resolving.next_occasion(use, key, occasion.seconds_left)
        order = in_order(target, resolving.considered(use), self.desk.condition, again) if note is None else ()
        chosen = choice.chosen if note is None else None
        need = target if isinstance(target, Discovery) else Discovery(None, ())
        return WhyReport(
            ensemble=asked.ensemble,
            use=use.name,
            kind="discovered" if isinstance(target, Discovery) else "static",
            need=str(target),
            candidates=tuple(map(_candidate, choice.candidates)),
            chosen=chosen.provider if chosen is not None else None,
            target=_named(chosen.provider, chosen.capability.name) if chosen is not None else None,
            strategy=choice.strategy,
            order=tuple(_named(one.provider, one.capability.name) for one in order),
            prefer=need.prefer,
            avoid=need.avoid,
            fallback=str(use.fallback) if use.fallback is not None else None,
            note=note,
            runner=self.runner,
            generation=self.in_force.generation.number,
        )

    def _resolving(self, ensemble: str) -> Resolving:
        here = self.hosted.get(ensemble)
        if isinstance(here, HostedEnsemble) and here.resolving is not None:
            return here.resolving
        return Resolving(ensemble, self.in_force.generation.declared, self.desk)


def _key(target: StaticTarget | Discovery, given: str | None) -> tuple[str, str | None]:
    """The key that the choice goes by, or why none can be made here."""
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


def _named(provider: str, name: str) -> str:
    return f"{provider}/{name}"


def _unknown(message: str, name: str, known: Iterable[str]) -> WhyAnswer:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}" if names else "it has none"
    return WhyAnswer(error=ProblemReport(code=Code.INVALID_REQUEST, message=message, hint=hint))
