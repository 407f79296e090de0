"""From what runs to what the files say: plans, as text."""

from __future__ import annotations

from typing import Any

from runner.plan.observed import Running
from runner.plan.text import compact, refused, steps, text
from tests.support.plans import network, planned, refusal

SERVED: dict[str, Any] = {"share": True, "steps": [{"template": "done"}]}
KITCHEN: dict[str, Any] = {"capacity": {"max_concurrent": 4}, "tasks": {"cook": SERVED}}
ROOM_SERVICE: dict[str, Any] = {
    "uses": {"cook": "kitchen/cook", "relax": {"tags": ["wellness"]}},
    "tasks": {"serve": {"share": True, "steps": [{"id": "meal", "use": "cook"}]}},
}
LAUNDRY: dict[str, Any] = {"tasks": {"wash": {"share": ["wellness"], "steps": [{"template": "clean"}]}}}
SPA: dict[str, Any] = {
    "uses": {"eat": "kitchen/cook"},
    "tasks": {"book-massage": {"share": ["wellness"], "steps": [{"template": "booked"}]}},
}
HOTEL = {"kitchen": KITCHEN, "room-service": ROOM_SERVICE, "laundry": LAUNDRY}


def with_kitchen(**more: Any) -> dict[str, Any]:
    return {**HOTEL, "kitchen": {**KITCHEN, **more}}


def test_a_save_that_changes_much_is_a_few_lines() -> None:
    before = network(HOTEL)
    after = network(
        {"room-service": ROOM_SERVICE, "spa": SPA, "kitchen": {**KITCHEN, "capacity": {"max_concurrent": 8}}}
    )
    plan = planned(before, after, running={"laundry": Running(in_flight=3)})
    assert compact(plan) == (
        "~ kitchen  capacity.max_concurrent 4 → 8 (live)\n"
        "+ spa\n"
        "- laundry (draining, 3 in flight)\n"
        "edge room-service → spa/book-massage (discovered: wellness)\n"
        "edge spa → kitchen/cook\n"
        "edge room-service → laundry/wash (removed)"
    )


def test_of_very_much_a_save_shows_the_first_and_how_many_more() -> None:
    many = {f"spa-{n:02}": SPA for n in range(20)}
    before = network({**HOTEL, "bar": {"tasks": {"mix": SERVED}}})
    after = network({**with_kitchen(description="Cooks."), **many, "bar": {"tasks": {"mix": SERVED}, "domain": "d"}})
    told = compact(planned(before, after)).split("\n")
    assert told[:2] == [
        "~ bar      domain not set → d (live)",
        "~ kitchen  description not set → Cooks. (live)",
    ]
    assert told[2:11] == [*(f"+ spa-{n:02}" for n in range(8)), "+ and 12 more"]
    assert told[-1] == "edge … and 32 more"
    back = compact(planned(after, before, running={"spa-17": Running(1)})).split("\n")
    assert back[2:4] == ["- spa-17 (draining, 1 in flight)", "- spa-00 (draining)"]
    assert "- and 12 more" in back


def test_a_plan_is_told_whole_with_a_legend() -> None:
    before = network(HOTEL)
    after = network(
        {"room-service": ROOM_SERVICE, "spa": SPA, "kitchen": {**KITCHEN, "capacity": {"max_concurrent": 8}}},
        defaults={"deadline": "10m"},
    )
    running = {"laundry": Running(3, 2), "kitchen": Running(1)}
    code = ({"kitchen": {"kitchen.py": "a"}}, {"kitchen": {"kitchen.py": "b", "pans.py": "c"}})
    plan = planned(before, after, running=running, modules=code)
    assert text(plan) == (
        "hotel, from generation 3 on\n"
        "\n"
        "+ spa\n"
        "    shares book-massage (task)\n"
        "    max_concurrent 16, queue_limit 1000, sla 30s\n"
        "~ hotel\n"
        "    defaults.deadline 30m → 10m (live)\n"
        "~ kitchen (1 in flight)\n"
        "    capacity.max_concurrent 4 → 8 (live)\n"
        "    kitchen.py edited (rolling)\n"
        "    pans.py added (rolling)\n"
        "- laundry (3 in flight, 2 queued → held)\n"
        "\n"
        "+ edge room-service → spa/book-massage (discovered: wellness): spa is new\n"
        "+ edge spa → kitchen/cook: spa is new\n"
        "- edge room-service → laundry/wash (discovered: wellness): laundry is removed\n"
        "\n"
        "+ starts   ~ changes   - finishes what it has in hand, and stops\n"
        "live: in place, at once. rolling: a new version is ready before it takes over."
        " Work in flight ends as it began.\n"
        "\n"
        f"1 to start, 2 to change, 1 to stop. Hash {plan.hash}"
    )


