"""How one ensemble takes work: its tools as a service, its task queue, and whose version new work begins with.

A change goes in three steps, so that no call is lost: what is new is served as well, then new work begins with the new
version, and what is gone is withdrawn once nobody needs it any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from runner import __version__
from runner.beat import Vitals
from runner.bus.service import ToolService
from runner.host.crew import Crew
from runner.host.hosted import Hand
from runner.host.task_queue import TaskQueue
from runner.host.tool_calls import ToolCalls
from runner.host.version import Version
from runner.host.workplace import Station, Workplace
from runner.work import EnsembleState, Priority


class Serving:
    """`crew` owns the work. After `stop_intake` nothing is extended any more."""

    def __init__(self, station: Station, version: Version, crew: Crew) -> None:
        self._station = station
        self._crew = crew
        self.workplace = self.at(version)
        self._service = ToolService(station.connection, station.subjects, station.name, __version__, station.desk)
        self._calls = ToolCalls(self.workplace, crew, self._service.counts)
        self._queue: TaskQueue | None = None
        self._stopped = False

    @property
    def leaving(self) -> tuple[str, ...]:
        """Tasks that the version does not have, and an earlier one still works on."""
        return self._queue.leaving if self._queue is not None else ()

    def vitals(self, state: EnsembleState, detail: str | None) -> Vitals:
        """How the work goes now. `state` is where it would be if it were well, `detail` what else is to be told."""
        slots, ailment, in_flight = self._station.slots, self._station.ailment, len(self._crew)
        pressure = self._queue.pressure if self._queue is not None else None
        return Vitals(
            ensemble=self._station.name,
            state=ailment.shown(state),
            in_flight=in_flight,
            in_hand=dict(self.in_hand()),
            slots=slots.count,
            load=round(in_flight / max(1, slots.count), 3),
            constrained=pressure is not None and pressure.constrained,
            queued=pressure.waiting if pressure is not None else 0,
            waiting=slots.waiting,
            took={name: round(seconds * 1000, 3) for name, seconds in self._station.times.lately().items()},
            detail=detail or ailment.problem,
        )

    def at(self, version: Version) -> Workplace:
        """The station with a version, to `extend` for and to `switch` to."""
        return Workplace.of(self._station, version)

    async def extend(self, workplace: Workplace) -> None:
        """Serve what this version offers as well as what is served.

        Until `switch` what is new is answered as what the present version does not have, and its tasks wait.
        """
        version = workplace.version
        if self._stopped:
            return
        if version.tools:
            await self._service.extend(version.tools, self._calls.handle, version.ensemble.description)
        if version.takes_tasks and self._queue is None:
            self._queue = TaskQueue(self._station, workplace, self._crew, held=workplace is not self.workplace)
            await self._queue.open()

    def pause(self) -> None:
        """Nothing begins until the next `switch`: calls and tasks that come are kept for it."""
        self._service.pause()
        if self._queue is not None:
            self._queue.pause()

    def switch(self, workplace: Workplace) -> None:
        """What begins from now on is worked on by this version; what it does not know any more stays with the last."""
        workplace.caller.payloads = workplace.payloads
        self.workplace.resolving.supersede()
        self.workplace = workplace
        self._calls = self._calls.at(workplace)
        self._service.switch(workplace.version.tools, self._calls.handle, workplace.ensemble.description)
        if self._queue is not None:
            self._queue.switch(workplace)
        workplace.resolving.begin()

    async def contract(self) -> None:
        """Withdraw what the version does not offer."""
        version = self.workplace.version
        await self._service.withdraw(version.tools)
        if self._queue is not None and version.takes_tasks:
            self._queue.forget_leaving()
        elif self._queue is not None:
            queue, self._queue = self._queue, None
            await queue.stop_intake()
            await queue.close()

    async def stop_intake(self) -> None:
        """Take nothing more; what is in hand goes on."""
        self._stopped = True
        async with AsyncExitStack() as both:
            if self._queue is not None:
                both.push_async_callback(self._queue.stop_intake)
            await self._service.withdraw(())

    async def close(self) -> None:
        """Nothing is in hand any more."""
        if self._queue is not None:
            await self._queue.close()

    def hold(self) -> None:
        """No waiting task begins until the next `switch`; tools go on."""
        if self._queue is not None:
            self._queue.hold()

    async def ail(self, tell: Callable[[], Awaitable[None]]) -> None:
        """The station's ailment is another; `tell` the network of it.

        While there is one no task begins, and tool calls are left to other replicas, or refused where there are none.
        """
        is_ill = self._station.ailment.problem is not None
        if self._queue is not None:
            self._queue.ail()
        if not is_ill:
            await self.extend(self.workplace)
        others = self._station.desk.replicas(self._station.name) - 1  # it is one of them until it has told
        await tell()
        if is_ill and others > 0:
            await self._service.withdraw(())

    def shut(self) -> None:
        """No task begins from now on; what arrives goes back."""
        if self._queue is not None:
            self._queue.shut()

    def wake(self) -> None:
        """A slot became free."""
        if self._queue is not None:
            self._queue.wake()

    def reconnected(self) -> None:
        if self._queue is not None:
            self._queue.reconnected()

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a task or a tool call in hand. False where it is not here."""
        task = self._queue is not None and self._queue.cancel(caller, request_id)
        return self._calls.cancel(caller, request_id) or task

    def in_hand(self) -> Mapping[Priority, int]:
        """How many tasks of each priority are worked on here."""
        return self._queue.in_hand() if self._queue is not None else {}

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        """In which messages of its queue, by sequence, a task is in hand here."""
        return self._queue.messages(caller, request_id) if self._queue is not None else ()

    def holds(self, caller: str, request_id: str) -> bool:
        return self._queue is not None and self._queue.holds(caller, request_id)

    def hands(self) -> tuple[Hand, ...]:
        """Every task in hand."""
        return self._queue.hands() if self._queue is not None else ()

    async def open_calls(self, addresses: frozenset[str]) -> frozenset[str]:
        """As `runner.host.whereabouts.TakesCalls`."""
        return await self._service.open(addresses)

    def calls(self) -> tuple[tuple[str, str], ...]:
        """Every tool call in hand, by caller and request id."""
        return self._calls.in_hand()
