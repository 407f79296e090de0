"""What talking to the server raises while it, or the leader of a stream, is away."""

from __future__ import annotations

from nats.errors import (
    BadSubscriptionError,
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    FlushTimeoutError,
    NoRespondersError,
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeout

AWAY = (
    TimeoutError,
    OSError,
    NatsTimeout,
    NoRespondersError,
    ConnectionClosedError,
    ConnectionReconnectingError,
    OutboundBufferLimitError,
    ConnectionDrainingError,
    BadSubscriptionError,
    FlushTimeoutError,
)
