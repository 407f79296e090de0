"""One try of a health probe: a function, an address, or a tool of the ensemble."""

from __future__ import annotations

import asyncio
import base64
import re
import urllib.error
import urllib.request
from concurrent.futures import Executor
from datetime import UTC, datetime
from http.client import HTTPException, HTTPMessage, InvalidURL
from typing import IO
from urllib.parse import unquote_to_bytes

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
    """A user and a password in the address are sent as HTTP has it, and are in nothing that is told."""
    bare, authorization = _parted(address)
    if not bare.startswith(_SCHEMES):
        return "its address is none of the web"
    try:
        request = urllib.request.Request(bare)
        if authorization is not None:
            request.add_unredirected_header("Authorization", authorization)
        with urllib.request.build_opener(_SameOrigin).open(request, timeout=seconds):
            return None
    except urllib.error.HTTPError as refused:
        return f"{refused.code} {refused.reason}"
    except InvalidURL:
        return "its address cannot be read"
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as away:
        return f"no answer: {getattr(away, 'reason', None) or away}"


def _parted(address: str) -> tuple[str, str | None]:
    """The address without its user, and the header that says who that is (RFC 7617)."""
    scheme, slashes, rest = address.partition("://")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    user, at, bare = host.rpartition("@")
    if not at:
        return address, None
    said = base64.b64encode(unquote_to_bytes(user if ":" in user else f"{user}:")).decode()
    return f"{scheme}{slashes}{bare}{rest[len(host) :]}", f"Basic {said}"


class _SameOrigin(urllib.request.HTTPRedirectHandler):
    """Tells who asks again where the same server sends it on, and nobody else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        said = req.unredirected_hdrs.get("Authorization")
        if following is not None and said is not None and (following.type, following.host) == (req.type, req.host):
            following.add_unredirected_header("Authorization", said)
        return following


def _seconds(health: Health) -> float:
    return health.timeout.total_seconds()
