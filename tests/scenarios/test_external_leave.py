"""On a server that somebody else runs nothing can be granted: what is missing refuses the plan, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import MissingPermissions
from runner.host.happenings import Notice
from tests.support.networks import eventually, live
from tests.support.saving import Saver
from tests.support.servers import guarded_server

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {%s}
    tasks: {greet: {share: true, steps: [{template: welcome}]}}
"""
SPA = "  spa: {tasks: {relax: {share: true, steps: [{template: ah}]}}}\n"
PUBLISH = ["$JS.>", "$KV.>", "$O.>", "$SYS.REQ.USER.INFO"]
PUBLISH += [f"inn.{kind}.>" for kind in ("beat", "control", "event", "result", "cancel", "lost", "reply")]
PUBLISH += ["inn.work.*.desk.>", "inn.work._client-tester.>"]
CALLERS = ("_runner", "_client-tester", "desk")
SUBSCRIBE = ["$SRV.>", "$KV.>", "inn.>", *(f"_INBOX_{caller}.>" for caller in CALLERS)]


@pytest.mark.parametrize("inbox", [["_INBOX_spa.>"], ["_INBOX_spa.*", "_INBOX_spa.*.>"]], ids=["one", "together"])
async def test_what_a_change_needs_and_the_server_forbids_is_said_before_anything_happens(
    tmp_path: Path, inbox: list[str]
) -> None:
    """And done when it is allowed, by one entry or by several together."""
    leave = {"publish": PUBLISH, "subscribe": SUBSCRIBE}
    async with guarded_server(tmp_path, leave) as server, live(tmp_path, NETWORK % "", nats=server.url) as network:
        saver, client = Saver(network), network.client
        assert not [told for told in saver.notices if "does not let" in told]
        saver.write("network.yaml", NETWORK % "relax: spa/relax" + SPA)
        missing = (
            "the server does not let the network's user do all that it will need to:\n"
            '  publish: "inn.work.desk.spa.*.relax"\n'
            '  subscribe: "_INBOX_spa.>"'
        )
        for asking in (client.plan(), client.apply()):
            with pytest.raises(MissingPermissions) as refused:
                await asking
            assert refused.value.message == missing
        assert (await client.applied()).generation == 1
        assert (await client.call("desk/greet", {})).result == "welcome"

        server.allow({"publish": [*PUBLISH, "inn.work.desk.spa.>"], "subscribe": [*SUBSCRIBE, *inbox]})

        async def applied() -> bool:
            try:
                return (await client.apply()).applied
            except MissingPermissions:  # the server has yet to read its configuration
                return False

        await eventually(applied, "what is allowed is applied")
        assert (await client.call("spa/relax", {})).result == "ah"


async def test_a_start_tells_what_its_user_may_not_do(tmp_path: Path) -> None:
    leave = {"publish": PUBLISH, "subscribe": [pattern for pattern in SUBSCRIBE if pattern != "$SRV.>"]}
    async with guarded_server(tmp_path, leave) as server, live(tmp_path, NETWORK % "", nats=server.url) as network:
        told = [happening.message for happening in network.happenings if isinstance(happening, Notice)]
        assert 'the server does not let the network\'s user do all that it needs to: subscribe: "$SRV.>"' in told
        assert (await network.client.call("desk/greet", {})).result == "welcome"
