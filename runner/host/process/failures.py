"""What may go wrong at the other end of the line, so that it is raised at this one as the same."""

from __future__ import annotations

import json

from runner.bus.away import AWAY
from runner.errors import EnsembleNetworkError, ServerFailed, StartFailed
from runner.host.desk import StoreAway
from runner.payload import PayloadProblem, PayloadsAway
from runner.work import Code


class Denied(Exception):
    """An ensemble asked its runner for what is not its own."""


def told(problem: BaseException) -> bytes | None:
    """A problem as it travels; None for one that nobody expects."""
    match problem:
        case StoreAway():
            found = {"kind": "store-away"}
        case PayloadsAway():
            found = {"kind": "payloads-away", "message": str(problem)}
        case PayloadProblem():
            error = problem.error
            found = {"kind": "payload", "code": error.code, "message": error.message, "hint": error.hint or ""}
        case ServerFailed():
            found = {"kind": "server", "message": problem.message, "hint": problem.hint or ""}
        case EnsembleNetworkError():
            found = {"kind": "start", "message": problem.message, "hint": problem.hint or ""}
        case Denied():
            found = {"kind": "denied", "message": str(problem)}
        case _ if isinstance(problem, AWAY):
            found = {"kind": "away", "message": str(problem) or type(problem).__name__}
        case _:
            return None
    return json.dumps(found).encode()


def raised(text: bytes) -> Exception:
    """What `told` told of."""
    found = json.loads(text)
    kind, message, hint = found.get("kind"), str(found.get("message", "")), str(found.get("hint", "")) or None
    match kind:
        case "store-away":
            return StoreAway()
        case "payloads-away":
            return PayloadsAway(message)
        case "payload":
            return PayloadProblem(Code(found["code"]), message, hint or "")
        case "server":
            return ServerFailed(message, hint=hint)
        case "start":
            return StartFailed(message, hint=hint)
        case "denied":
            return Denied(message)
        case "away":
            return TimeoutError(message)
    return RuntimeError(message or "the other end of the line broke")
