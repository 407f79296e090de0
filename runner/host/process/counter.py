"""Where an ensemble in a process of its own asks its desk: what it asks for must be its own.

The process holds its own credentials and nothing else; what its runner may, it may only ask for. Here the runner looks
at each such question, since the code behind it may be anybody's: what it writes or reads of a request must be of one
that the runner finds in this ensemble's queue itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from runner.bus.backlog import Spot
from runner.checkpoint import Checkpoint, Mark
from runner.dead_letter import DeadLetter
from runner.host.dead_letters import is_dead
from runner.host.desk import Delivered, Desk, First, Held
from runner.host.process import calls
from runner.host.process.failures import Denied
from runner.host.process.grip import Grip
from runner.host.process.line import Line
from runner.host.version import Generation
from runner.lineage import sender_of
from runner.payload import Kind, Reference
from runner.registration import Registration
from runner.routing.handoffs import handed_off_by
from runner.subjects import is_outside, waits_in
from runner.work import Priority, Record, WorkError, WorkRequest

_log = logging.getLogger("runner.host")


class Counter:
    """Serves one line, for the ensemble `name` on `runner`. `generation` tells what is declared now."""

    def __init__(self, name: str, runner: str, desk: Desk, grip: Grip, generation: Callable[[], Generation]) -> None:
        self._name = name
        self._runner = runner
        self._desk = desk
        self._grip = grip
        self._generation = generation

    def serve(self, line: Line) -> None:
        """Answer what is asked over this line, from now on."""
        line.answer(calls.READ, self._read)
        line.answer(calls.RECORD, self._record)
        line.answer(calls.HELD_BY, self._held_by)
        line.answer(calls.FIRST, self._first)
        line.answer(calls.PUBLISH, self._publish)
        line.answer(calls.CHECKPOINT, self._checkpoint)
        line.answer(calls.CHECKPOINTS, self._checkpoints)
        line.answer(calls.FORGET, self._forget)
        line.answer(calls.BURY, self._bury)
        line.answer(calls.DELIVER, self._deliver)
        line.answer_bytes(calls.STORE, self._store)
        line.answer_bytes(calls.LOAD, self._load)
        line.answer(calls.POSITIONS, self._positions)
        line.answer(calls.HEAD, self._head)
        line.answer(calls.WAITING, self._waiting)
        line.answer(calls.REGISTER, self._register)
        line.answer_bytes(calls.ANSWER, self._answer)

    async def _read(self, caller: str, request_id: str, first_delivery: bool) -> Held:
        held = await self._desk.read(caller, request_id, first_delivery=first_delivery)
        if held.record is not None:  # else there is nothing to tell
            await self._in_hand(caller, request_id)
            self._grip.saw(held.record)
        return held

    async def _record(self, record: Record, revision: int) -> int | None:
        await self._in_hand(record.caller, record.request_id)
        if record.provider != self._name and not self._handed_off(record):
            raise self._denied(f"to record for {record.provider}")
        if not await self._grip.wants(record.caller, record.request_id, record.delivery):
            raise self._denied(f"to send the outcome of {record.request_id} elsewhere")
        written = await self._desk.record(record, revision)
        if written is not None:
            self._grip.saw(record)
        return written

    async def _held_by(self, runner: str, ensemble: str, caller: str, request_id: str) -> frozenset[int]:
        self._own(ensemble)
        return await self._desk.held_by(runner, ensemble, caller, request_id)

    async def _first(self, caller: str, content: str, request_id: str) -> First | None:
        await self._in_hand(caller, request_id)
        return await self._desk.first(caller, content, request_id)

    async def _publish(
        self, request: WorkRequest, provider: str, sender: str | None, publication: int
    ) -> WorkError | None:
        await self._in_hand(request.caller, request.request_id)
        if sender != self._name or sender_of(request) != self._name or not self._may_call(provider, request.task):
            raise self._denied(f"to publish to {provider}/{request.task} as {sender}")
        return await self._desk.publish(request, provider, sender=sender, publication=publication)

    async def _checkpoint(self, caller: str, request_id: str, mark: Mark, checkpoint: Checkpoint) -> None:
        await self._in_hand(caller, request_id)
        await self._desk.checkpoint(caller, request_id, mark, checkpoint)

    async def _checkpoints(self, caller: str, request_id: str) -> calls.Checkpoints:
        await self._in_hand(caller, request_id)
        return list((await self._desk.checkpoints(caller, request_id)).items())

    async def _forget(self, caller: str, request_id: str) -> None:
        await self._in_hand(caller, request_id)
        await self._desk.forget_checkpoints(caller, request_id)

    async def _bury(self, letter: DeadLetter) -> None:
        await self._in_hand(letter.caller, letter.request.request_id)
        record = self._grip.seen(letter.caller, letter.request.request_id)
        if letter.provider != self._name or record is None or not is_dead(record):
            raise self._denied(f"to bury what is not dead: {letter.request.request_id}")
        await self._desk.bury(letter)

    async def _deliver(self, record: Record) -> Delivered:
        await self._in_hand(record.caller, record.request_id)
        if self._grip.seen(record.caller, record.request_id) != record:
            raise self._denied(f"to deliver what is not recorded: {record.request_id}")
        return await self._desk.deliver(record)

    async def _store(self, kept: timedelta, data: bytes) -> tuple[Reference, bytes]:
        return await self._desk.store_payload(data, kept), b""

    async def _load(self, reference: Reference, most: int, _: bytes) -> tuple[tuple[str, Kind], bytes]:
        if reference.object.startswith("applied."):
            raise self._denied("to read the files of the network")
        found = await self._desk.load_payload(reference, most)
        return (found.name, found.kind), bytes(found.data)

    async def _positions(self, ensemble: str, spots: list[Spot]) -> list[int | None]:
        self._own(ensemble)
        return await self._desk.queue_positions(ensemble, spots)

    async def _head(self, ensemble: str, priority: Priority) -> float | None:
        self._own(ensemble)
        return await self._desk.queue_head(ensemble, priority)

    async def _waiting(self, ensemble: str) -> int:
        self._own(ensemble)
        return await self._desk.waiting(ensemble)

    async def _register(self, registration: Registration) -> None:
        """What it offers is what the file declares; of a function it may tell what that takes and is for."""
        self._own(registration.ensemble)
        declared = self._generation().declared
        offered = []
        for capability in registration.capabilities:
            known = declared.get(self._name, capability.name)
            if known is None or capability.provider != self._name:
                raise self._denied(f"to offer {capability.provider}/{capability.name}")
            offered.append(replace(capability, type=known.type, tags=known.tags, authority=known.authority))
        told = registration.model_copy(update={"runner": self._runner, "capabilities": tuple(offered)})
        await self._desk.register(told)

    async def _answer(self, reply: str, data: bytes) -> tuple[None, bytes]:
        if not self.may_answer(reply):
            raise self._denied(f"to send something to {reply}")
        await self._desk.answer(reply, data)
        return None, b""

    def may_answer(self, reply: str) -> bool:
        """Whether somebody waits there who may call this ensemble."""
        caller, generation = waits_in(reply), self._generation()
        if caller is None or is_outside(caller):
            return caller is not None
        wired = (*generation.wired_callers.items(), *generation.leaving_callers.items())
        return any(provider == self._name and caller in callers for (provider, _), callers in wired)

    def _handed_off(self, record: Record) -> bool:
        moved = record.moved
        return moved is not None and handed_off_by(record, self._name) and self._may_call(record.provider, moved.task)

    def _may_call(self, provider: str, task: str) -> bool:
        generation, target = self._generation(), (provider, task)
        callers = (generation.wired_callers.get(target, ()), generation.leaving_callers.get(target, ()))
        return any(self._name in found for found in callers)

    def _own(self, ensemble: str) -> None:
        if ensemble != self._name:
            raise self._denied(f"for what is {ensemble}'s")

    async def _in_hand(self, caller: str, request_id: str) -> None:
        """Raises Denied where the request was not delivered to this ensemble, StoreAway where that cannot be seen."""
        if not await self._grip.has(caller, request_id):
            raise self._denied(f"for {caller}/{request_id}, which is not in its hands")

    def _denied(self, what: str) -> Denied:
        _log.warning("the process of %s asked %s: denied", self._name, what)
        return Denied(what)
