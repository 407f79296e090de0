"""Why a use goes where it goes, as this runner would decide it now: by the same function that decides it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.host.desk import Desk
from runner.host.ensemble import HostedEnsemble
from runner.host.hosted import Hosted
from runner.host.registry import Registry
from runner.host.resolving import Resolving
from runner.host.version import InForce
from runner.model import Use
from runner.reports import ProblemReport
from runner.routing.choice import in_order
from runner.routing.explained import fallback_of, key_of, report
from runner.why import WhyAnswer, WhyReport, WhyRequest
from runner.work import Code


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """Answers for every ensemble of the network: of one that is hosted here as its next request will be resolved."""

    in_force: InForce
    registry: Registry
    desk: Desk
    hosted: Mapping[str, Hosted]
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
        key, note = key_of(target, asked.key)
        occasion = resolving.next_occasion(use, key, asked.deadline or given.total_seconds())
        choice = resolving.explained(use, occasion)
        again = resolving.next_occasion(use, key, occasion.seconds_left)
        order = in_order(target, resolving.considered(use), self.desk.condition, again) if note is None else ()
        return report(
            asked.ensemble,
            use,
            choice,
            order,
            note,
            falls_back=fallback_of(use, resolving.declared, self.desk.condition),
            runner=self.runner,
            generation=self.in_force.generation.number,
        )

    def _resolving(self, ensemble: str) -> Resolving:
        here = self.hosted.get(ensemble)
        if isinstance(here, HostedEnsemble) and here.resolving is not None:
            return here.resolving
        return Resolving(ensemble, self.in_force.generation.declared, self.desk)


def _unknown(message: str, name: str, known: Iterable[str]) -> WhyAnswer:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}" if names else "it has none"
    return WhyAnswer(error=ProblemReport(code=Code.INVALID_REQUEST, message=message, hint=hint))
