"""Every subject, stream, bucket and inbox of a network. Nothing else builds or parses one.

`N` network, `E` provider ensemble, `C` capability, `P` priority, `F` caller. A caller is a token of the subject, so
that the server itself enforces who may call whom.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.work import Priority

NAME_PATTERN = r"[a-z][a-z0-9-]{0,62}"
"""Names of networks, ensembles, capabilities, uses, tags and roles."""

OUTSIDE_CALLERS = ("_cli", "_http", "_mcp", "_a2a")
RUNNERS = "_runners"
"""The token that addresses the runners of a network themselves on control subjects."""

_INTERNAL = frozenset({"_runner", "_system"})
"""Names of connections that no capability is called from."""

_NAME = re.compile(NAME_PATTERN)
_EPOCHS, _PLACES = 1_000, 1_000_000
"""Where the numbers of publications for an epoch, and for a place, begin. A caller repeats a handful of times, and a
request has its five starts an epoch: neither reaches the next."""


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def outside_caller(name: str) -> str:
    """The caller token of a client: `_cli` and its kin stand for themselves, anything else is `_client-NAME`.

    Raises ValueError for a name that is no token.
    """
    if name in OUTSIDE_CALLERS:
        return name
    if not is_name(name):
        raise ValueError(f"{name!r} is no name: lower-case letters, digits and hyphens, a letter first")
    return f"_client-{name}"


def is_outside(caller: str) -> bool:
    return caller.startswith("_")


def inbox(caller: str) -> str:
    """The inbox prefix of a caller; a provider answers nobody under another one."""
    return f"_INBOX_{caller}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A parsed tool subject."""

    caller: str
    provider: str
    capability: str


@dataclass(frozen=True, slots=True)
class TaskCall:
    """A parsed work subject."""

    caller: str
    provider: str
    priority: Priority
    capability: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A parsed reply subject."""

    caller: str
    provider: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Subjects:
    """The subjects of one network."""

    network: str

    def tool(self, caller: str, provider: str, capability: str) -> str:
        return f"{self.network}.tool.{caller}.{provider}.{capability}"

    def work(self, caller: str, provider: str, priority: Priority | str, capability: str) -> str:
        return f"{self.network}.work.{caller}.{provider}.{priority.lower()}.{capability}"

    def notice(self, caller: str, provider: str, priority: Priority | str, capability: str) -> str:
        """Where the server repeats the headers of a task once it is durable: the provider's intake claims it."""
        return f"{self.network}.notice.{caller}.{provider}.{priority.lower()}.{capability}"

    def reply(self, caller: str, provider: str, request_id: str) -> str:
        return f"{self.network}.reply.{caller}.{provider}.{request_id}"

    def result(self, caller: str, request_id: str) -> str:
        return f"{self.network}.result.{caller}.{request_id}"

    def cancel(self, caller: str, provider: str, request_id: str) -> str:
        return f"{self.network}.cancel.{caller}.{provider}.{request_id}"

    def lost(self, caller: str) -> str:
        """Where a caller asks which of its tool calls nobody has in hand any more."""
        return f"{self.network}.lost.{caller}"

    def event(self, ensemble: str, kind: str, trace: str, request_id: str) -> str:
        return f"{self.network}.event.{ensemble}.{kind}.{trace}.{request_id}"

    def queue(self, name: str) -> str:
        """Where results for a durable queue go: each is for one consumer."""
        return f"{self.network}.queue.{name}"

    def topic(self, name: str) -> str:
        """Where results for a durable topic go: each is for every subscriber."""
        return f"{self.network}.topic.{name}"

    def beat(self, runner: str) -> str:
        return f"{self.network}.beat.{runner}"

    def control(self, ensemble: str, verb: str) -> str:
        return f"{self.network}.control.{ensemble}.{verb}"

    # wildcards, each named for who listens

    def tools_of(self, provider: str) -> str:
        return f"{self.network}.tool.*.{provider}.>"

    def work_of(self, provider: str) -> str:
        return f"{self.network}.work.*.{provider}.>"

    def notices_of(self, provider: str) -> str:
        return f"{self.network}.notice.*.{provider}.>"

    def replies_to(self, caller: str) -> str:
        return f"{self.network}.reply.{caller}.>"

    def replies_to_request(self, caller: str, request_id: str) -> str:
        return f"{self.network}.reply.{caller}.*.{request_id}"

    def results(self) -> str:
        return f"{self.network}.result.*.*"

    def cancels(self) -> str:
        return f"{self.network}.cancel.*.*.*"

    def losts(self) -> str:
        return f"{self.network}.lost.*"

    def beats(self) -> str:
        return f"{self.network}.beat.*"

    def events(self, *, ensemble: str = "*", kind: str = "*", trace: str = "*", request_id: str = "*") -> str:
        return f"{self.network}.event.{ensemble}.{kind}.{trace}.{request_id}"

    # streams and buckets

    def work_stream(self, provider: str) -> str:
        return f"{self.network}_work_{provider}"

    def event_stream(self) -> str:
        return f"{self.network}_events"

    def queue_stream(self) -> str:
        return f"{self.network}_queue"

    def topic_stream(self) -> str:
        return f"{self.network}_topic"

    def bucket(self, kind: str) -> str:
        return f"{self.network}_{kind}"

    def may_answer_to(self, subject: str, reply: str) -> bool:
        """Whether the answer to a question on this subject may go to this address.

        The server does not check reply subjects: who answers with more rights than the asker has must. A caller asks
        for itself; outside callers, and runners, for anybody.
        """
        match subject.split("."):
            case [self.network, "result" | "cancel" | "lost", caller, *_] if reply.startswith(f"{inbox(caller)}."):
                return True
        return reply.startswith(inbox("_"))

    # parsing

    def parse_tool(self, subject: str) -> ToolCall | None:
        """The parts of a tool subject of this network, or None."""
        match subject.split("."):
            case [self.network, "tool", caller, provider, capability]:
                return ToolCall(caller, provider, capability)
        return None

    def parse_work(self, subject: str) -> TaskCall | None:
        """The parts of a work subject (or of its notice), or None."""
        match subject.split("."):
            case [self.network, "work" | "notice", caller, provider, priority, capability]:
                level = Priority.__members__.get(priority.upper())
                return TaskCall(caller, provider, level, capability) if level else None
        return None

    def parse_work_stream(self, stream: str) -> str | None:
        """Whose queue a stream is, or None."""
        ensemble = stream.removeprefix(self.work_stream(""))
        return ensemble if ensemble != stream and is_name(ensemble) else None

    def parse_control(self, subject: str) -> str | None:
        """Whom a control subject is for, or None."""
        match subject.split("."):
            case [self.network, "control", ensemble, _]:
                return ensemble
        return None

    def parse_reply(self, subject: str) -> Reply | None:
        match subject.split("."):
            case [self.network, "reply", caller, provider, request_id]:
                return Reply(caller, provider, request_id)
        return None

    def parse_result(self, subject: str) -> tuple[str, str] | None:
        """(caller, request id) of a result subject, or None."""
        match subject.split("."):
            case [self.network, "result", caller, request_id]:
                return caller, request_id
        return None

    def parse_lost(self, subject: str) -> str | None:
        """Who asks for its tool calls, or None."""
        match subject.split("."):
            case [self.network, "lost", caller]:
                return caller
        return None

    def parse_cancel(self, subject: str) -> Reply | None:
        match subject.split("."):
            case [self.network, "cancel", caller, provider, request_id]:
                return Reply(caller, provider, request_id)
        return None


