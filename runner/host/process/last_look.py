"""How the ensemble in a process is, and what it has in hand, as it said when it was last asked."""

from __future__ import annotations

from collections.abc import Mapping

from runner.beat import Vitals
from runner.host.hosted import Hand
from runner.host.process import calls
from runner.host.process.line import Line, LineLost
from runner.work import Priority

LOOK_SECONDS = 1.0
"""How long whoever wants to know how it is waits for a process that is busy."""


class LastLook:
    """Of one ensemble, through one process after the other; nothing is known before the first look."""

    def __init__(self) -> None:
        self._look: calls.Look | None = None

    async def renew(self, line: Line | None) -> None:
        """Ask now. Where the process does not answer in time it stays as it was; where there is none, all is over."""
        if line is None or not line.is_open:
            self.forget()
            return
        try:
            self._look = await line.ask(calls.LOOK, seconds=LOOK_SECONDS)
        except LineLost:
            self.forget()
        except (TimeoutError, RuntimeError):  # it is busy, or not open yet
            return

    def forget(self) -> None:
        """The process is gone, and what was in its hands with it."""
        self._look = None

    @property
    def vitals(self) -> Vitals | None:
        return self._look.vitals if self._look is not None else None

    @property
    def client(self) -> int | None:
        return self._look.client if self._look is not None else None

    @property
    def leaving(self) -> tuple[str, ...]:
        return self._look.leaving if self._look is not None else ()

    def in_hand(self) -> Mapping[Priority, int]:
        return self._look.vitals.in_hand if self._look is not None else {}

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        return hand.messages if (hand := self._hand(caller, request_id)) else ()

    def holds(self, caller: str, request_id: str) -> bool:
        """Whether a task is worked on there."""
        hand = self._hand(caller, request_id)
        return hand is not None and not hand.passed

    def calls(self, caller: str, request_id: str) -> bool:
        """Whether a tool call is in hand there."""
        return self._look is not None and (caller, request_id) in self._look.calls

    def _hand(self, caller: str, request_id: str) -> Hand | None:
        hands = self._look.tasks if self._look is not None else ()
        return next((hand for hand in hands if (hand.caller, hand.request_id) == (caller, request_id)), None)
