"""Where tool calls are: which of those that a caller waits for no living runner has in hand.

Any runner is asked, and asks every living runner of the provider. Who cannot say what it has in hand (it is away for
the moment, or its process is busy) may have it all.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from runner.bus.away import AWAY
from runner.bus.questions import Questions
from runner.bus.vigil import AskedCalls
from runner.errors import EnsembleNetworkError
from runner.host.liveness import BEAT_SECONDS
from runner.host.pulse import Pulse
from runner.host.registry import Registry
from runner.subjects import Subjects, inbox

CALLS = "calls"
"""The question to one runner: which of these tool calls it has in hand."""

ASK_SECONDS = 2.0
ACQUAINTED_SECONDS = 1.5 * BEAT_SECONDS
"""For how long a runner that comes up says nothing of calls: it has yet to hear who else is there."""

_log = logging.getLogger("runner.host")


class TakesCalls(Protocol):
    """One ensemble, where it lives."""

    @property
    def name(self) -> str: ...

    async def open_calls(self, addresses: frozenset[str]) -> frozenset[str]:
        """Those of the tool calls to be answered at these addresses that it has, from when they came to the answer.

        Raises what `AWAY` lists, or RuntimeError, where that cannot be told now.
        """
        ...


class Whereabouts:
    """Of one runner; `housed` are all its ensembles, with those that are on their way out."""

    def __init__(
        self,
        questions: Questions,
        subjects: Subjects,
        pulse: Pulse,
        registry: Registry,
        housed: Callable[[], Iterable[TakesCalls]],
    ) -> None:
        self._questions = questions
        self._subjects = subjects
        self._pulse = pulse
        self._registry = registry
        self._housed = housed
        self._began = time.monotonic()

    async def lost(self, subject: str, body: bytes) -> bytes | None:
        """The tokens of the calls that nobody has; silence for a caller that asks for somebody else's."""
        asked, caller = AskedCalls.model_validate_json(body), self._subjects.parse_lost(subject)
        if caller is None or not asked.at.startswith(f"{inbox(caller)}."):
            _log.warning("dropped a question on %s for calls of somebody else", subject)
            return None
        if not self._pulse.hears_itself or time.monotonic() - self._began < ACQUAINTED_SECONDS:
            return b"[]"
        lost = await asyncio.gather(*(self._nobodys(asked.of(provider), provider) for provider in asked.calls))
        return json.dumps(sorted(address.removeprefix(asked.at) for address in frozenset().union(*lost))).encode()

    async def has(self, _: str, body: bytes) -> bytes:
        """Those of these calls that are in hand here; `null` where that cannot be told."""
        asked = AskedCalls.model_validate_json(body)
        held: set[str] = set()
        try:
            for one in self._housed():
                if addresses := asked.addresses(one.name):
                    held |= await one.open_calls(addresses)
        except (*AWAY, RuntimeError, EnsembleNetworkError):
            return b"null"
        return json.dumps(sorted(held)).encode()

    async def _nobodys(self, asked: AskedCalls, provider: str) -> frozenset[str]:
        """Where the answers to those calls are awaited that no living runner has."""
        answers = await asyncio.gather(*(self._at(runner, asked) for runner in self._runners(provider)))
        if None in answers or b"null" in answers:
            return frozenset()
        return asked.addresses(provider).difference(*(json.loads(answer) for answer in answers if answer))

    async def _at(self, runner: str, asked: AskedCalls) -> bytes | None:
        """What a runner has of these; None where it does not say."""
        body = asked.model_dump_json().encode()
        if runner == self._pulse.runner:
            return await self.has("", body)
        try:
            return await self._questions.ask(self._subjects.control(runner, CALLS), body, ASK_SECONDS)
        except AWAY:
            return None

    def _runners(self, provider: str) -> frozenset[str]:
        """Every living runner that may have calls of an ensemble in hand: one that goes is registered no more."""
        registered = frozenset(registration.runner for registration in self._registry.of(provider))
        beating = frozenset(runner for runner, beat in self._pulse.beats.items() if provider in beat.by_ensemble)
        return registered | beating | {self._pulse.runner}
