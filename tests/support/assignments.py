"""An assignment in memory: tools and uses are functions, and what was asked of it is kept."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from runner.assignment import Place
from runner.capability import CapabilityInfo
from runner.errors import CallFailed
from runner.work import Code, WorkRequest, new_trace


def a_request(context: JsonValue = "Wagyu steak", **changes: Any) -> WorkRequest:
    """A request that arrived just now."""
    given: dict[str, Any] = {
        "request_id": "r1",
        "caller": "_cli",
        "task": "kitchen/prepare-meal",
        "context": context,
        "trace_context": new_trace(),
        "submitted_at": datetime.now(UTC),
    }
    return WorkRequest(**{**given, **changes})


@dataclass
class MemoryAssignment:
    """`tools` and `uses` answer calls by name: plain or async functions of the input. `calls` is what was asked, and
    `pauses` how many seconds it was to wait, which takes no time here."""

    request: WorkRequest = field(default_factory=a_request)
    ensemble: str = "kitchen"
    tools: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    uses: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("tests.assignment"))
    calls: list[tuple[str, JsonValue, Place]] = field(default_factory=list)
    told: list[tuple[str, float | None]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    @property
    def deadline(self) -> datetime:
        return self.request.expires_at

    @property
    def variables(self) -> Mapping[str, JsonValue]:
        return {"context": self.request.context, "request": self.request.model_dump(mode="json", by_alias=True)}

    async def use(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        return await self._answer(self.uses, name, input, place)

    def found(self, uses: Sequence[str]) -> tuple[CapabilityInfo, ...]:
        return ()

    async def use_found(
        self, uses: Sequence[str], found: CapabilityInfo, input: JsonValue, *, place: Place
    ) -> JsonValue:
        return await self._answer(self.uses, f"{found.provider}__{found.name}", input, place)

    async def hand_off(self, name: str, input: JsonValue) -> str:
        self.calls.append((name, input, ()))
        return f"somebody/{name}"

    async def tool(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        return await self._answer(self.tools, name, input, place)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def progress(self, message: str, percent: float | None = None) -> None:
        self.told.append((message, percent))

    def describe(self, name: str) -> CapabilityInfo | None:
        return None

    async def _answer(
        self, known: Mapping[str, Callable[..., Any]], name: str, input: JsonValue, place: Place
    ) -> JsonValue:
        self.calls.append((name, input, place))
        if name not in known:
            raise CallFailed(f"nobody offers `{name}`", code=Code.NO_PROVIDER, hint="start a provider")
        result = known[name](input)
        answer: JsonValue = await result if inspect.isawaitable(result) else result
        return answer
