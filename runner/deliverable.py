"""Where results can go, resolved: one frozen type a method of delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ReplyDelivery:
    """To whoever waits, and to nobody else."""


@dataclass(frozen=True, slots=True)
class NoDelivery:
    """To nobody; the outcome is recorded."""


@dataclass(frozen=True, slots=True)
class QueueDelivery:
    """Into a durable queue: to one of its consumers."""

    name: str


@dataclass(frozen=True, slots=True)
class TopicDelivery:
    """To a durable topic: to all of its subscribers."""

    name: str


@dataclass(frozen=True, slots=True)
class StoreDelivery:
    """Under a key, for as long as `ttl` or until it is written again. `key` is a template that sees `request`."""

    key: str
    ttl: timedelta | None = None


@dataclass(frozen=True, slots=True)
class UnsupportedDelivery:
    """A method that this version reads but does not have. A request that asks for it is refused."""

    method: str


Deliverable = ReplyDelivery | NoDelivery | QueueDelivery | TopicDelivery | StoreDelivery
AnyDelivery = Deliverable | UnsupportedDelivery
