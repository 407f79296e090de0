"""`drain ENSEMBLE`: taking one ensemble of a runner out of service, and bringing it up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field

from runner.bus.questions import Questions
from runner.errors import EnsembleNetworkError
from runner.host.hosted import Hosted
from runner.reports import DrainReport
from runner.subjects import Subjects
from runner.work import EnsembleState

_log = logging.getLogger("runner.host")


@dataclass(slots=True, eq=False)
class Draining:
    """Drains for one runner; owns what is under way until `settle`. A runner that does not host it says nothing.

    `anew` makes an ensemble that was never started, `start` brings it up.
    """

    hosted: MutableMapping[str, Hosted]
    anew: Callable[[str], Hosted]
    start: Callable[[Hosted], Awaitable[None]]
    seconds: Callable[[], float]
    _moving: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _settled: bool = False

    async def serve(self, questions: Questions, subjects: Subjects) -> None:
        """Every runner answers for itself: intake has stopped, or begins, when it does."""

        async def drain(subject: str, _: bytes) -> bytes | None:
            return self._told(subjects.parse_control(subject), self._drain)

        async def resume(subject: str, _: bytes) -> bytes | None:
            return self._told(subjects.parse_control(subject), self._resume)

        await questions.answer(subjects.control("*", "drain"), drain)
        await questions.answer(subjects.control("*", "resume"), resume)

    async def settle(self) -> None:
        """Begin nothing more; what is under way has ended when this returns, within the bound of a drain."""
        self._settled = True
        if self._moving:
            await asyncio.wait(self._moving.values())

    def _told(self, name: str | None, move: Callable[[str], None]) -> bytes | None:
        if name is None or name not in self.hosted or self._settled:
            return None
        move(name)
        report = DrainReport(ensemble=name, state=self.hosted[name].state, seconds=self.seconds())
        return report.model_dump_json().encode()

    def _drain(self, name: str) -> None:
        ensemble = self.hosted[name]
        if ensemble.state is EnsembleState.READY:
            self._begin(name, ensemble.stop(self.seconds()))

    def _resume(self, name: str) -> None:
        if self.hosted[name].state in (EnsembleState.STOPPED, EnsembleState.FAILED) and name not in self._moving:
            self.hosted[name] = self.anew(name)
            self._begin(name, self._bring_up(self.hosted[name]))

    async def _bring_up(self, ensemble: Hosted) -> None:
        try:
            await self.start(ensemble)
        except EnsembleNetworkError as problem:
            _log.warning("%s", problem.message)
            await ensemble.stop(0.0)
            ensemble.detail = problem.message

    def _begin(self, name: str, move: Awaitable[None]) -> None:
        async def begun() -> None:
            try:
                await move
            finally:
                del self._moving[name]

        self._moving[name] = asyncio.ensure_future(begun())
