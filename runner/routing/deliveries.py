"""What a request asks of its delivery, against what the network has. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from runner.config.suggest import did_you_mean
from runner.deliverable import (
    AnyDelivery,
    Deliverable,
    NoDelivery,
    QueueDelivery,
    ReplyDelivery,
    StoreDelivery,
    TopicDelivery,
    UnsupportedDelivery,
)
from runner.subjects import is_name
from runner.templates import TemplateProblem, compile_value
from runner.work import Code, DeliverySpec, WorkError

METHODS = ("reply", "none", "queue", "topic", "store", "named")
LATER_METHODS = ("webhook", "websocket", "broadcast_claim")

_SEEN_BY_KEYS = {"request"}


def settled(asked: DeliverySpec | None, named: Mapping[str, AnyDelivery]) -> Deliverable | WorkError:
    """The delivery that is meant, or why there is none. `named` are the deliveries of the file."""
    if asked is None:
        return ReplyDelivery()
    match asked.method:
        case "reply":
            return ReplyDelivery()
        case "none":
            return NoDelivery()
        case "queue" | "topic":
            return _channel(asked.method, asked.address or "")
        case "store":
            return _store(asked)
        case "named":
            return _named(asked.address or "", named)
        case later if later in LATER_METHODS:
            return _later(later)
        case unknown:
            hint = did_you_mean(unknown, METHODS, otherwise="`run-network explain UNKNOWN_DELIVERY` lists them")
            return WorkError(
                code=Code.UNKNOWN_DELIVERY, message=f"there is no delivery method `{unknown[:80]}`", hint=hint
            )


def _channel(method: str, name: str) -> Deliverable | WorkError:
    if not is_name(name):
        hint = "lower-case letters, digits and hyphens, a letter first"
        return WorkError(code=Code.INVALID_REQUEST, message=f"`{name[:80]}` is no name of a {method}", hint=hint)
    return QueueDelivery(name) if method == "queue" else TopicDelivery(name)


def _store(asked: DeliverySpec) -> Deliverable | WorkError:
    if not asked.key:
        return WorkError(code=Code.INVALID_REQUEST, message="a delivery to the store needs a `key`")
    try:
        strangers = compile_value(asked.key).names - _SEEN_BY_KEYS
    except TemplateProblem as problem:
        return WorkError(code=Code.INVALID_REQUEST, message=f"the key of the store: {problem.message}")
    if strangers:
        message = f"the key of the store reads `{min(strangers)}`"
        return WorkError(code=Code.INVALID_REQUEST, message=message, hint="it sees `request` alone")
    return StoreDelivery(asked.key, asked.ttl)


def _named(name: str, named: Mapping[str, AnyDelivery]) -> Deliverable | WorkError:
    found = named.get(name)
    if found is None:
        otherwise = "add it to `deliveries:` in the network file; an entry whose `when:` is empty is left out"
        hint = did_you_mean(name, named, otherwise=otherwise)
        return WorkError(code=Code.UNKNOWN_DELIVERY, message=f"no delivery is called `{name[:80]}`", hint=hint)
    return _later(found.method) if isinstance(found, UnsupportedDelivery) else found


def _later(method: str) -> WorkError:
    message = f"the delivery method `{method}` is not supported yet"
    return WorkError(code=Code.NOT_YET_SUPPORTED, message=message, hint="queue, topic or store")
