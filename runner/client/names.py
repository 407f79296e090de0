"""How a client names a request: `ID`, or `CALLER/ID` where two callers used the same one."""

from __future__ import annotations

import re

from runner.errors import UsageProblem
from runner.work import CALLER_PATTERN, REQUEST_ID_PATTERN, Code


def parts(request_id: str) -> tuple[str | None, str]:
    """(caller, id) of `CALLER/ID`, (None, id) of `ID`. Raises UsageProblem."""
    caller, slash, own_id = request_id.rpartition("/")
    if not re.fullmatch(REQUEST_ID_PATTERN, own_id) or (slash and not re.fullmatch(CALLER_PATTERN, caller)):
        raise UsageProblem(f"{request_id!r} is no request id", hint="say `ID` or `CALLER/ID`")
    return (caller if slash else None), own_id


def unknown(request_id: str) -> UsageProblem:
    return UsageProblem(
        f"nobody knows a request {request_id}",
        code=Code.UNKNOWN_REQUEST,
        hint="`run-network requests` lists them; outcomes are kept for `defaults.results_kept`",
    )
