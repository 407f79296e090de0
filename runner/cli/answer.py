"""Printing the outcome of a request, the same for `call` and `result`."""

from __future__ import annotations

import json
import sys

from runner.cli import output
from runner.cli.door import FINE, INPUT, PENDING
from runner.cli.render import problems
from runner.cli.render.style import visible
from runner.errors import UsageProblem
from runner.work import Code, Standing, Status, TaskAccepted, WorkError, WorkResponse


def tell(answer: WorkResponse | Standing | TaskAccepted, *, as_json: bool, pending_code: int = PENDING) -> int:
    """Print the answer and return the exit code that goes with it; `pending_code` for one that is not there yet.

    Raises UsageProblem for an unknown request.
    """
    match answer:
        case WorkResponse():
            return _outcome(answer, as_json)
        case TaskAccepted():
            output.document(output.plain(answer, keep_none=False)) if as_json else output.data(answer.request_id)
            return FINE
        case Standing(response=WorkResponse() as response):
            return _outcome(response, as_json)
        case Standing(status="UNKNOWN"):
            raise UsageProblem(
                f"no request is known as {answer.request_id}",
                hint="`run-network requests` lists the tasks; tool calls record no outcome",
                code=Code.UNKNOWN_REQUEST,
            )
        case _:
            return pending(answer.request_id, answer.state, pending_code)


def pending(request_id: str, state: str | None, code: int = PENDING) -> int:
    """Say on stdout that there is no outcome yet, and return the code."""
    output.document({"requestId": request_id, "status": "PENDING", "state": state})
    return code


def _outcome(response: WorkResponse, as_json: bool) -> int:
    completed = response.status is Status.COMPLETED
    if as_json:
        output.document(output.plain(response, keep_none=False))
    elif completed:
        result = response.result
        output.data(result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _failed(response)
    return FINE if completed else INPUT


def _failed(response: WorkResponse) -> None:
    error = response.error or WorkError(code=response.status, message=f"the request ended {response.status}")
    who = f" by {visible(response.provider)}" if response.provider else ""
    output.talk(f"{response.status}{who} ({visible(response.request_id)})")
    output.talk(problems.failure(error, colour=output.coloured(sys.stderr)))
    if response.partial:
        output.talk(f"finished before that: {visible(', '.join(response.partial))} (--json shows their outputs)")
