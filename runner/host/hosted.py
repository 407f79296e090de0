"""One ensemble as its runner has it, whatever its placement: what is done to it, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from runner.beat import Vitals
from runner.capability import CapabilityInfo
from runner.functions.loading import ModuleSpace
from runner.host.version import Generation
from runner.model import Ensemble, PythonTarget
from runner.work import EnsembleState, Placement, Priority


@dataclass(frozen=True, slots=True)
class Hand:
    """A task in hand, and the messages that it came in, by sequence."""

    caller: str
    request_id: str
    messages: tuple[int, ...]
    passed: bool = False
    """It is somebody else's, or its outcome is on record: only our message is left."""


class AnyVersion(Protocol):
    """One ensemble in one generation, as it is compared with another."""

    @property
    def generation(self) -> Generation: ...

    @property
    def ensemble(self) -> Ensemble: ...

    @property
    def modules(self) -> ModuleSpace: ...

    @property
    def capabilities(self) -> tuple[CapabilityInfo, ...]: ...


class Hosted(Protocol):
    """Started once and stopped once, and changed in between.

    A change is `version_in`, `extend` where it is something else in it, `pause`, `switch`, `switched`, and `contract`
    once the work that began before has ended. Before `pause` it may be given up, by `contract`. Where another is to
    take its place, that one is opened, then serves, this one leaves, and that one is admitted.
    """

    modules: ModuleSpace
    detail: str | None

    @property
    def name(self) -> str: ...

    @property
    def runner(self) -> str: ...

    @property
    def state(self) -> EnsembleState: ...

    @property
    def is_kept(self) -> bool:
        """Whether it is up, or will be again by itself."""
        ...

    @property
    def placement(self) -> Placement: ...

    @property
    def retired(self) -> bool:
        """Whether the network has it no more, and it serves those who still know it."""
        ...

    @property
    def version(self) -> AnyVersion | None:
        """What new work begins with; None before it is up."""
        ...

    @property
    def client(self) -> int | None:
        """The server's number for its connection."""
        ...

    @property
    def in_flight(self) -> int:
        """How many pieces of work are in hand, as far as is known without asking."""
        ...

    @property
    def vitals(self) -> Vitals:
        """How it is, or was at the last look."""
        ...

    async def look(self) -> None:
        """What is told of it is as of now when this returns."""
        ...

    def in_hand(self) -> Mapping[Priority, int]:
        """How many tasks of each priority are worked on here."""
        ...

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        """In which messages of its queue, by sequence, a task is in hand here."""
        ...

    def holds(self, caller: str, request_id: str) -> bool:
        """Whether a task is worked on here."""
        ...

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a task or a tool call in hand. False where it is not here."""
        ...

    def renew(self, generation: Generation) -> None:
        """Come up in this generation; not started yet."""
        ...

    def load_code(self) -> None:
        """Have the code, where it is loaded by this process. Raises StartFailed. Not for the loop: it runs the code."""
        ...

    def prepare(self) -> None:
        """Have what `start` needs already, as far as it can be had. Raises StartFailed.

        What comes before `admit` waits: its generation may not come.
        """
        ...

    async def start(self, urls: tuple[str, ...], credentials: str | None) -> None:
        """READY when this returns: serving, pulling, registered; where it was prepared, ready to be admitted.

        Raises StartFailed, ServerFailed.
        """
        ...

    async def open(self, urls: tuple[str, ...], credentials: str | None) -> None:
        """Loaded and connected when this returns; it serves nobody yet. Raises StartFailed, ServerFailed."""
        ...

    async def serve(self) -> None:
        """From `open` on to where `start` ends. Raises as `start`, and what `AWAY` lists; it may be tried again."""
        ...

    def admit(self) -> None:
        """Its generation is in force: it works from now on. `register` tells others of it."""
        ...

    def is_as(self, targets: Iterable[PythonTarget], read: Callable[[str], bytes]) -> bool:
        """Whether `read` gives for every file that these functions came to what it was when they were loaded."""
        ...

    def version_in(self, generation: Generation, modules: ModuleSpace) -> AnyVersion:
        """A version of this ensemble; nothing changes yet. Raises StartFailed."""
        ...

    async def extend(self, version: AnyVersion) -> None:
        """Serve what this version offers beyond the present one, by this version; nobody is told of it yet.

        Raises StartFailed, ServerFailed and what `AWAY` lists.
        """
        ...

    async def pause(self) -> None:
        """What comes from now on waits for the `switch`, where that is not done in one turn with everybody else's."""
        ...

    def switch(self, version: AnyVersion) -> None:
        """What begins from now on is worked on by this version. `register` tells others of what is different."""
        ...

    async def switched(self) -> None:
        """The switch is done when this returns."""
        ...

    async def register(self) -> None:
        """Tell the network what is on offer now."""
        ...

    async def contract(self) -> None:
        """Withdraw what the present version does not offer."""
        ...

    async def retire(self, *, still_asked: bool) -> None:
        """It is not in the network any more: nobody finds it, and it serves those who know it until `stop`.

        Unless work that began before may ask it, no task that waits for it begins.
        """
        ...

    async def settled(self) -> None:
        """The server has seen what was sent to it, and what it delivered before is here."""
        ...

    def told_of_reload(self) -> None:
        """The desk's `reloads` has changed."""
        ...

    @property
    def leaving(self) -> tuple[str, ...]:
        """Tasks that the present version does not have, and an earlier one still works on."""
        ...

    async def begun(self) -> None:
        """Return when the work that is in hand now has ended; `leaving` is as of then."""
        ...

    async def leave(self) -> None:
        """Another one of the same name on this runner has taken over: take nothing more, and say nothing of it.

        What is in hand goes on until `stop`, or its end.
        """
        ...

    async def stop(self, drain_seconds: float) -> None:
        """Take nothing more, let what is in hand finish within the bound, and be gone. What is left stays queued."""
        ...


class AtHome:
    """What there is little to do about for an ensemble in its runner's own process."""

    @property
    def placement(self) -> Placement:
        return Placement.INLINE

    async def look(self) -> None:
        """What is told of it always is as of now."""

    async def pause(self) -> None:
        """It is switched in the same turn as everybody else."""

    async def switched(self) -> None:
        """It is at once."""

    def told_of_reload(self) -> None:
        """It sees its desk."""
