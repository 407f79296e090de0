"""Who has a request in hand, as its runner says itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from runner.bus.away import AWAY
from runner.bus.questions import Questions
from runner.host.hosted import Hosted
from runner.subjects import Subjects

HOLDS = "holds"
ASK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Holders:
    """Asks over the runner's own connection."""

    questions: Questions
    subjects: Subjects

    async def ask(self, runner: str, ensemble: str, caller: str, request_id: str) -> frozenset[int]:
        """The messages in which a runner holds a request, by sequence; none where it does not say in time."""
        body = json.dumps([ensemble, caller, request_id]).encode()
        try:
            answer = await self.questions.ask(self.subjects.control(runner, HOLDS), body, ASK_SECONDS)
        except AWAY:
            return frozenset()
        return frozenset(json.loads(answer)) if answer else frozenset()


async def held(hosted: Mapping[str, Hosted], body: bytes) -> bytes:
    """The answer of a runner that hosts these."""
    ensemble, caller, request_id = json.loads(body)
    if ensemble not in hosted:
        return b"[]"
    await hosted[ensemble].look()
    found = hosted[ensemble].messages(caller, request_id)
    return json.dumps(sorted(found)).encode()
