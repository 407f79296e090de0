"""Pipelines worked through in memory, and what was told of their steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from pydantic import JsonValue

from runner.assignment import Place
from runner.functions.calling import prepare
from runner.host.pipeline import WorkFailed, run_pipeline
from runner.host.progress import Kept, NothingKept, Progress
from runner.host.step_ends import StepStatus
from runner.model import Agent, AnyModel, AnyStep, Ensemble, PythonTarget, Task, Tool
from tests.support.assignments import MemoryAssignment

STOCK_TOOL = Tool("stock", PythonTarget("kitchen.py", "stock"))
CHEF = Agent("chef", "route", "Be brief.", ("stock", "order"))
KITCHEN = Ensemble("kitchen", agents={"chef": CHEF}, tools={"stock": STOCK_TOOL})


@dataclass
class Bench:
    """Runs pipelines in memory; `told` is what `on_step` heard. `chance` is all the randomness there is."""

    executor: ThreadPoolExecutor
    models: Mapping[str, tuple[AnyModel, ...]] = field(default_factory=dict)
    chance: Callable[[], float] = lambda: 0.5
    told: list[tuple[str, StepStatus, str | None]] = field(default_factory=list)

    def on_step(
        self, place: Place, started_at: datetime, duration_ms: float, status: StepStatus, message: str | None
    ) -> None:
        assert duration_ms >= 0
        self.told.append((" ".join(map(str, place)), status, message))

    async def work(
        self,
        *steps: AnyStep,
        output: JsonValue = None,
        assignment: MemoryAssignment | None = None,
        function: Callable[..., Any] = str.upper,
        input_schema: Mapping[str, JsonValue] | None = None,
        kept: Kept | None = None,
    ) -> JsonValue:
        task = Task("prepare-meal", steps, output, input_schema=input_schema)
        return await run_pipeline(
            task,
            assignment or MemoryAssignment(),
            KITCHEN,
            self.models,
            lambda target: prepare(function, self.executor, str(target)),
            self.on_step,
            Progress(task, kept or NothingKept()),
            self.chance,
        )

    async def failure(self, *steps: AnyStep, **given: Any) -> WorkFailed:
        with pytest.raises(WorkFailed) as caught:
            await self.work(*steps, **given)
        return caught.value
