"""One try of a health probe: a function, an address, or a tool of the ensemble."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from concurrent.futures import Executor
from datetime import UTC, datetime

from runner.host.delegation import Delegation
from runner.host.serving import Serving
from runner.host.workplace import Workplace
from runner.model import PythonTarget
from runner.probe import Health
from runner.work import WorkRequest, new_request_id, new_trace

CALLER = "_health"
_SCHEMES = ("http://", "https://")


async def tried(health: Health, serving: Serving | None, threads: Executor) -> str | None:
    """None where all is well, else what is not. What the user's code raises comes through."""
    if serving is None:
        return None
    workplace = serving.workplace
    if health.http is not None:
        return await asyncio.get_running_loop().run_in_executor(threads, _fetched, health.http, _seconds(health))
    target = health.python or workplace.ensemble.tools[health.tool or ""].python
    return await _called(target, health, workplace, threads)


async def _called(target: PythonTarget, health: Health, workplace: Workplace, threads: Executor) -> str | None:
    """What is false says that it is not well, and so does whatever is raised."""
    function = workplace.functions(target).on(threads)
    given = health.input if health.input is not None else "" if function.input_schema is None else {}
    capability = health.tool or "health"
    request = WorkRequest(
        request_id=new_request_id(),
        caller=CALLER,
        task=capability,
        context=given,
        deadline=health.timeout,
        trace_context=new_trace(),
        submitted_at=datetime.now(UTC),
    )
    delegation = Delegation(workplace, request, capability, holds_slot=False)
    answer = await function(given, delegation, ("health",))
    return f"`{target.function}` says {answer!r}" if answer is False else None


def _fetched(address: str, seconds: float) -> str | None:
    if not address.startswith(_SCHEMES):
        return f"{address} is no address of the web"
    try:
        with urllib.request.urlopen(address, timeout=seconds):
            return None
    except urllib.error.HTTPError as refused:
        return f"{refused.code} {refused.reason}"
    except (urllib.error.URLError, OSError, ValueError) as away:
        return f"no answer: {getattr(away, 'reason', None) or away}"


def _seconds(health: Health) -> float:
    return health.timeout.total_seconds()