def answered_by_server(subject: str) -> bool:
    """Whether the server itself answers what is asked there: it stores it, or looks it up."""
    return subject.startswith(("$JS.", "$KV.", "$O.")) or subject.split(".", 2)[1:2] == ["work"]


def delivered_sequence(ticket: str, stream: str) -> int | None:
    """The sequence of a message of a stream, by the subject on which its delivery is acknowledged; None for another.

    The subject has nine tokens, or eleven with a domain and an account.
    """
    tokens = ticket.split(".")
    if tokens[:2] != ["$JS", "ACK"] or len(tokens) < 9:
        return None
    told = tokens[2:] if len(tokens) == 9 else tokens[4:]
    return int(told[3]) if told[0] == stream and told[3].isdigit() else None


def waits_in(reply: str) -> str | None:
    """The caller whose inbox an answer goes to; None for anything that is no caller's inbox."""
    prefix, _, rest = reply.partition(".")
    caller = prefix.removeprefix(inbox(""))
    known = prefix != caller and bool(rest) and caller not in _INTERNAL
    return caller if known else None


def record_key(caller: str, request_id: str) -> str:
    """The key of a request in the `results` bucket."""
    return f"{caller}.{request_id}"


def message_id(caller: str, request_id: str, publication: int = 0) -> str:
    """The `Nats-Msg-Id` of one intended publication of a request: the server swallows the same one sent again.

    Each kind of publication has numbers of its own, since one that is taken for another is lost: a caller's own from 0
    on, one for a claim's epoch (`publication_of_epoch`), and one for the place that a task is moved from within its
    queue (`publication_of_place`).
    """
    return f"{caller}.{request_id}.{publication}"


def publication_of_epoch(epoch: int) -> int:
    """Of a request that is handed off, routed anew or retried: repeated by whoever completes that."""
    return _EPOCHS + epoch


def publication_of_place(sequence: int) -> int:
    """Of a request that gets another priority: a move that broke off half-way is repeated as the same."""
    return _PLACES + sequence


def priority_consumer(priority: Priority) -> str:
    """The durable consumer of one priority, within the provider's work stream."""
    return priority.lower()
