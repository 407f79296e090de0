"""How the uses of one version of an ensemble are resolved, call by call."""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from runner.capability import CapabilityInfo
from runner.catalog import Catalog
from runner.errors import CallFailed
from runner.host.desk import Desk
from runner.model import StaticTarget, Use
from runner.offer import Condition
from runner.routing.choice import ANYTHING, Choice, Limits, Standing, picked, standing
from runner.routing.considered import NOTHING, Considered, Wanted, considered
from runner.routing.strategy import Occasion
from runner.work import Code, EnsembleState

NO_TOOLS = "that cannot be handed a task"

SETTLING_SECONDS = 2.0
"""For how long after a change somebody whom the file promises may not have been heard of yet."""

AGAIN_SECONDS = 0.005


class _Asked(NamedTuple):
    """How a use is looked up: for whom it may come to, or for all of whom there is a word to say."""

    use: str
    tasks_only: bool
    near: bool


@dataclass(slots=True, eq=False)
class Resolving:
    """Of `ensemble`. `declared` is the catalog that the file promises.

    Who could be meant is looked up once for each state of the catalog, and how they stand is judged once for each
    condition of theirs; after that a choice costs a few looks into dicts.
    """

    ensemble: str
    declared: Catalog
    desk: Desk
    chance: random.Random = field(default_factory=random.Random)
    _settles_until: float = 0.0
    _superseded: bool = False
    _asked: Counter[str] = field(default_factory=Counter)
    _turns: Counter[str] = field(default_factory=Counter)
    _stood: dict[_Asked, tuple[tuple[Considered, ...], tuple[Condition, ...], Limits, Standing]] = field(
        default_factory=dict
    )
    _found: dict[_Asked, tuple[Catalog, tuple[Considered, ...]]] = field(default_factory=dict)

    def occasion(self, use: Use, key: str, seconds_left: float) -> Occasion:
        """One more request through a use; whoever is asked for it, it is the same occasion."""
        turn = self._turns[use.name]
        self._turns[use.name] = turn + 1
        return Occasion(self.chance, turn, key, seconds_left, self._asked)

    def next_occasion(self, use: Use, key: str, seconds_left: float) -> Occasion:
        """What the next one will be, without its taking place."""
        return Occasion(copy.copy(self.chance), self._turns[use.name], key, seconds_left, Counter(self._asked))

    def begin(self) -> None:
        """The configuration is in force from now on: what it is to bring may not be known everywhere yet."""
        self._settles_until = time.monotonic() + SETTLING_SECONDS

    def supersede(self) -> None:
        """Another configuration comes into force: what works by this one goes on to its end."""
        self._superseded = True

    async def found(
        self, use: Use, occasion: Occasion, limits: Limits = ANYTHING, *, tasks_only: bool = False
    ) -> Choice:
        """`choice`; and where that is nobody, whom the file promises.

        Work that began before a change goes on with those who were there then: they serve it to its end. In the moment
        after a change, those who come with it are waited for, within a bound.
        """
        choice = self.choice(use, occasion, limits, tasks_only=tasks_only)
        if choice.chosen is not None or not (self._superseded or self._is_settling):
            return choice
        promised = self._promised(use, occasion, limits, tasks_only=tasks_only)
        if self._superseded:
            return promised if promised.chosen is not None else choice
        while choice.chosen is None and promised.chosen is not None and self._is_settling:
            await asyncio.sleep(AGAIN_SECONDS)
            choice = self._choice(use, occasion, limits, _Asked(use.name, tasks_only, near=False))
        return choice if choice.chosen is not None else self.explained(use, occasion, limits, tasks_only=tasks_only)

    @property
    def _is_settling(self) -> bool:
        return time.monotonic() < self._settles_until

    def _promised(self, use: Use, occasion: Occasion, limits: Limits, *, tasks_only: bool) -> Choice:
        """Who would be asked if all that the file promises were on offer, of those who are there, or may come."""
        found = considered(self._wanted(use, tasks_only), self.declared, near=False)
        how = [self._expected(self.desk.condition(one.capability.provider)) for one in found]
        return picked(use.target, standing(use.target, found, how, limits), occasion)

    def _expected(self, now: Condition) -> Condition:
        """One that goes serves whoever knows it until their work has ended; one that is not there may come."""
        is_there = now.state is EnsembleState.DRAINING or not self._superseded
        return replace(now, state=EnsembleState.READY) if is_there else now

    def _wanted(self, use: Use, tasks_only: bool) -> Wanted:
        wanted = Wanted.by(use, self.ensemble)
        if tasks_only and wanted.tasks_only is None:
            return Wanted(wanted.target, wanted.asking, wanted.authority, NO_TOOLS)
        return wanted

    def choice(self, use: Use, occasion: Occasion, limits: Limits = ANYTHING, *, tasks_only: bool = False) -> Choice:
        """Who is asked; where nobody can be, of everybody who is near to what is wanted why not."""
        choice = self._choice(use, occasion, limits, _Asked(use.name, tasks_only, near=False))
        return choice if choice.chosen is not None else self.explained(use, occasion, limits, tasks_only=tasks_only)

    def explained(self, use: Use, occasion: Occasion, limits: Limits = ANYTHING, *, tasks_only: bool = False) -> Choice:
        """The same choice, with why nobody else is asked of everybody who is near to what is wanted."""
        return self._choice(use, occasion, limits, _Asked(use.name, tasks_only, near=True))

    def _choice(self, use: Use, occasion: Occasion, limits: Limits, asked: _Asked) -> Choice:
        found = self._considered(use, asked)
        conditions = tuple([self.desk.condition(one.capability.provider) for one in found])
        known = self._stood.get(asked)
        if known is None or known[0] is not found or known[1] != conditions or known[2] != limits:
            known = found, conditions, limits, standing(use.target, found, conditions, limits)
            self._stood[asked] = known
        return picked(use.target, known[3], occasion)

    def considered(self, use: Use) -> tuple[Considered, ...]:
        """Everybody who meets the use. A named provider is looked up in the file alone."""
        return self._considered(use, _Asked(use.name, tasks_only=False, near=False))

    def _considered(self, use: Use, asked: _Asked) -> tuple[Considered, ...]:
        is_named = isinstance(use.target, StaticTarget)
        catalog = self.declared if self._is_declared(use) else self.desk.catalog
        known = self._found.get(asked)
        if known is not None and known[0] is catalog:
            return known[1]
        promised = NOTHING if is_named else self.declared
        found = considered(self._wanted(use, asked.tasks_only), catalog, promised, near=asked.near)
        self._found[asked] = catalog, found
        return found

    def _is_declared(self, use: Use) -> bool:
        """Whether the file says who it is. What an agent found by itself may have come with a later one."""
        target = use.target
        return isinstance(target, StaticTarget) and self.declared.get(target.ensemble, target.capability) is not None

    def example(self, use: Use) -> CapabilityInfo | None:
        """What the use may come to now, to be described to somebody; None where nobody is there."""
        fitting = (one for one in self.considered(use) if one.against is None and not one.promised)
        return next((one.capability for one in fitting), None)

    @contextmanager
    def asked(self, provider: str) -> Iterator[None]:
        """Around the wait for a provider: what is asked of it and not answered counts as its load."""
        self._asked[provider] += 1
        try:
            yield
        finally:
            self._asked[provider] -= 1


def nobody(use: Use, choice: Choice, discovery_away: str | None) -> CallFailed:
    """What a caller gets where nobody is eligible: the limit that kept all of them away, or that nobody is there, or
    that this is not known."""
    code = choice.against_all
    if code is Code.NO_PROVIDER and discovery_away is not None:
        message = f"nobody is known who offers {use.target}, and {discovery_away}"
        hint = "providers that are known stay in use, and so do static uses; a `fallback` would be asked"
        return CallFailed(message, code=Code.DISCOVERY_UNAVAILABLE, hint=hint)
    if code is not Code.NO_PROVIDER:
        hint = f"`run-network explain {code}`"
        return CallFailed(f"nobody may meet {use.target}: {choice.told}", code=code, hint=hint)
    hint = choice.told or "`run-network catalog` shows what is on offer"
    return CallFailed(f"no live provider for {use.target}", code=Code.NO_PROVIDER, hint=hint)