def test_each_action_waits_for_what_must_stand_before_it() -> None:
    before = network(HOTEL)
    after = network({"kitchen": KITCHEN, "room-service": ROOM_SERVICE, "spa": SPA})
    assert steps(planned(before, after)) == (
        "grant spa: a user of its own\n"
        "start spa: new in the file [after grant spa]\n"
        "rewire + room-service.relax spa/book-massage: spa is new [after start spa]\n"
        "rewire + spa.eat kitchen/cook: spa is new [after grant spa, start spa]\n"
        "rewire - room-service.relax laundry/wash: laundry is removed"
        " [after rewire + room-service.relax spa/book-massage]\n"
        "drain laundry: removed from the file [after rewire - room-service.relax laundry/wash]\n"
        "stop laundry: removed from the file [after drain laundry]\n"
        "revoke laundry: removed from the file [after stop laundry]"
    )


def test_a_use_that_turns_to_another_provider_is_granted_first_and_its_old_leave_revoked_last() -> None:
    before = network({**HOTEL, "bar": {"tasks": {"mix": SERVED}}})
    changed = {**ROOM_SERVICE, "uses": {**ROOM_SERVICE["uses"], "cook": "bar/mix"}}
    after = network({**HOTEL, "room-service": changed, "bar": {"tasks": {"mix": SERVED}}})
    assert steps(planned(before, after)) == (
        "grant room-service: calls bar/mix (TASK)\n"
        "update room-service: uses.cook.to kitchen/cook → bar/mix (live) [after grant room-service]\n"
        "rewire + room-service.cook bar/mix: uses.cook changed [after grant room-service, update room-service]\n"
        "rewire - room-service.cook kitchen/cook: uses.cook changed"
        " [after update room-service, rewire + room-service.cook bar/mix]\n"
        "revoke room-service: calls kitchen/cook (TASK)"
        " [after update room-service, rewire - room-service.cook kitchen/cook]"
    )


def test_who_ceases_to_offer_something_does_so_when_its_successor_is_ready() -> None:
    bar = {"tasks": {"cook": SERVED}}
    hungry = {"uses": {"cook": {"discover": "cook"}}, "tasks": {"eat": {"steps": [{"use": "cook"}]}}}
    before = network({"guest": hungry, "kitchen": KITCHEN})
    after = network({"guest": hungry, "kitchen": {"tasks": {"bake": SERVED}}, "bar": bar})
    plan = planned(before, after)
    (update,) = (action for action in plan.actions if action.key == "update kitchen")
    assert update.after == ("start bar",)


def test_what_is_removed_together_drains_callers_first() -> None:
    before = network({"guest": KITCHEN, **HOTEL})
    after = network({"guest": KITCHEN})
    drains = [action for action in planned(before, after).actions if action.kind == "drain"]
    assert [drain.ensemble for drain in drains] == ["room-service", "kitchen", "laundry"]
    assert {drain.ensemble: "drain room-service" in drain.after for drain in drains} == {
        "room-service": False,
        "kitchen": True,
        "laundry": True,
    }


def test_a_file_that_says_the_same_in_another_order_changes_nothing() -> None:
    plan = planned(network(HOTEL), network(dict(reversed(HOTEL.items()))))
    assert not plan
    assert text(plan) == "hotel is as the files say (generation 3): nothing to do"


