"""The process of one ensemble: `python -m runner.host.process.main LINE SOURCES PARENT`.

Started by a runner, with two sockets to it that are already open. It ends with its runner, however that ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

from runner.capability import CapabilityInfo
from runner.endings import ended
from runner.errors import StartFailed
from runner.functions.loading import ModuleSpace
from runner.functions.threads import OneThread
from runner.host.ensemble import HostedEnsemble
from runner.host.heartbeat import PLAIN, Heartbeat
from runner.host.loading import Begin, loaded
from runner.host.process import calls
from runner.host.process.handover import Handover, unpacked
from runner.host.process.line import Line, nobody_minds
from runner.host.process.remote_desk import RemoteDesk
from runner.host.process.sources import MOST_GIVEN, Taking
from runner.host.version import Version

SILENT_SECONDS = 10.0
"""A runner that is not heard for so long is stopped or hangs. Its tasks have gone to others by then."""

_PR_SET_PDEATHSIG = 1
_GONE, _SILENT = 70, 75


class Guest:
    """The ensemble in this process, as its runner directs it."""

    def __init__(self, sources: Taking) -> None:
        self.line = Line(most=MOST_GIVEN, lost=_runner_gone)
        self.over = asyncio.Event()
        self._sources = sources
        self._hosted: HostedEnsemble | None = None
        self._desk: RemoteDesk | None = None
        self._next: Version | None = None
        self._is_open = False
        self._later: bytes | None = None
        self._early: list[calls.Outlook] = []
        line = self.line
        line.answer_bytes(calls.OPEN, self._open)
        line.answer_bytes(calls.EXTEND, self._extend)
        line.answer(calls.SERVE, lambda: self._ensemble.serve())
        line.answer(calls.PAUSE, self._pause)
        line.answer(calls.OFFER, lambda: self._ensemble.register())
        line.answer(calls.CONTRACT, self._contract)
        line.answer(calls.RETIRE, lambda still_asked: self._ensemble.retire(still_asked=still_asked))
        line.answer(calls.SETTLED, lambda: self._ensemble.settled())
        line.answer(calls.BEGUN, lambda: self._ensemble.begun())
        line.answer(calls.LEAVE, lambda: self._ensemble.leave())
        line.answer(calls.STOP, self._stop)
        line.answer(calls.OPEN_CALLS, lambda addresses: self._ensemble.open_calls(addresses))
        line.answer(calls.LOOK, self._look)
        line.hear(calls.ADMIT, self._admit)
        line.hear_bytes(calls.SWITCH, self._switch)
        line.hear(calls.OUTLOOK, self._see)
        line.hear(calls.RELOADS, self._reloaded)
        line.hear(calls.CANCEL, self._cancel)

    @property
    def _ensemble(self) -> HostedEnsemble:
        assert self._hosted is not None
        return self._hosted

    async def _open(self, body: bytes) -> tuple[tuple[CapabilityInfo, ...], bytes]:
        given = Handover.unpacked(body)
        desk = self._desk = RemoteDesk(given.name, self.line, given.reloads, given.outlook)
        for outlook in self._early:
            desk.see(outlook)
        Heartbeat(Path(given.directory), desk.tell, nobody_warned, PLAIN).open()
        modules = ModuleSpace(self._sources.read, Path(given.directory), given.generation.number)
        hosted = self._hosted = HostedEnsemble(given.generation, given.name, desk, modules=modules, runner=given.runner)
        try:
            thread = OneThread("load")
            await loaded(partial(_load, hosted, held=given.held), desk.tell, Path(given.directory), thread)
            thread.close()
            await hosted.open(given.urls, given.credentials)
        except StartFailed:
            await asyncio.sleep(0)  # what was logged of it goes first: the answer ends this process
            raise
        assert hosted.version is not None
        self._is_open = True
        if self._later is not None:
            self._switch(self._later)
        return hosted.version.capabilities, b""

    def _see(self, outlook: calls.Outlook) -> None:
        """The first may come while what the desk begins with is still being unpacked."""
        if self._desk is None:
            self._early.append(outlook)
        else:
            self._desk.see(outlook)
            if outlook.conditions and self._hosted is not None:
                self._hosted.see_change()

    def _reloaded(self, reloads: int) -> None:
        if self._desk is not None:
            self._desk.reloads = reloads

    async def _extend(self, body: bytes) -> tuple[tuple[CapabilityInfo, ...], bytes]:
        hosted = self._ensemble
        version = self._next = hosted.version_in(unpacked(body), hosted.modules)
        await hosted.extend(version)
        return version.capabilities, b""

    async def _pause(self) -> None:
        self._ensemble.pause_intake()

    def _switch(self, generation: bytes) -> None:
        """To what was extended for; or to a generation in which this ensemble is what it was, given with this."""
        if generation and not self._is_open:
            self._later = generation
            return
        hosted = self._ensemble
        version = hosted.version_in(unpacked(generation), hosted.modules) if generation else self._next
        assert version is not None
        hosted.switch(version)

    def _admit(self) -> None:
        if self._hosted is not None:
            self._hosted.admit()

    def _cancel(self, caller: str, request_id: str) -> None:
        if self._hosted is not None:
            self._hosted.cancel(caller, request_id)

    async def _contract(self) -> None:
        hosted = self._ensemble
        await hosted.contract()
        if hosted.version is not None:
            hosted.version.generation.leaving_callers.clear()

    async def _stop(self, seconds: float) -> str | None:
        await self._ensemble.stop(seconds)
        self.over.set()
        return self._ensemble.detail

    async def _look(self) -> calls.Look:
        hosted = self._ensemble
        return calls.Look(hosted.vitals, hosted.hands(), hosted.calls(), hosted.leaving, hosted.client)

    async def watch(self) -> None:
        """Say that this process goes on, and end with a runner that says nothing any more."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            if not self.line.is_full:
                self.line.tell(calls.ALIVE)
            if loop.time() - self.line.heard_at > SILENT_SECONDS:
                os._exit(_SILENT)


