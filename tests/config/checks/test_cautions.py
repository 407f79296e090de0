# ruff: noqa: E501 - as it is printed
"""Warnings on what works and is worth a second look: given where they are due, and silent where they are not."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support import sources

COOK = "{share: true, steps: [{template: Done.}]}"


def said(files: str | Mapping[str, str]) -> str:
    return sources.said(files, cautious=True)


def network(*ensembles: str, head: str = "") -> str:
    return "\n".join(["network: n", *([head] if head else []), "ensembles:", *ensembles, ""])


def provider(name: str, *tasks: str, share: str = "true") -> str:
    return f"  {name}: {{tasks: {{{', '.join(f'{task}: {{share: {share}, steps: [{{template: Done.}}]}}' for task in tasks)}}}}}"


# a single provider


def test_one_possible_provider_is_a_warning() -> None:
    assert said(network("  bar: {uses: {meal: {discover: cook}}}", provider("kitchen", "cook"))) == (
        "network.yaml:3:33: warning[single-provider]: `kitchen/cook` alone meets `meal`: there is nothing to discover\n"
        "  hint: name it with `to: kitchen/cook`, or add `fallback: kitchen/cook` to have it while the catalog is away"
    )


def test_a_fallback_or_a_second_provider_answers_it() -> None:
    with_fallback = "  bar: {uses: {meal: {discover: cook, fallback: kitchen/cook}}}"
    assert said(network(with_fallback, provider("kitchen", "cook"))) == ""
    chosen = "  bar: {uses: {meal: {discover: cook, select: round-robin}}}"
    assert said(network(chosen, provider("grill", "cook"), provider("kitchen", "cook"))) == ""


def test_the_capability_of_whoever_asks_is_no_choice() -> None:
    bar = f"  bar: {{uses: {{meal: {{discover: cook}}}}, tasks: {{cook: {COOK}}}}}"
    assert "single-provider" in said(network(bar, provider("kitchen", "cook")))


def test_nothing_is_cautioned_of_in_a_file_with_errors() -> None:
    unread = "  grill: grill.yaml"
    found = said(network("  bar: {uses: {meal: {discover: cook}}}", provider("kitchen", "cook"), unread))
    assert found == "network.yaml:5:10: error[missing-file]: there is no file `grill.yaml`"


# an ambiguous `first`


def test_who_cannot_be_asked_without_waiting_is_no_provider_of_an_asynchronous_use() -> None:
    bar = "  bar: {uses: {meal: {discover: cook, mode: async}}}"
    tool = "  larder: {tools: {cook: {python: 'm:cook', share: true}}}"
    files = {"m.py": "cook = str\n"}
    assert said({**files, "network.yaml": network(bar, tool)}).startswith(
        "network.yaml:3:33: warning[no-provider]: no other ensemble shares a task called `cook`\n"
    )
    one = said({**files, "network.yaml": network(bar, tool, provider("kitchen", "cook"))})
    assert "warning[single-provider]: `kitchen/cook` alone meets `meal`" in one
    assert "ambiguous-first" not in one


def test_first_of_several_is_a_warning_written_or_not() -> None:
    two = (provider("grill", "cook"), provider("kitchen", "cook"))
    told = (
        "warning[ambiguous-first]: 2 capabilities meet `meal`, `grill/cook` and `kitchen/cook`: `first` goes by name alone\n"
        "  hint: choose with `select: least-loaded` or another strategy, or name one with `to:`"
    )
    silent = "  bar: {uses: {meal: {discover: cook}}}"
    assert said(network(silent, *two)) == f"network.yaml:3:33: {told}"
    written = "  bar: {uses: {meal: {discover: cook, select: first}}}"
    assert said(network(written, *two)) == f"network.yaml:3:47: {told}"


def test_a_tool_is_no_choice_of_a_use_that_only_hands_off() -> None:
    def files(step: str) -> dict[str, str]:
        bar = f"  bar: {{uses: {{meal: {{discover: cook}}}}, tasks: {{serve: {{share: true, steps: [{step}]}}}}}}"
        tool = "  larder: {tools: {cook: {python: 'm:cook', share: true}}}"
        return {"m.py": "cook = str\n", "network.yaml": network(bar, tool, provider("kitchen", "cook"))}

    alone = "warning[single-provider]: `kitchen/cook` alone meets `meal`"
    assert alone in said(files("{handoff: meal}"))
    assert "ambiguous-first" not in said(files("{handoff: meal}"))
    for step in ("{use: meal}", "{use: meal}, {handoff: meal}"):
        assert "warning[ambiguous-first]: 2 capabilities meet `meal`" in said(files(step))
        assert alone not in said(files(step))


def test_tags_that_leave_one_to_the_front_are_no_matter_of_names() -> None:
    two = (provider("grill", "cook", share="[hot]"), provider("kitchen", "cook", share="[cold]"))
    for said_so in ("prefer: [cold]", "avoid: [hot]"):
        assert said(network(f"  bar: {{uses: {{meal: {{discover: cook, {said_so}}}}}}}", *two)) == ""
    assert "ambiguous-first" in said(network("  bar: {uses: {meal: {discover: cook, prefer: [hot, cold]}}}", *two))


def test_of_very_many_some_are_named() -> None:
    found = said(
        network("  bar: {uses: {meal: {discover: cook}}}", *(provider(f"k{number}", "cook") for number in range(9)))
    )
    assert "9 capabilities meet `meal`, such as `k0/cook`, `k1/cook` and `k2/cook`: " in found


# wide permissions


def test_tags_alone_open_more_than_they_ask_for() -> None:
    bar = "  bar: {uses: {meal: {tags: [food], select: round-robin}, goods: market/buy}}"
    some = (provider("grill", "roast", share="[food]"), provider("kitchen", "cook", share="[food]"))
    assert said(network(bar, *some, provider("market", "buy"))) == (
        "network.yaml:3:23: warning[wide-permissions]: by tags alone, `meal` lets `bar` call all 3 capabilities of the network, where 2 carry the tags\n"
        "  hint: name what it needs with `discover:`; the tags can stay"
    )
    assert said(network(bar.replace("goods: market/buy", ""), *some)) == "", "the tags ask for all there is"


# unused


def test_what_is_shared_by_an_ensemble_that_others_use_is_to_be_used() -> None:
    assert said(network("  bar: {uses: {meal: kitchen/cook}}", provider("kitchen", "cook", "bake"))) == (
        "network.yaml:4:70: warning[unused-capability]: `kitchen/bake` is shared, and no other ensemble uses it\n"
        "  hint: take its `share` out, unless it is there for callers from outside"
    )


def test_an_ensemble_beside_the_wiring_is_unused() -> None:
    found = said(
        network("  bar: {uses: {meal: kitchen/cook}}", provider("kitchen", "cook"), provider("ghost", "haunt"))
    )
    assert "`ghost/haunt` is shared, and no other ensemble uses it" in found


def test_where_requests_come_in_nobody_else_has_to_ask() -> None:
    entry = f"  bar: {{uses: {{meal: kitchen/cook}}, tasks: {{serve: {COOK}, greet: {COOK}}}}}"
    assert said(network(entry, provider("kitchen", "cook"))) == ""
    assert said(network(provider("bar", "serve"), provider("kitchen", "cook"))) == "", "nobody uses anybody"


def test_its_own_ensemble_a_fallback_a_need_and_a_client_are_users() -> None:
    kitchen = """\
  kitchen:
    tools: {look: {python: "kitchen:look", share: true}, taste: {python: "kitchen:look", share: true}}
    agents: {chef: {model: chef, tools: [taste]}}
    tasks: {cook: {share: true, steps: [{tool: look}]}}"""
    bar = "  bar: {uses: {meal: {discover: cook, fallback: grill/roast}}}"
    head = "models: {chef: [{provider: scripted, script: s.yaml}]}"
    files = {
        "network.yaml": network(bar, kitchen, provider("grill", "roast"), head=head),
        "kitchen.py": "look = str\n",
        "s.yaml": "cases: [{say: Yes.}]\n",
    }
    assert said(files) == ""


def test_a_delivery_that_nobody_names_is_a_warning() -> None:
    head = "deliveries: {board: {topic: board}, mail: {queue: mail}, off: {topic: off, when: ''}}"
    bar = "  bar: {uses: {meal: {to: kitchen/cook, delivery: board}}}"
    assert said(network(bar, provider("kitchen", "cook"), head=head)) == (
        "network.yaml:2:37: warning[unused-delivery]: no use and no schedule names the delivery `mail`\n"
        "  hint: take it out, unless callers ask for it: `call --delivery mail`"
    )


# deadlines


def three(first: str, second: str, *, steps: str = "{use: goods}", head: str = "") -> str:
    bar = f"  bar: {{uses: {{meal: {first}}}, tasks: {{serve: {{share: true, steps: [{{use: meal}}]}}}}}}"
    kitchen = f"  kitchen: {{uses: {{goods: {second}}}, tasks: {{cook: {{share: true, steps: [{steps}]}}}}}}"
    return network(bar, kitchen, provider("market", "buy", "sell"), head=head)


def deadlines(text: str) -> str:
    """What is said of deadlines, without the hints."""
    return "\n".join(line for line in said(text).split("\n") if "impossible-deadline" in line)


def test_more_than_the_caller_gives_cannot_hold() -> None:
    text = three("{to: kitchen/cook, deadline: 5m}", "{to: market/buy, deadline: 20m}")
    assert deadlines(text) == (
        "network.yaml:4:54: warning[impossible-deadline]: 20m cannot hold: `kitchen/cook` has 5m at most, from `bar/meal`, itself"
    )
    assert "  hint: lower it, or raise the `deadline` of `bar/meal`" in said(text)
    assert deadlines(three("{to: kitchen/cook, deadline: 20m}", "{to: market/buy, deadline: 20m}")) == ""


def test_outside_it_begins_with_the_default() -> None:
    text = three("{to: kitchen/cook, deadline: 20m}", "market/buy", head="defaults: {deadline: 10m}")
    assert deadlines(text) == (
        "network.yaml:4:51: warning[impossible-deadline]: 20m cannot hold: `bar/serve` has 10m at most, the network's default, itself"
    )


def test_one_way_that_leaves_enough_is_enough() -> None:
    inn = "  inn: {uses: {dinner: {to: kitchen/cook, deadline: 25m}}, tasks: {serve: {share: true, steps: [{use: dinner}]}}}"
    text = three("{to: kitchen/cook, deadline: 5m}", "{to: market/buy, deadline: 20m}")
    assert deadlines(text + inn + "\n") == ""


def test_a_need_leads_to_all_who_meet_it() -> None:
    text = three("{discover: cook, deadline: 5m}", "{to: market/buy, deadline: 20m}")
    assert "`kitchen/cook` has 5m at most, from `bar/meal`, itself" in deadlines(text)


def test_a_use_that_only_python_can_name_has_what_its_ensemble_has() -> None:
    text = three("{to: kitchen/cook, deadline: 5m}", "{to: market/buy, deadline: 20m}", steps="{template: Done.}")
    assert "20m cannot hold: `kitchen` has 5m at most" in deadlines(text)


def test_a_ring_has_the_default() -> None:
    ring = """\
  a: {uses: {b: {to: b/y, deadline: 2h, max_hops: 3}}, tasks: {x: {share: true, steps: [{use: b}]}}}
  b: {uses: {a: {to: a/x, max_hops: 3}}, tasks: {y: {share: true, steps: [{use: a}]}}}"""
    assert deadlines(network(ring)) == (
        "network.yaml:3:37: warning[impossible-deadline]: 2h cannot hold: `a/x` has 30m at most, the network's default, itself"
    )


def test_a_deadline_within_the_providers_sla_may_be_over_before_anybody_claims() -> None:
    kitchen = f"  kitchen: {{sla: 2m, tasks: {{cook: {COOK}}}}}"
    assert deadlines(network("  bar: {uses: {meal: {to: kitchen/cook, deadline: 1m}}}", kitchen)) == (
        "network.yaml:3:51: warning[impossible-deadline]: `kitchen/cook` has 2m to claim a task, its `sla`: 1m may be over by then"
    )
    assert deadlines(network("  bar: {uses: {meal: {to: kitchen/cook, deadline: 5m}}}", kitchen)) == ""


def slow(name: str, sla: str | None) -> str:
    return provider(name, "cook").replace("{tasks", f"{{sla: {sla}, tasks" if sla else "{tasks")


def test_a_deadline_within_the_sla_of_all_who_meet_a_need_may_be_over_before_anybody_claims() -> None:
    bar = "  bar: {uses: {meal: {discover: cook, select: random, deadline: 1m}}}"
    assert said(network(bar, slow("grill", "5m"), slow("kitchen", "2m"))) == (
        "network.yaml:3:65: warning[impossible-deadline]: all 2 that meet `meal` have 2m or more to claim a task, their `sla`: 1m may be over by then\n"
        "  hint: raise the deadline, or lower the provider's `sla`"
    )
    assert "`kitchen/cook` has 2m to claim a task, its `sla`: 1m may be" in deadlines(
        network(bar, slow("kitchen", "2m"))
    )
    for other in (slow("grill", None), slow("grill", "30s")):
        assert deadlines(network(bar, other, slow("kitchen", "2m"))) == "", "one of them is enough"


def test_the_sla_of_whoever_asks_and_a_tool_are_told_from_those_of_others() -> None:
    bar = f"  bar: {{uses: {{meal: {{discover: cook, deadline: 1m}}}}, tasks: {{cook: {COOK}}}}}"
    assert "`kitchen/cook` has 2m to claim" in deadlines(network(bar, slow("kitchen", "2m")))
    tool = "  larder: {sla: 9m, tools: {cook: {python: 'm:cook', share: true}}}"
    both = {"m.py": "cook = str\n", "network.yaml": network(bar, tool, slow("kitchen", "2m"))}
    assert "impossible-deadline" not in said(both), "a tool is not claimed: it answers"


def test_a_use_without_a_deadline_has_what_the_way_to_it_leaves() -> None:
    second = "{to: market/buy}"
    way = three("{to: kitchen/cook, deadline: 1m}", second).replace("market: {", "market: {sla: 2m, ")
    assert deadlines(way) == (
        "network.yaml:4:20: warning[impossible-deadline]: `market/buy` has 2m to claim a task, its `sla`, and `kitchen/cook` has 1m at most, from `bar/meal`, for all"
    )
    assert "  hint: raise the `deadline` of `bar/meal`, or lower the provider's `sla`" in said(way)
    assert deadlines(way.replace("deadline: 1m", "deadline: 3m")) == ""
    bar = "  bar: {uses: {meal: kitchen/cook}, tasks: {serve: {share: true, steps: [{use: meal}]}}}"
    assert "the network's default, for all" in deadlines(network(bar, slow("kitchen", "1h")))


def summed(steps: str, *, mode: str = "await") -> str:
    bar = (
        "  bar: {uses: {meal: {to: kitchen/cook, deadline: 10m}}, tasks: {serve: {share: true, steps: [{use: meal}]}}}"
    )
    uses = f"goods: {{to: market/buy, deadline: 6m, mode: {mode}}}, waste: {{to: market/sell, deadline: 7m}}"
    kitchen = f"  kitchen: {{uses: {{{uses}}}, tasks: {{cook: {{share: true, steps: [{steps}]}}}}}}"
    return deadlines(network(bar, kitchen, provider("market", "buy", "sell")))


def test_times_one_after_the_other_add_up() -> None:
    assert summed("{use: goods}, {template: Then.}, {use: waste}").endswith(
        "the steps of `cook` may take 13m one after the other (`goods` 6m, `waste` 7m), and it has 10m at most, from `bar/meal`, for all"
    )


def test_side_by_side_or_the_one_or_the_other_they_do_not() -> None:
    assert summed("{id: a, needs: [], use: goods}, {id: b, needs: [], use: waste}") == ""
    assert summed("{use: goods, when: \"'a' in context\"}, {use: waste, when: \"'b' in context\"}") == ""
    assert summed("{use: goods}, {use: waste, when: \"'b' in context\"}") != ""
    assert summed("{id: a, needs: [], use: goods}, {id: b, needs: [a], use: waste}") != ""


def test_nobody_waits_for_an_asynchronous_use() -> None:
    assert summed("{use: goods}, {use: waste}", mode="async") == ""


# authority


def office(close: str = "true", pay: str = "bank/transfer", more: str = "") -> str:
    return network(
        f"  bar: {{uses: {{close: office/close{more}}}}}",
        f"  office: {{uses: {{pay: {pay}}}, tasks: {{close: {{share: {close}, steps: [{{use: pay}}]}}}}}}",
        provider("bank", "transfer", share="{authority: human_required}"),
    )


def test_a_low_way_to_a_high_capability_is_laundering() -> None:
    assert said(office()) == (
        "network.yaml:4:19: warning[authority-laundering]: `office/close` (autonomous) leads `bar`, without a use of it, to `bank/transfer` (human_required), and requires no authority on the way\n"
        "  hint: add `authority: human_required` to this use, or register `office/close` as `human_required`"
    )


def test_it_is_none_where_the_way_is_registered_for_as_much_or_the_caller_is_wired_itself() -> None:
    assert said(office(close="{authority: human_required}")) == ""
    assert said(office(more=", pay: bank/transfer")) == ""


def test_it_is_found_behind_a_need_and_on_a_longer_way() -> None:
    assert "leads `bar`, without" in said(office(pay="{discover: transfer, fallback: bank/transfer}"))
    longer = network(
        "  inn: {uses: {bill: bar/serve}}",
        "  bar: {uses: {close: office/close}, tasks: {serve: {share: true, steps: [{use: close}]}}}",
        *office().split("\n")[3:5],
    )
    assert said(longer).count("authority-laundering") == 1


def test_it_is_found_behind_what_an_agent_looks_up() -> None:
    def searching(close: str) -> str:
        return network(
            "  bar: {uses: {close: office/close}}",
            "  office:",
            "    agents: {clerk: {model: m, tools: [{catalog: {name: transfer}}]}}",
            f"    tasks: {{close: {{share: {close}, steps: [{{agent: clerk}}]}}}}",
            provider("bank", "transfer", share="{authority: human_required}"),
            head="models: {m: [{provider: scripted, script: s.yaml}]}",
        )

    script = {"s.yaml": "cases: [{say: Done.}]\n"}
    assert said({**script, "network.yaml": searching("true")}) == (
        "network.yaml:6:40: warning[authority-laundering]: `office/close` (autonomous) leads `bar`, without a use of it, to `bank/transfer` (human_required), and requires no authority on the way\n"
        "  hint: register `office/close` as `human_required`"
    )
    assert said({**script, "network.yaml": searching("{authority: human_required}")}) == ""


# a password in an address


def probed(address: str) -> str:
    return said(network(f'  bar: {{health: {{http: "{address}"}}}}'))


def test_a_password_that_is_written_into_an_address_is_a_warning() -> None:
    for address in ("http://me:hunter2@host/x", "http://${env:X:-me}:hun@ter2@host", "https://:hunter2@host"):
        assert probed(address) == (
            "network.yaml:3:24: warning[literal-secret]: the health check of `bar` has a password in its address\n"
            "  hint: put it in `.env` and write `${env:NAME}` in its place"
        )


def test_a_reference_answers_it_and_a_user_alone_is_none() -> None:
    for address in (
        "http://me:${env:X:-hunter2}@host/x",
        "http://me@host",
        "http://host:80/me:you@x",
    ):
        assert "literal-secret" not in probed(address)
