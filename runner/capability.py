"""What a capability tells of itself: its manifest, as the file declares it and its registration carries it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, JsonValue, TypeAdapter

from runner.work import Authority, CapabilityType, Wire

_NO_CONTRACT = frozenset({"max_concurrent", "queue_limit", "sla", "cost", "version"})
"""What may change from day to day without a caller having to know."""

_VERSION_CHARACTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityInfo:
    """One capability on offer. How busy, fast and well its provider is changes from second to second: that is told by
    `runner.offer.Condition`.

    A plain dataclass, since a catalog may hold a million; on the wire it has the manners of all wire models.
    """

    __pydantic_config__: ClassVar[ConfigDict] = Wire.model_config

    name: str
    type: CapabilityType
    provider: str
    tags: tuple[str, ...] = ()
    authority: Authority = Authority.AUTONOMOUS
    domain: str | None = None
    description: str | None = None
    input_schema: Annotated[dict[str, JsonValue] | None, Field(alias="schema")] = None
    max_concurrent: int | None = None
    queue_limit: int | None = None
    """How many tasks may wait and be worked on together."""
    sla: Annotated[timedelta | None, Field(ge=timedelta(0))] = None
    """A task is claimed within this, or goes to another provider."""
    cost: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    """What a call costs, in a unit that the network's people agree on; None where nobody said."""
    idempotent: bool = False
    """Of a tool: a call may be made twice, also of two providers, and does no harm."""
    version: str | None = None
    """The fingerprint of its contract."""

    def __hash__(self) -> int:
        return hash((self.provider, self.name))


_WIRE: TypeAdapter[CapabilityInfo] = TypeAdapter(CapabilityInfo)


def fingerprint(capability: CapabilityInfo) -> str:
    """A short hash of the contract: the same for as long as a caller need not know of a change.

    Name, provider, type, tags, authority, domain, description, schema and `idempotent` are in it, limits and cost are
    not. The order of tags and of a schema's keys does not count. Pure.
    """
    contract = _WIRE.dump_python(capability, mode="json", by_alias=True, exclude=set(_NO_CONTRACT), exclude_none=True)
    contract["tags"] = sorted(capability.tags)
    if not capability.idempotent:
        del contract["idempotent"]
    written = json.dumps(contract, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()[:_VERSION_CHARACTERS]


def versioned(capability: CapabilityInfo) -> CapabilityInfo:
    """The same, with the fingerprint of what it says now."""
    return replace(capability, version=fingerprint(capability))