class Telling(logging.Handler):
    """Log records go to the runner's log. While it does not keep up they are lost."""

    def __init__(self, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._line = line
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        told = (record.name, record.levelno, self.format(record))
        try:
            self._loop.call_soon_threadsafe(self._tell, *told)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return

    def _tell(self, name: str, level: int, text: str) -> None:
        if not self._line.is_full:
            self._line.tell(calls.LOGGED, name, level, text)


async def host(line: int, sources: int) -> None:
    """Host an ensemble until its runner stops it."""
    loop = asyncio.get_running_loop()
    guest = Guest(Taking(socket.socket(fileno=sources)))
    logging.getLogger().addHandler(Telling(guest.line, loop))
    logging.getLogger("runner").setLevel(logging.INFO)
    await loop.create_unix_connection(lambda: guest.line, sock=socket.socket(fileno=line))
    watching = asyncio.ensure_future(guest.watch())
    await guest.over.wait()
    await ended(watching)
    guest.line.lost = nobody_minds
    await guest.line.close()


def nobody_warned(_: str) -> None:
    """Nobody hears of it before the loop goes on; until then its runner finds the process silent."""


def _load(hosted: HostedEnsemble, begin: Begin, *, held: bool) -> None:
    begin(hosted.name)
    if held:
        hosted.prepare()
    else:
        hosted.load_code()


def _runner_gone() -> None:
    os._exit(_GONE)


def die_with(parent: int) -> None:
    """Be killed when the process that started this one ends, whatever happens here at that moment."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(_GONE)


def main() -> None:
    line, sources, parent = map(int, sys.argv[1:4])
    die_with(parent)
    for number in (line, sources):
        os.set_inheritable(number, False)  # what this process starts is not its runner's guest
    asyncio.run(host(line, sources))


if __name__ == "__main__":
    main()
