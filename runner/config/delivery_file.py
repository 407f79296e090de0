"""A delivery as written: how and where a result goes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, model_validator

from runner.config.codes import Rule
from runner.config.fields import Duration, FileModel, Given, Name, problem

METHODS = ("reply", "none", "queue", "topic", "webhook", "store", "websocket", "broadcast_claim")


class WebhookFile(FileModel):
    url: str
    """Where the result is posted."""
    secret: Given[str] = None
    """The signing secret, by reference: `${env:NAME}`."""


class StoreFile(FileModel):
    key: str
    """The key the result is kept under; a template that sees `request`."""
    ttl: Given[Duration] = None
    """How long it is kept; without it, until the key is written again. Counted in whole seconds."""


def _webhook(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _store(value: object) -> object:
    return {"key": value} if isinstance(value, str) else value


class DeliveryFile(FileModel):
    """Exactly one method."""

    reply: Given[bool] = None
    """The caller waits for the result."""
    none: Given[bool] = None
    """Nobody is told; the result is only recorded."""
    queue: Given[Name] = None
    """A durable queue, by name: each result goes to one consumer."""
    topic: Given[Name] = None
    """A durable topic, by name: each result goes to all subscribers."""
    webhook: Given[Annotated[WebhookFile, BeforeValidator(_webhook, json_schema_input_type=str | WebhookFile)]] = None
    """An HTTP address that the result is posted to."""
    store: Given[Annotated[StoreFile, BeforeValidator(_store, json_schema_input_type=str | StoreFile)]] = None
    """A key that the result is kept under."""
    websocket: Given[str] = None
    """A channel of the web socket, by name."""
    broadcast_claim: Given[str] = None
    """A topic whose first claimer gets the result."""
    when: Given[str] = None
    """The delivery is left out while this is empty, usually `${env:NAME:-}`."""

    @property
    def method(self) -> str:
        """The one that is given."""
        return next(method for method in ("name", *METHODS) if getattr(self, method, None) is not None)

    @model_validator(mode="after")
    def _one_method(self) -> DeliveryFile:
        given = [method for method in ("name", *METHODS) if getattr(self, method, None) is not None]
        if not given:
            raise problem(Rule.MISSING_KEY, "{key} names no method", f"give it one of: {', '.join(METHODS)}")
        if len(given) > 1:
            both = f"`{given[0]}` and `{given[1]}`"
            raise problem(Rule.CONFLICTING_KEYS, f"{{key}} has {both}; a delivery has one method", "keep one of them")
        return self


class AskedDelivery(DeliveryFile):
    """A delivery where one is asked for: the name of one in `deliveries:`, or a method on the spot."""

    name: Given[Name] = None
    """The name of a delivery in `deliveries:`."""


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


DeliveryEntry = Annotated[AskedDelivery, BeforeValidator(_named, json_schema_input_type=Name | AskedDelivery)]
"""`guest-board`, or `{topic: stock}`."""
