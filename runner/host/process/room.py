"""The process that an ensemble has at a time, with all that its runner needs to speak with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from runner.endings import ended
from runner.errors import EnsembleNetworkError, StartFailed
from runner.host.loading import LOAD_SECONDS
from runner.host.process import calls
from runner.host.process.child import MOST_BYTES, Child, spawned
from runner.host.process.counter import Counter
from runner.host.process.grip import Grip
from runner.host.process.handover import Handover, seen_by
from runner.host.process.line import Call, Line, LineLost, nobody_minds
from runner.host.process.sources import Giving
from runner.host.process.surroundings import ProcessVersion, Surroundings
from runner.host.process.talk import Logged
from runner.work import EnsembleState

UP_SECONDS = LOAD_SECONDS + 10.0
"""How long a process may take until it has loaded the code and has its connection."""

STEP_SECONDS = 10.0
"""How long it may take for anything else that it does at once, as long as it is heard meanwhile."""

UNHEARD_SECONDS = 2.0
"""For how long nothing may be heard of it while somebody waits for what it was asked, and can go on without."""

SILENT_SECONDS = 5.0
"""One that says nothing for so long is stopped, hangs, or blocks its event loop: its tasks go to others by then."""

_SAID = "what it said before is in .run-network/runner.log"


class Unanswered(StartFailed):
    """A process is there, and did not answer in time."""


class Ended(StartFailed):
    """A process has ended before it answered."""


class Room:
    """Of the ensemble `name`. `child` is the process, once there was one; `version` tells what it is in, and `moved`
    hears what it says of itself."""

    def __init__(
        self,
        name: str,
        around: Surroundings,
        version: Callable[[], ProcessVersion],
        moved: Callable[[EnsembleState, str | None], None],
    ) -> None:
        self.child: Child | None = None
        self.grip: Grip | None = None
        self.reach: tuple[tuple[str, ...], str | None] = ((), None)
        self.given_held = False
        """Whether the process was told to work only once it is admitted."""
        self._name = name
        self._around = around
        self._version = version
        self._moved = moved
        self._missed: float | None = None
        self._logged = Logged(name)
        self._log = logging.getLogger(f"runner.ensemble.{name}")

    @property
    def line(self) -> Line | None:
        return self.child.line if self.child is not None else None

    @property
    def is_open(self) -> bool:
        """Whether a process is there to be asked."""
        return self.line is not None and self.line.is_open

    @property
    def is_silent(self) -> bool:
        """Whether a process is there that has not been heard for too long."""
        return self.unheard > SILENT_SECONDS

    @property
    def unheard(self) -> float:
        """For how many seconds the process that is there was not heard."""
        if self.line is None or not self.line.is_open:
            return 0.0
        return asyncio.get_running_loop().time() - self.line.heard_at

    async def bring_up(self, *, held: bool) -> None:
        """A process that is loaded and connected. Raises StartFailed, ServerFailed."""
        around = self._around
        line, sources = Line(most=MOST_BYTES), Giving(self._version().modules.read)
        grip = self.grip = Grip(self._name, around.queues, around.desk, lambda reply: counter.may_answer(reply))
        counter = Counter(self._name, self._around.runner, around.desk, grip, lambda: self._version().generation)
        counter.serve(line)
        grip.listen(line)
        line.hear(calls.MOVED, self._moved)
        line.hear(calls.LOGGED, self._logged.hear)
        line.hear(calls.TOLD, lambda kind, message: around.desk.tell(self._name, kind, message))
        line.hear(calls.ALIVE, nobody_minds)
        try:
            child = self.child = await spawned(self._name, line, sources)
        except OSError as problem:
            raise StartFailed(f"a process for {self._name} cannot be started: {problem}") from problem
        self._log.info("its process is %s", child.pid)
        urls, credentials = self.reach
        self.given_held = held
        version = self._version()  # as it is by now: what changes from here on, the process is told
        handover = Handover(
            name=self._name,
            runner=self._around.runner,
            urls=urls,
            credentials=credentials,
            directory=str(version.modules.directory),
            generation=seen_by(self._name, version.generation),
            reloads=around.desk.reloads,
            outlook=around.outlooks.begin(line),
            held=held,
        )
        try:
            version.capabilities = await self.asked_bytes(calls.OPEN, handover.packed(), seconds=UP_SECONDS)
            self._version().capabilities = version.capabilities  # another has the same, or this process is ended
        except BaseException:
            await self.end(child)
            raise

    async def end(self, child: Child) -> None:
        child.kill()
        await child.gone()
        self._around.outlooks.end(child.line)

    async def asked(self, call: Call[Any], *arguments: object, seconds: float = STEP_SECONDS) -> None:
        """Raises StartFailed where the process ends meanwhile, or says nothing in time."""
        await self.asked_bytes(call, b"", *arguments, seconds=seconds)

    async def asked_bytes(self, call: Call[Any], body: bytes, *arguments: object, seconds: float) -> Any:
        child = self.child
        assert child is not None
        try:
            return (await child.line.ask_bytes(call, *arguments, body=body, seconds=seconds))[0]
        except LineLost:
            raise Ended(f"its process ended with {await child.gone()}", hint=_SAID) from None
        except TimeoutError:
            raise Unanswered(f"the process of {self._name} did not answer for {seconds:g} s") from None

    async def soon(self, call: Call[Any], body: bytes) -> Any:
        """As `asked_bytes`, of one that somebody waits for: given up once it is silent."""
        asked = self.asked_bytes(call, body, seconds=self._patience(STEP_SECONDS))
        return await self._while_heard(asked, SILENT_SECONDS)

    async def quietly(
        self,
        call: Call[Any],
        *arguments: object,
        seconds: float = STEP_SECONDS,
        unheard: float = UNHEARD_SECONDS,
        patient: bool = False,
    ) -> bool:
        """Whether it did. A process that is not there needs not be asked: another one begins with what there is then.

        One that says nothing for `unheard` seconds is told, and not waited for; `patient`: unless it has just begun to
        say nothing.
        """
        if self.line is None or not self.line.is_open:
            return True
        try:
            if patient:
                await self.line.ask(call, *arguments, seconds=0.0 if self.is_silent else seconds)
            else:
                await self._while_heard(self.line.ask(call, *arguments, seconds=self._patience(seconds)), unheard)
        except (LineLost, TimeoutError, EnsembleNetworkError, RuntimeError) as problem:
            self._log.warning("`%s` came to nothing: %s", call.name, problem)
            return False
        return True

    @property
    def is_missed(self) -> bool:
        """Whether a wait for it was given up, and nothing has been heard of it since."""
        return self.line is not None and self._missed == self.line.heard_at

    def _patience(self, seconds: float) -> float:
        """One silence is waited for once."""
        return 0.0 if self.is_silent or self.is_missed else seconds

    async def _while_heard(self, asked: Coroutine[Any, Any, Any], unheard: float) -> Any:
        """What comes of it. Raises Unanswered once nothing was heard of the process for so long since it was asked."""
        line, loop = self.line, asyncio.get_running_loop()
        assert line is not None
        asking, began = asyncio.ensure_future(asked), loop.time()
        try:
            while not asking.done():
                left = max(began, line.heard_at) + unheard - loop.time()
                if left <= 0.0:
                    self._missed = line.heard_at
                    raise Unanswered(f"the process of {self._name} says nothing")
                await asyncio.wait((asking,), timeout=left)
            return await asking
        finally:
            await ended(asking)
