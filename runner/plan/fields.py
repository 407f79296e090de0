"""The one table of what a change of each key means for a running network: it is live, rolling or needs a restart.

A path is that of `runner.config.keys`, from the top of its file; `*` stands for a name or a place in a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum


class FieldClass(StrEnum):
    """How a changed key takes effect. The classes stand in rising order."""

    LIVE = "live"
    """In place, at once."""
    ROLLING = "rolling"
    """By a new version of the ensemble, which is ready before the old one takes no more work."""
    RESTART = "restart"
    """Not while the network runs: the change is refused."""


def _below(path: str, keys: str) -> Iterator[str]:
    """The path itself, and these keys under it."""
    yield path
    yield from (f"{path}.{key}" for key in keys.split())


_DELIVERY = (
    "reply none queue topic webhook webhook.url webhook.secret store store.key store.ttl websocket broadcast_claim when"
)

_NETWORK = {
    FieldClass.LIVE: (
        *_below("tags", "*.description *.aliases"),
        "deliveries",
        *(f"deliveries.*.{key}" for key in _DELIVERY.split()),
        *_below("roles", "*.token"),
        *_below("clients", "*.token *.scope *.authority"),
        *_below("defaults", "priority deadline ageing max_hops drain_timeout on_remove results_kept"),
        *("defaults.max_attempts", "defaults.max_payload"),
        *_below("audit", "level kept"),
        "profiles",
        "ensembles",
    ),
    FieldClass.ROLLING: (*_below("models", "*.*.provider *.*.script *.*.base_url *.*.model *.*.api_key *.*.when"),),
    FieldClass.RESTART: ("version", "network", *_below("nats", "url credentials tls tls.ca tls.cert tls.key")),
}

_ENSEMBLE = {
    FieldClass.LIVE: (
        *("description", "domain", "authority", "scope", "replicas", "sla"),
        *_below("capacity", "max_concurrent queue_limit backpressure"),
        *_below("health", "http tool input interval timeout failures"),
        *_below("uses", "*.to *.discover *.tags *.select *.fallback *.mode *.deadline *.priority *.authority"),
        *(f"uses.*.{key}" for key in ("key", "prefer", "avoid")),
        *(f"uses.*.{key}" for key in ("on_deadline", "on_late_eta", "on_constrained", "dedupe", "max_hops")),
        *_below("uses.*.delivery", f"name {_DELIVERY}"),
        *_below("uses.*.retry", "attempts backoff"),
        *_below("uses.*.circuit_breaker", "failures window half_open_after"),
        *("tools.*.description", "tools.*.idempotent"),
        *_below("tools.*.share", "tags authority cost"),
        *("tasks.*.description", "tasks.*.dedupe"),
        *_below("tasks.*.share", "tags authority cost"),
        *_below("schedules", "*.cron *.time_zone *.task *.context *.when"),
        *_below("schedules.*.delivery", f"name {_DELIVERY}"),
    ),
    FieldClass.ROLLING: (
        "placement",
        *_below("agents", "*.model *.instructions *.tools"),
        "agents.*.tools.*.tool",
        *_below("agents.*.tools.*.catalog", "tags name"),
        *_below("tools", "*.python"),
        "health.python",
        *_below("tasks", "*.output *.input_schema"),
        *_below("tasks.*.steps", "*.id *.when *.tool *.agent *.use *.handoff *.template *.python *.input *.prompt"),
        "tasks.*.steps.*.needs",
        *_below("tasks.*.steps.*.review", "role when timeout on_timeout"),
        *_below("tasks.*.steps.*.for_each", "items max_concurrent"),
        *_below("tasks.*.steps.*.retry", "attempts backoff"),
        *_below("memory", "*.consistency"),
    ),
}

_SCRIPT = {
    FieldClass.ROLLING: (
        *_below("cases", "*.when *.match *.say"),
        *_below("cases.*.turns", "*.tool *.input *.save *.when"),
    ),
}


def _by_path(table: Mapping[FieldClass, Sequence[str]]) -> dict[str, FieldClass]:
    return {path: field_class for field_class, paths in table.items() for path in paths}


CLASSES: Mapping[str, Mapping[str, FieldClass]] = {
    "network": _by_path(_NETWORK),
    "ensemble": _by_path(_ENSEMBLE),
    "script": _by_path(_SCRIPT),
}
"""The class of every key, by file and path. A mapping's own class is that of an entry added to it or removed."""

CODE = "code"
"""What heads the path of a change in a Python module: no key of a file, and rolling."""


def class_of(path: Sequence[str], *, file: str) -> FieldClass:
    """The class of a resolved value's path, which may lead further down than keys do. Raises KeyError for no key."""
    if path[0] == CODE:
        return FieldClass.ROLLING
    classes = CLASSES[file]
    for end in range(len(path), 0, -1):
        for pattern in _patterns(path[:end]):
            if pattern in classes:
                return classes[pattern]
    raise KeyError(".".join(path))


def _patterns(path: Sequence[str]) -> Iterator[str]:
    """Every pattern that may mean this path, the most exact first."""
    choices = [path[0]]
    for token in path[1:]:
        choices = [f"{head}.{tail}" for head in choices for tail in (token, "*")]
    yield from choices
