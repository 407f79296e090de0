"""One request under work: what it asks of others carries its context, deadline, trace and chain on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from runner.assignment import Place
from runner.capability import CapabilityInfo
from runner.errors import CallFailed
from runner.host.asking import Asking
from runner.host.child_request import Sending, limits_of
from runner.host.children import Children
from runner.host.pipeline import WorkFailed
from runner.host.successor import Successor, successor
from runner.host.turn import Turn
from runner.host.workplace import Workplace
from runner.model import StaticTarget, Use
from runner.payload import PayloadProblem, is_reference
from runner.soundness import unsound
from runner.work import CapabilityType, Code, Status, TaskProgress, WorkRequest


@dataclass(slots=True, eq=False)
class Delegation:
    """Implements `runner.assignment.Assignment` for one request that this ensemble works on, and that holds a slot."""

    workplace: Workplace
    request: WorkRequest
    capability: str
    size: int = 0
    """How many bytes the message had that it came in."""
    holds_slot: bool = True
    """False: it holds none, and takes none."""
    successor: Successor | None = None
    """Who answers in place of this ensemble, once the work here is over."""
    _turn: Turn = field(init=False)
    _children: Children | None = None
    _reference: JsonValue = None
    """What stood in the request in place of its context."""

    def __post_init__(self) -> None:
        held = self.holds_slot
        self._turn = Turn(self.workplace.slots, self.request.expires_at, _holding=held, _over=not held)

    @property
    def held_seconds(self) -> float:
        """For how long it has held a slot, in all."""
        return self._turn.held_seconds

    @property
    def ensemble(self) -> str:
        return self.workplace.name

    @property
    def deadline(self) -> datetime:
        return self.request.expires_at

    @property
    def log(self) -> logging.Logger:
        return self.workplace.log

    @property
    def variables(self) -> Mapping[str, JsonValue]:
        return {"context": self.request.context, "request": self.request.told()}

    async def unpack(self) -> None:
        """Fetch the context where the request carries a reference to it.

        Raises WorkFailed, also for a context over the limit.
        """
        context, payloads = self.request.context, self.workplace.payloads
        if not is_reference(context) and self.size <= payloads.most:
            return
        try:
            self.request = await payloads.unpacked(self.request, self.size)
        except PayloadProblem as problem:
            raise WorkFailed(problem.error, Status.REJECTED) from problem
        self._reference = context if is_reference(context) else None

    async def use(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        use = self.workplace.ensemble.uses.get(name)
        if use is None:
            hint = f"add it under `uses:` of {self.ensemble}"
            raise CallFailed(f"{self.ensemble} has no use called {name!r}", code=Code.NOT_WIRED, hint=hint)
        return await self._asked(use, input, place)

    def found(self, uses: Sequence[str]) -> tuple[CapabilityInfo, ...]:
        resolving, here = self.workplace.resolving, f"{self.ensemble}/{self.capability}"
        left = (self.request.expires_at - datetime.now(UTC)).total_seconds()
        everybody: dict[tuple[str, str], CapabilityInfo] = {}
        for use in (self.workplace.ensemble.uses[name] for name in uses):
            choice = resolving.choice(use, resolving.next_occasion(use, "", left), limits_of(self.request, use, here))
            eligible = (candidate.offer.capability for candidate in choice.candidates if candidate.eligible)
            everybody |= {(one.provider, one.name): one for one in eligible}
        return tuple(everybody[target] for target in sorted(everybody))

    async def use_found(
        self, uses: Sequence[str], found: CapabilityInfo, input: JsonValue, *, place: Place
    ) -> JsonValue:
        target = StaticTarget(found.provider, found.name)
        use = replace(self.workplace.ensemble.uses[uses[0]], name=str(target), target=target)
        return await self._asked(use, input, place)

    async def _asked(self, use: Use, input: JsonValue, place: Place) -> JsonValue:
        if why := unsound(input):
            raise CallFailed(f"the input for {use.name} cannot be carried: {why}", code=Code.INVALID_INPUT)
        is_task = self.capability in self.workplace.ensemble.tasks
        context, generation = self._referred(input), self.workplace.generation
        sending = Sending(self.request, self.ensemble, self.capability, is_task, use, context, generation)
        if self._children is None:
            self._children = Children(self.workplace.caller)
        asking = Asking(self.workplace, sending, place, self._children, self.progress)
        async with self._turn.elsewhere():
            return await asking.value()

    async def hand_off(self, name: str, input: JsonValue) -> str:
        chosen = self.successor = await successor(self.workplace, self.request, self.capability, name, input)
        return f"{chosen.provider}/{chosen.request.task}"

    async def tool(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        tool = self.workplace.ensemble.tools.get(name)
        if tool is None:
            raise CallFailed(f"{self.ensemble} has no tool called {name!r}", code=Code.UNKNOWN_CAPABILITY)
        return await self.workplace.functions(tool.python)(input, self, place)

    async def pause(self, seconds: float) -> None:
        async with self._turn.elsewhere():
            await asyncio.sleep(seconds)

    def elsewhere(self) -> AbstractAsyncContextManager[None]:
        """A wait for somebody else, which holds no slot."""
        return self._turn.elsewhere()

    async def progress(self, message: str, percent: float | None = None) -> None:
        hint = TaskProgress(request_id=self.request.request_id, message=message, percent=percent)
        subject = self.workplace.subjects.reply(self.request.caller, self.ensemble, self.request.request_id)
        if self.workplace.ensemble.tasks.get(self.capability):
            await self.workplace.connection.publish(subject, hint.encode())

    def describe(self, name: str) -> CapabilityInfo | None:
        if tool := self.workplace.ensemble.tools.get(name):
            function = self.workplace.functions(tool.python)
            return CapabilityInfo(
                name=name,
                type=CapabilityType.TOOL,
                provider=self.ensemble,
                description=tool.description or function.description,
                input_schema=function.input_schema,
            )
        use = self.workplace.ensemble.uses.get(name)
        return self.workplace.resolving.example(use) if use else None

    def _referred(self, context: JsonValue) -> JsonValue:
        """Text that came by reference goes on by the same reference."""
        if self._reference is not None and isinstance(context, str) and context == self.request.context:
            return self._reference
        return context

    def abandon(self) -> None:
        """The request is being cancelled: what it waits for gets it no slot back."""
        self._turn.abandon()

    def finish(self) -> None:
        """The work is over: give the slot back, if it holds one. Calls that it left running get none."""
        self._turn.finish()

    async def recall(self, status: Status) -> None:
        """The work has ended so: what it asked of others, and nobody waits for now, is cancelled."""
        if self._children is not None:
            await self._children.recall(status)
