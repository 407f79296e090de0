"""From the arguments of a call to its WorkRequest."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from pydantic import JsonValue, TypeAdapter, ValidationError

from runner.client.targets import Target
from runner.durations import parse_duration
from runner.errors import UsageProblem
from runner.soundness import unsound
from runner.work import (
    REQUEST_ID_PATTERN,
    Authority,
    DeliverySpec,
    Priority,
    WorkRequest,
    new_request_id,
    new_trace,
)

Member = TypeVar("Member", bound=StrEnum)

LONGEST_DEADLINE = timedelta(days=3650)
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


def request_for(
    target: Target,
    context: JsonValue,
    *,
    caller: str,
    deadline: str | float | timedelta,
    priority: str,
    delivery: str | DeliverySpec | None,
    request_id: str | None,
    authority: str | None,
) -> WorkRequest:
    """A new request in a trace of its own. Raises UsageProblem naming the argument that is wrong."""
    method = delivery.method if isinstance(delivery, DeliverySpec) else delivery
    if method not in (None, "reply"):
        raise UsageProblem(f"the delivery {method!r} is not supported yet", hint="results come back as the reply")
    if request_id is not None and not re.fullmatch(REQUEST_ID_PATTERN, request_id):
        raise UsageProblem(f"{request_id!r} is no request id", hint="letters, digits, `-` and `_`, at most 128")
    return WorkRequest(
        request_id=request_id or new_request_id(),
        caller=caller,
        task=target.capability,
        context=_sound(context),
        priority=_member(Priority, priority, "priority"),
        deadline=_deadline(deadline),
        authority=_member(Authority, authority, "authority") if authority else Authority.AUTONOMOUS,
        trace_context=new_trace(),
        submitted_at=datetime.now(UTC),
    )


def _deadline(given: str | float | timedelta) -> timedelta:
    match given:
        case timedelta():
            span = given
        case str():
            try:
                span = parse_duration(given)
            except ValueError as problem:
                raise UsageProblem(f"{given!r} is no deadline", hint="say 30s, 5m, 1h30m or PT30M") from problem
        case _:
            try:
                span = timedelta(seconds=given)
            except (OverflowError, ValueError) as problem:
                raise UsageProblem(f"{given!r} is no deadline", hint="say how many seconds") from problem
    if not timedelta(0) < span <= LONGEST_DEADLINE:
        raise UsageProblem("a deadline must lie ahead, and within ten years", hint="say 30s, 5m, 1h30m or PT30M")
    return span


def _member(kind: type[Member], text: str, what: str) -> Member:
    try:
        return kind(text.upper())
    except ValueError:
        known = ", ".join(member.lower() for member in kind)
        raise UsageProblem(f"there is no {what} {text!r}", hint=f"one of {known}") from None


def _sound(context: object) -> JsonValue:
    """The context, where it can be carried. Raises UsageProblem."""
    try:
        value = _JSON.validate_python(context)
    except (ValidationError, RecursionError) as problem:
        raise UsageProblem("the context is no JSON value", hint="send text, numbers, lists or mappings") from problem
    if why := unsound(value):
        raise UsageProblem(f"the context cannot be carried: {why}", hint="send plain text or a flatter structure")
    return value
