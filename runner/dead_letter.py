"""What the `dead` bucket holds: a request that no start brought to an end."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from runner.work import Attempt, Wire, WorkRequest


class DeadLetter(Wire):
    """Kept under `CALLER.ID` until it is retried. `sender` is whom the subject said it was from.

    `caller` is whose request it is, which is the sender unless it was handed off.
    """

    request: WorkRequest
    caller: str = Field(alias="from")
    sender: str
    provider: str
    epoch: int
    attempts: int
    history: tuple[Attempt, ...] = ()
    died_at: AwareDatetime