def test_code_is_rolling_and_a_description_is_not() -> None:
    before, after = network(HOTEL), network(with_kitchen(description="Cooks."))
    code = ({"laundry": {"laundry.py": "a"}}, {"laundry": {"laundry.py": "b"}})
    plan = planned(before, after, modules=code)
    assert plan.rolling == ("laundry",)
    assert compact(plan) == ("~ kitchen  description not set → Cooks. (live)\n~ laundry  laundry.py edited (rolling)")


def test_steps_are_compared_by_their_ids_and_their_order() -> None:
    first, second = {"id": "stock", "template": "4"}, {"id": "meal", "template": "soup"}
    before = network(with_kitchen(tasks={"cook": {"share": True, "steps": [first, second]}}))
    after = network(
        with_kitchen(tasks={"cook": {"share": True, "steps": [{**second, "template": "stew"}, first, {"template": 1}]}})
    )
    (update,) = (action for action in planned(before, after).actions if action.kind == "update")
    assert update.cause == (
        "tasks.cook.steps.2 added (rolling), tasks.cook.steps.(order) [stock, meal] → [meal, stock, 2] (rolling), "
        "tasks.cook.steps.meal.template soup → stew (rolling)"
    )


def test_a_model_route_is_a_new_version_of_whoever_asks_it_and_of_nobody_else() -> None:
    def hotel(say: str) -> Any:
        cook = {"agents": {"chef": {"model": "chef"}}, "tasks": {"cook": {**SERVED, "steps": [{"agent": "chef"}]}}}
        models = {"chef": [{"provider": "scripted", "script": "chef.yaml"}]}
        return network({**HOTEL, "kitchen": cook}, {"chef.yaml": f"cases: [{{say: {say}}}]"}, models=models)

    plan = planned(hotel("Aye"), hotel("Nay"))
    assert compact(plan) == "~ kitchen  models.chef.0.script.cases changed (rolling)"
    assert plan.rolling == ("kitchen",)


def test_a_route_that_nobody_asks_changes_the_network_alone() -> None:
    models = {"chef": [{"provider": "scripted", "script": "chef.yaml"}]}
    before = network(HOTEL, {"chef.yaml": "cases: [{say: Aye}]"}, models=models)
    after = network(HOTEL, {"chef.yaml": "cases: [{say: Nay}]"}, models=models)
    plan = planned(before, after)
    assert compact(plan) == "~ hotel  models.chef.0.script.cases changed (rolling)"
    assert plan.rolling == ()


def test_another_server_and_another_name_are_refused_together() -> None:
    before = network(HOTEL)
    after = network(HOTEL, network="inn", nats={"url": "nats://boss:hush@far:4222", "credentials": "SUAHUSH"})
    found = refusal(before, after)
    assert refused(found) == (
        "`nats.credentials`, `nats.url`, `network` cannot change while the network runs\n"
        "  nats.credentials not set → (hidden)\n"
        "  nats.url not set → [nats://far:4222]\n"
        "  network hotel → inn"
    )
    assert found.hint == (
        "put them back, or stop the network with `run-network down` and start it anew with `run-network up`"
    )


def test_what_a_reference_brought_in_is_not_shown_but_counts() -> None:
    before, after = network(HOTEL), network(with_kitchen(description="knows hunter2!", domain="hunter2"))
    plan = planned(before, after, secrets=frozenset({"hunter2"}))
    assert compact(plan) == ("~ kitchen  description not set → (hidden) (live), domain not set → (hidden) (live)")
    other = planned(
        before, network(with_kitchen(description="x hunter2", domain="hunter2")), secrets=frozenset({"hunter2"})
    )
    assert compact(other) == compact(plan)
    assert other.hash != plan.hash


def test_a_hash_is_of_the_step_and_not_of_the_load() -> None:
    before, after = network(HOTEL), network(with_kitchen(description="Cooks."))
    idle, busy = planned(before, after), planned(before, after, running={"kitchen": Running(3, 4)})
    assert idle.hash == busy.hash
    assert planned(after, before).hash != idle.hash
