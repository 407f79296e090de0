"""What each user of the server may publish and subscribe to: least privilege, generated from the wiring.

An ensemble may publish to exactly what it is wired to, serve only as itself, pull only its own queue and read only
its own inbox. It can create no stream or consumer and write no record: the runner's own user does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from runner.subjects import Subjects, inbox, priority_consumer
from runner.work import CapabilityType, Priority


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to call. None stands for any: a tags-only discovered use may call whoever carries the tags."""

    type: CapabilityType | None
    provider: str | None
    capability: str | None


@dataclass(frozen=True, slots=True)
class Permissions:
    """Two that allow the same are equal: subjects stand in order, each once."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    responds_within: timedelta | None = None
    """For how long it may answer a request it received; None where it serves nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "publish", tuple(sorted(set(self.publish))))
        object.__setattr__(self, "subscribe", tuple(sorted(set(self.subscribe))))

    def __or__(self, other: Permissions) -> Permissions:
        """What either allows."""
        if self == other:
            return self
        answers = [within for within in (self.responds_within, other.responds_within) if within is not None]
        return Permissions(
            self.publish + other.publish,
            self.subscribe + other.subscribe,
            max(answers, default=None),
        )


EVERYTHING = Permissions(publish=(">",), subscribe=(">",))


def of_ensemble(
    subjects: Subjects, name: str, grants: Iterable[Grant], *, longest_deadline: timedelta, takes_tasks: bool
) -> Permissions:
    """The permissions of one ensemble's user."""
    publish = [pattern for grant in grants for pattern in _call_patterns(subjects, name, grant)]
    publish += [subjects.result(name, "*"), subjects.cancel(name, "*", "*"), subjects.event(name, "*", "*", "*")]
    publish.append(subjects.lost(name))
    subscribe = [f"{inbox(name)}.>", subjects.tools_of(name), subjects.replies_to(name), "$SRV.>"]
    if takes_tasks:
        publish += [subjects.reply("*", name, "*"), *_queue_patterns(subjects.work_stream(name))]
        subscribe.append(subjects.notices_of(name))
    return Permissions(tuple(publish), tuple(subscribe), longest_deadline)


def of_queue(subjects: Subjects, name: str) -> Permissions:
    """What the runner's own user does with the queue of one ensemble."""
    stream = subjects.work_stream(name)
    verbs = ("STREAM.CREATE", "STREAM.UPDATE", "STREAM.MSG.DELETE", "DIRECT.GET")
    consumers = [f"$JS.API.CONSUMER.{verb}.{stream}.>" for verb in ("CREATE", "INFO")]
    return Permissions((*(f"$JS.API.{verb}.{stream}" for verb in verbs), *consumers), ())


def of_operator(subjects: Subjects) -> Permissions:
    """The operator speaks as any outside caller, reads everything, takes what was delivered, and puts documents away.

    Beyond consumers of deliveries and objects of one bucket it writes no state of the server.
    """
    network = subjects.network
    deliveries = (subjects.queue_stream(), subjects.topic_stream(), f"KV_{subjects.bucket('deliveries')}")
    return Permissions(
        publish=(
            f"{network}.tool.>",
            f"{network}.work.>",
            f"{network}.result.>",
            f"{network}.cancel.>",
            f"{network}.lost.>",
            f"{network}.control.>",
            "$JS.API.DIRECT.GET.>",
            "$JS.API.STREAM.INFO.>",
            "$SRV.>",
            "$JS.API.INFO",
            *(pattern for stream in deliveries for pattern in _consumer_patterns(stream)),
            *_object_patterns(subjects.bucket("payloads")),
        ),
        subscribe=(">",),  # `_INBOX_*` is no wildcard, and the operator may read everything
    )


def _call_patterns(subjects: Subjects, caller: str, grant: Grant) -> list[str]:
    provider, capability = grant.provider or "*", grant.capability or ">"
    patterns = []
    if grant.type is not CapabilityType.TASK:
        patterns.append(subjects.tool(caller, provider, capability))
    if grant.type is not CapabilityType.TOOL:
        patterns.append(subjects.work(caller, provider, "*", capability))
    return patterns


def _consumer_patterns(stream: str) -> list[str]:
    """Make consumers of a stream, pull from them and acknowledge."""
    verbs = ("CREATE", "DURABLE.CREATE", "INFO", "LIST", "NAMES", "DELETE", "MSG.NEXT")
    asks = [f"$JS.API.CONSUMER.{verb}.{stream}{tail}" for verb in verbs for tail in ("", ".>")]
    return [*asks, f"$JS.ACK.{stream}.>", f"$JS.ACK.*.*.{stream}.>", f"$JS.FC.{stream}.>"]


def _object_patterns(bucket: str) -> list[str]:
    """Put, get, replace and delete objects: with any object-store client, which reads through a consumer."""
    stream = f"OBJ_{bucket}"
    chunks_and_names = [f"$O.{bucket}.C.*", f"$O.{bucket}.M.*"]
    asks = [f"$JS.API.STREAM.{verb}.{stream}" for verb in ("MSG.GET", "PURGE")]
    return [*chunks_and_names, *asks, "$JS.API.STREAM.NAMES", *_consumer_patterns(stream)]


def _queue_patterns(stream: str) -> list[str]:
    pulls = [f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{priority_consumer(priority)}" for priority in Priority]
    acks = [f"$JS.ACK.{stream}.*.>", f"$JS.ACK.*.*.{stream}.*.>"]
    return pulls + acks
