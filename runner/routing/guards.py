"""What a provider refuses before it does anything: the hard limits on a request, checked again where it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from runner.work import Authority, Code, Status, WorkError, WorkRequest


@dataclass(frozen=True, slots=True)
class Refusal:
    status: Status
    error: WorkError


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it arrived at `target` (ensemble/capability), which is registered with an authority.

    `caller` is the subject's token, which the server vouches for.
    """

    request: WorkRequest
    caller: str
    target: str
    registered: Authority
    wired: bool
    max_hops: int
    handed_off: bool = False
    """The record proves that `caller` had it from the one it is from, and passed it on."""


def refuse(arrival: Arrival, now: datetime) -> Refusal | None:
    """The first limit that the request breaks, or None. Pure."""
    for guard in (_forged, _unwired, _out_of_scope, _authority, _cycle, _hops):
        if error := guard(arrival):
            return Refusal(Status.REJECTED, error)
    if now >= arrival.request.expires_at:
        message = f"the deadline had passed when {arrival.target} came to it"
        hint = "give it a longer deadline or a higher priority"
        return Refusal(Status.EXPIRED, WorkError(code=Code.DEADLINE_EXCEEDED, message=message, hint=hint))
    return None


def _forged(arrival: Arrival) -> WorkError | None:
    if arrival.request.caller == arrival.caller or arrival.handed_off:
        return None
    message = f"the request says it is from {arrival.request.caller!r}, but {arrival.caller!r} sent it"
    return WorkError(code=Code.INVALID_REQUEST, message=message, hint="`from` must be the sender")


def _unwired(arrival: Arrival) -> WorkError | None:
    if arrival.wired:
        return None
    message = f"{arrival.caller} is not wired to {arrival.target}"
    hint = f"add a use to {arrival.caller}, such as `uses: {{NAME: {arrival.target}}}`"
    return WorkError(code=Code.NOT_WIRED, message=message, hint=hint)


def _out_of_scope(arrival: Arrival) -> WorkError | None:
    if in_scope(arrival.target, arrival.request.scope):
        return None
    message = (
        f"{arrival.target} is outside the scope that the caller lends: {', '.join(arrival.request.scope) or 'none'}"
    )
    return WorkError(code=Code.NOT_WIRED, message=message, hint="widen the caller's `scope`")


def _authority(arrival: Arrival) -> WorkError | None:
    required, registered = arrival.request.authority, arrival.registered
    if required is Authority.AUTONOMOUS:
        return None
    if required.rank > registered.rank:
        message = f"the request requires {_said(required)}, but {arrival.target} is registered as {_said(registered)}"
        hint = f"raise the `authority` of {arrival.target}, or ask a capability that may carry it"
        return WorkError(code=Code.AUTHORITY_EXCEEDED, message=message, hint=hint)
    # a human would have to be asked, and a gate fails closed
    message = f"the request requires {_said(required)} and this version cannot ask a human yet"
    return WorkError(code=Code.REVIEW_UNAVAILABLE, message=message, hint="call it without an authority")


def _cycle(arrival: Arrival) -> WorkError | None:
    budget = arrival.request.budget
    if arrival.target not in arrival.request.chain or (budget is not None and budget.hops is not None):
        return None
    path = " → ".join((*arrival.request.chain, arrival.target))
    hint = "break the loop, or allow it a number of turns with `max_hops` on one of its uses"
    return WorkError(code=Code.DELEGATION_CYCLE, message=f"the delegation came back: {path}", hint=hint)


def _hops(arrival: Arrival) -> WorkError | None:
    budget = arrival.request.budget
    hops = len(arrival.request.chain)
    if hops >= arrival.max_hops:
        message = f"{arrival.target} would be hop {hops + 1} of at most {arrival.max_hops}"
        return WorkError(code=Code.HOPS_EXCEEDED, message=message, hint="the limit is `defaults.max_hops`")
    if budget is not None and budget.hops is not None and budget.hops < 0:
        message = f"{arrival.target} is beyond the hops that a use on the way allows"
        return WorkError(code=Code.HOPS_EXCEEDED, message=message, hint="the limit is that use's `max_hops`")
    return None


def in_scope(target: str, scope: Sequence[str]) -> bool:
    """Whether `ensemble/capability` matches one of the patterns (`*`, `kitchen/*`, `kitchen/prepare-meal`)."""
    return "*" in scope or any(fnmatchcase(target, pattern) for pattern in scope)


def _said(authority: Authority) -> str:
    return f"`{authority.lower()}`"
