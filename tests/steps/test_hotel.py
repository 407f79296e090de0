"""The sample, worked through in memory: every step, script and tool of it, without a server between the ensembles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import JsonValue

from runner.assignment import Place
from runner.catalog import declared
from runner.config.reading import read_network
from runner.errors import CallFailed
from runner.functions.calling import UserFunction, prepare
from runner.functions.loading import ModuleSpace
from runner.host.pipeline import run_pipeline, run_tool
from runner.model import Network, PythonTarget
from runner.routing.wiring import candidates
from runner.work import Code, WorkRequest, child_id
from runner.workspace import Workspace
from tests.support.assignments import MemoryAssignment, a_request

FILE = Path(__file__).parents[2] / "network.yaml"


@dataclass
class Hotel:
    """`crossed` is what was called, in order, as `caller → ensemble/capability`."""

    network: Network
    function: Callable[[PythonTarget], UserFunction]
    crossed: list[str] = field(default_factory=list)

    async def call(self, target: str, request: WorkRequest) -> JsonValue:
        ensemble_name, capability = target.split("/")
        ensemble = self.network.ensembles[ensemble_name]
        assignment = Hands(request=request, ensemble=ensemble_name, hotel=self)
        if capability in ensemble.tools:
            tool = self.function(ensemble.tools[capability].python)
            return await run_tool(tool, request.context, assignment, target)
        task = ensemble.tasks[capability]
        return await run_pipeline(task, assignment, ensemble, self.network.models, self.function, lambda *told: None)

    async def ask(self, target: str, text: str) -> str:
        result = await self.call(target, a_request(text))
        assert isinstance(result, str)
        return result


@dataclass
class Hands(MemoryAssignment):
    """An assignment whose uses are the hotel's other ensembles."""

    hotel: Hotel = field(kw_only=True)

    async def use(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        use = self.hotel.network.ensembles[self.ensemble].uses[name]
        found = candidates(use, self.ensemble, declared(self.hotel.network))[0]
        target = f"{found.provider}/{found.name}"
        self.hotel.crossed.append(f"{self.ensemble} → {target}")
        child = child_id(self.request.caller, self.request.request_id, *place)
        return await self.hotel.call(target, a_request(input, request_id=child, caller=self.ensemble))

    async def tool(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        function = self.hotel.function(self.hotel.network.ensembles[self.ensemble].tools[name].python)
        return await function(input, self, place)


@pytest.fixture
def hotel() -> Iterator[Hotel]:
    workspace = Workspace.of(FILE)
    reading = read_network(workspace, "network.yaml", {})
    assert reading.diagnostics == ()
    assert reading.network is not None
    modules = ModuleSpace(workspace.read, workspace.directory, 1)
    with ThreadPoolExecutor(2) as executor:
        yield Hotel(reading.network, lambda target: prepare(modules.load(target), executor, str(target)))
    modules.close()


async def test_a_dish_in_stock_is_cooked_and_carried_up(hotel: Hotel) -> None:
    answer = await hotel.ask("room-service/handle-guest-request", "Wagyu steak, medium-rare, room 403")
    ticket = re.search(r"ticket #(\d{4})", answer)
    assert ticket
    assert answer == (
        f"With pleasure, Ms Okafor. Wagyu steak, medium-rare, for room 403: ticket #{ticket[1]}, ready in 25 minutes. "
        "Kenji brings it to room 403 within 8 minutes."
    )
    assert hotel.crossed == [
        "room-service → front-desk/look-up-room",
        "room-service → kitchen/prepare-meal",
        "kitchen → logistics/deliver",
    ]


async def test_the_same_request_delivered_twice_gets_the_same_ticket(hotel: Hotel) -> None:
    text = "Wagyu steak, medium-rare, room 403"
    first, second = [await hotel.ask("room-service/handle-guest-request", text) for _ in range(2)]
    assert first == second


async def test_a_dish_out_of_stock_is_ordered_for_at_procurement(hotel: Hotel) -> None:
    answer = await hotel.ask("room-service/handle-guest-request", "Lobster thermidor, room 210")
    number = re.search(r"P-\d{4}", answer)
    assert number
    assert answer == (
        "With pleasure, Ms Lindqvist. Lobster thermidor for room 210 has to wait, we are out of lobster. "
        f"Ordered lobster from Brittany Seafood for EUR 54.00 (order {number[0]}), ETA tomorrow. "
        "Bruno brings it to the loading bay within 5 minutes."
    )
    assert hotel.crossed[1:] == [
        "room-service → kitchen/prepare-meal",
        "kitchen → procurement/purchase-parts",
        "procurement → logistics/deliver",
    ]


async def test_a_dish_that_is_not_on_the_menu_is_refused_with_the_menu(hotel: Hotel) -> None:
    with pytest.raises(CallFailed, match=r"not on the menu\. Today we cook Wagyu steak, Lobster thermidor") as caught:
        await hotel.ask("room-service/handle-guest-request", "Unicorn pie, room 403")
    assert caught.value.code == Code.REFUSED


async def test_something_broken_goes_through_four_ensembles(hotel: Hotel) -> None:
    answer = await hotel.ask("room-service/handle-guest-request", "The shower in room 101 is leaking")
    assert answer.startswith("The plumber comes to room 101 as soon as the part is here. Ordered shower valve from")
    assert hotel.crossed == [
        "room-service → front-desk/report-problem",
        "front-desk → maintenance/repair-request",
        "maintenance → procurement/purchase-parts",
        "procurement → logistics/deliver",
    ]


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ("Do you have any wagyu beef?", "Yes, 3 portions of wagyu beef available."),
        ("Is there lobster?", "No, we are out of lobster."),
        ("How is the repair in room 305?", "Room 305, air conditioning: the fan belt is on its way."),
        ("Omelette to room 118", "Room 118 has no guest."),
        (
            "The door of room 512 is stuck",
            "The locksmith comes to room 512 in 15 minutes. We are sorry, Mr and Mrs Tanaka.",
        ),
        ("Omelette, room 210", re.compile("Omelette, no nuts, for room 210: ticket")),
        ("Hello", re.compile("Tell me a dish and a room")),
    ],
)
async def test_the_concierge_answers(hotel: Hotel, request_text: str, answer: str | re.Pattern[str]) -> None:
    said = await hotel.ask("room-service/handle-guest-request", request_text)
    assert said == answer if isinstance(answer, str) else answer.search(said)


async def test_the_kitchen_tells_what_is_left(hotel: Hotel) -> None:
    assert await hotel.ask("kitchen/check-inventory", "wagyu beef") == "Yes, 3 portions of wagyu beef available."
