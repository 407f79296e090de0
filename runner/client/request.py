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
from runner.subjects import is_name
from runner.work import (
    REQUEST_ID_PATTERN,
    Authority,
    Dedupe,
    DeliverySpec,
    Need,
    Priority,
    WorkRequest,
    new_request_id,
    new_trace,
)

Member = TypeVar("Member", bound=StrEnum)

LONGEST_DEADLINE = timedelta(days=3650)
_LATER_DELIVERIES = ("webhook", "websocket")
_DELIVERY_HINT = "say reply, none, queue:NAME, topic:NAME, store:KEY, or a name of the file's `deliveries:`"
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
    dedupe: str | None = None,
) -> WorkRequest:
    """A new request in a trace of its own. Raises UsageProblem naming the argument that is wrong."""
    if request_id is not None and not re.fullmatch(REQUEST_ID_PATTERN, request_id):
        raise UsageProblem(f"{request_id!r} is no request id", hint="letters, digits, `-` and `_`, at most 128")
    return WorkRequest(
        request_id=request_id or new_request_id(),
        caller=caller,
        task=target.capability,
        context=_sound(context),
        priority=_member(Priority, priority, "priority"),
        deadline=_deadline(deadline),
        delivery=_delivery(delivery),
        authority=_member(Authority, authority, "authority") if authority else Authority.AUTONOMOUS,
        dedupe=_member(Dedupe, dedupe, "dedupe") if dedupe else None,
        need=Need(name=target.capability, tags=target.tags) if target.ensemble is None else None,
        trace_context=new_trace(),
        submitted_at=datetime.now(UTC),
    )


def _delivery(given: str | DeliverySpec | None) -> DeliverySpec | None:
    """`reply`, `none`, `queue:NAME`, `topic:NAME`, `store:KEY`, or the name of one in the network's file."""
    if given is None or isinstance(given, DeliverySpec):
        return given
    method, colon, address = given.partition(":")
    if not colon and method in ("reply", "none"):
        return DeliverySpec(method=method)
    if not colon and is_name(method):
        return DeliverySpec(method="named", address=method)
    if method in ("queue", "topic") and is_name(address):
        return DeliverySpec(method=method, address=address)
    if method == "store" and address:
        return _store(address)
    if method in _LATER_DELIVERIES:
        raise UsageProblem(f"the delivery {given!r} is not supported yet", hint=_DELIVERY_HINT)
    raise UsageProblem(f"{given!r} is no delivery", hint=_DELIVERY_HINT)


def _store(key: str) -> DeliverySpec:
    try:
        return DeliverySpec(method="store", key=key)
    except ValidationError as problem:
        hint = "at most 1,024 characters of plain text"
        raise UsageProblem("the key of the store cannot be carried", hint=hint) from problem


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
