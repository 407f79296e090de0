"""Printing the outcome of a request, the same for `call` and `result`."""

from __future__ import annotations

import json
import sys

from runner.cli import output
from runner.cli.door import FINE, INPUT, PENDING
from runner.cli.render import problems
from runner.cli.render.style import visible
from runner.client.patience import Patience
from runner.errors import UsageProblem
from runner.work import Code, Standing, Status, TaskAccepted, WorkError, WorkResponse

FAILING = Patience()


def tell(
    answer: WorkResponse | Standing | TaskAccepted,
    *,
    as_json: bool,
    pending_code: int = PENDING,
    patience: Patience = FAILING,
) -> int:
    """Print the answer and return the exit code that goes with it; `pending_code` for one that is not there yet.

    With a `patience` that goes on after the deadline, what was finished by then stands in for the result.

    Raises UsageProblem for an unknown request.
    """
    match answer:
        case WorkResponse():
            return _outcome(answer, as_json, patience)
        case TaskAccepted():
            output.document(output.plain(answer, keep_none=False)) if as_json else output.data(answer.request_id)
            return FINE
        case Standing(response=WorkResponse() as response):
            return _outcome(response, as_json, patience)
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


def _outcome(response: WorkResponse, as_json: bool, patience: Patience) -> int:
    completed = response.status is Status.COMPLETED
    goes_on = not completed and patience.goes_on_after(response)
    if as_json:
        output.document(output.plain(response, keep_none=False))
    elif completed:
        result = response.result
        output.data(result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False))
    elif goes_on:
        _went_on(response)
    else:
        _failed(response)
    return FINE if completed or goes_on else INPUT


def _went_on(response: WorkResponse) -> None:
    """What was finished, as the result: outputs by step, or null."""
    why = response.error.message if response.error else f"the request ended {response.status}"
    output.talk(f"{visible(why)}: going on with {'what was finished' if response.partial else 'nothing finished'}")
    output.data(json.dumps(response.partial, indent=2, ensure_ascii=False))


def _failed(response: WorkResponse) -> None:
    error = response.error or WorkError(code=response.status, message=f"the request ended {response.status}")
    who = f" by {visible(response.provider)}" if response.provider else ""
    output.talk(f"{response.status}{who} ({visible(response.request_id)})")
    output.talk(problems.failure(error, colour=output.coloured(sys.stderr)))
    if response.partial:
        output.talk(f"finished before that: {visible(', '.join(response.partial))} (--json shows their outputs)")
