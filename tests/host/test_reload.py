"""A saved change is in force, or it is refused whole and told: in the terminal, in the status and as an event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.client.connect import connect
from runner.errors import InvalidNetwork
from runner.event import Event
from runner.host.ensemble import HostedEnsemble
from runner.host.happenings import Worked
from runner.host.runner import running
from tests.support.networks import PLACEMENTS, Place, eventually, live, read
from tests.support.saving import Saver

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 4}
    tools: {say: {python: "inn:say", share: true}}
"""
MODULE = "import words\n\n\ndef say() -> str:\n    return words.SAID\n"
WORDS = "SAID = 'one'\n"
SPA = "  spa: {tasks: {relax: {share: true, steps: [{template: ah}]}}}\n"


@asynccontextmanager
async def inn(directory: Path, network: str = NETWORK) -> AsyncIterator[Saver]:
    async with live(directory, network, watch=True, inn=MODULE, words=WORDS) as there:
        yield Saver(there)


async def said(saver: Saver) -> object:
    return (await saver.network.client.call("kitchen/say", {})).result


def events(saver: Saver) -> list[Event]:
    found = (told.event for told in saver.network.happenings if isinstance(told, Worked))
    return [event for event in found if event.kind == "reload"]


async def test_a_saved_change_is_in_force_and_told_in_the_terminal_the_status_and_an_event(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        block = await saver.does(("network.yaml", NETWORK.replace("4", "8")))
        assert block == "~ kitchen  capacity.max_concurrent 4 → 8 (live)"
        status = await saver.network.client.status()
        assert (status.generation, status.last_reload.ok, status.last_reload.generation) == (2, True, 2)
        await eventually(lambda: bool(events(saver)), "the event")
        event = events(saver)[-1]
        assert (event.status, event.message) == ("COMPLETED", f"generation 2: {block}")


async def test_code_and_what_it_imports_is_watched_also_for_edits_of_the_same_size(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        for word in ("two", "six", "ten"):
            assert await saver.does(("words.py", f"SAID = '{word}'\n")) == "~ kitchen  words.py edited (rolling)"
            assert await said(saver) == word


async def test_what_a_function_imports_when_it_runs_is_as_it_was_saved_last(tmp_path: Path) -> None:
    """Also where it was never called before: nothing of it was loaded then."""
    late = "def say() -> str:\n    import words\n    return words.SAID\n"
    async with live(tmp_path, NETWORK, watch=True, inn=late, words=WORDS) as there:
        saver = Saver(there)
        assert await saver.does(("words.py", "SAID = 'two'\n")) == "~ kitchen  words.py edited (rolling)"
        assert await said(saver) == "two"


PACKAGED = {
    "which a module imports": ("inn:say", "from . import dishes\ndef said(): return dishes.SAID"),
    "when it runs": ("inn:say", "def said():\n    from . import dishes\n    return dishes.SAID"),
    "for a module in it": ("menu.plain:said", "from .dishes import SAID"),
}


@PLACEMENTS
@pytest.mark.parametrize(("target", "package"), PACKAGED.values(), ids=PACKAGED)
async def test_what_a_package_imports_from_itself_is_watched(
    tmp_path: Path, place: Place, target: str, package: str
) -> None:
    menu = {"__init__": package, "dishes": "SAID = 'one'\n", "plain": "from . import SAID\ndef said(): return SAID"}
    (tmp_path / "menu").mkdir()
    for name, text in menu.items():
        (tmp_path / "menu" / f"{name}.py").write_text(text)
    network = place(NETWORK).replace("inn:say", target)
    module = "import menu\n\n\ndef say() -> str:\n    return menu.said()\n"
    async with live(tmp_path, network, watch=True, inn=module) as there:
        saver = Saver(there)
        assert await said(saver) == "one"
        assert await saver.does(("menu/dishes.py", "SAID = 'two'\n")) == "~ kitchen  menu/dishes.py edited (rolling)"
        assert await said(saver) == "two"


async def test_ensembles_come_and_go_with_the_file(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        assert await saver.does(("network.yaml", NETWORK + SPA)) == "+ spa"
        assert (await saver.network.client.call("spa/relax", {})).result == "ah"
        assert await saver.does(("network.yaml", NETWORK)) == "- spa (draining)"
        assert [e.name for e in (await saver.network.client.status()).ensembles] == ["kitchen"]


async def test_whoever_comes_later_asks_by_the_defaults_that_were_saved(tmp_path: Path) -> None:
    spy = {"inn": "from runner import Context\n\ndef say(context: Context) -> list:\n    asked = context.request\n"}
    spy["inn"] += "    return [asked.deadline.total_seconds(), asked.priority]\n"
    async with live(tmp_path, NETWORK, watch=True, **spy) as there:
        await Saver(there).does(("network.yaml", NETWORK + "defaults: {deadline: 77s, priority: high}\n"))

        async def asked_by_them() -> bool:
            async with connect(there.workspace.file, name="later") as client:
                return (await client.call("kitchen/say", {})).result == [77.0, "HIGH"]

        await eventually(asked_by_them, "the defaults")


async def test_what_any_nats_client_is_told_of_an_ensemble_is_as_it_was_saved_last(tmp_path: Path) -> None:
    told = NETWORK.replace("{say: {", '{say: {description: "Says it.", ').replace(
        "  kitchen:", "  kitchen:\n    description: Cooks."
    )
    async with inn(tmp_path) as saver:
        await saver.does(("network.yaml", told))
        answer = await saver.network.client._connection.request("$SRV.INFO.kitchen", b"", timeout=30)
        info = json.loads(answer.data)
        [say] = info["endpoints"]
        assert (info["description"], say["metadata"]["description"]) == ("Cooks.", "Says it.")


async def test_a_file_with_errors_changes_nothing_until_the_next_good_one(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        refused = await saver.breaks(("network.yaml", NETWORK.replace("4", "many")))
        assert isinstance(refused.problem, InvalidNetwork)
        assert refused.generation == 1
        told = "network.yaml:4:32: error[wrong-type]: `max_concurrent` must be a whole number, not text"
        last = (await saver.network.client.status()).last_reload
        assert (last.ok, last.generation, last.diagnostics) == (False, 1, (told,))
        await eventually(lambda: bool(events(saver)), "the event")
        assert (events(saver)[-1].status, events(saver)[-1].message) == ("FAILED", told)
        assert await said(saver) == "one"
        assert await saver.does(("network.yaml", NETWORK.replace("4", "5")))
        assert (await saver.network.client.status()).last_reload.ok


async def test_a_refused_save_is_told_by_its_errors_and_not_by_warnings(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        seeking = NETWORK.replace("  kitchen:", "  desk: {uses: {moon: {tags: [moonlight]}}}\n  kitchen:")
        refused = await saver.breaks(("network.yaml", seeking.replace("inn:say", "inn:sing")))
        assert isinstance(refused.problem, InvalidNetwork)
        assert [d.code for d in refused.problem.diagnostics] == ["unknown-function"]
        assert len((await saver.network.client.status()).last_reload.diagnostics) == 1


async def test_putting_back_what_runs_settles_a_refused_save(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        await saver.breaks(("network.yaml", "network: [inn\n"))
        saver.write("network.yaml", NETWORK)
        await saver.notices_that("the files are those of generation 1 again")
        status = await saver.network.client.status()
        assert (status.generation, status.last_reload.ok) == (1, True)


async def test_what_takes_a_restart_is_refused_by_name_with_what_to_do(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        refused = await saver.breaks(("network.yaml", NETWORK.replace("network: inn", "network: hotel")))
        assert refused.problem.code == "restart-needed"
        assert refused.problem.message == "`network` cannot change while the network runs\n  network inn → hotel"
        assert "run-network down" in (refused.problem.hint or "")
        assert await said(saver) == "one"


async def test_the_network_file_may_go_and_come_back_while_the_network_works(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        (tmp_path / "network.yaml").unlink()
        await saver.notices_that("network.yaml is gone: the network goes on as it is")
        assert await said(saver) == "one"
        assert (await saver.network.client.status()).last_reload.ok
        assert await saver.does(("network.yaml", NETWORK.replace("4", "8")))
        assert saver.refused == []


async def test_a_module_that_breaks_as_it_is_imported_changes_nothing(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        refused = await saver.breaks(("words.py", "SAID = 1 / 0\n"))
        assert "words.py:1: ZeroDivisionError" in refused.problem.message
        assert await said(saver) == "one"
        await saver.does(("words.py", "SAID = 'two'\n"))
        assert await said(saver) == "two"


async def test_a_server_that_is_away_just_after_the_commit_is_told_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in force is not said to be refused, and others come to know what is on offer."""
    real, away = HostedEnsemble.register, iter((True, True))

    async def register(ensemble: HostedEnsemble) -> None:
        if next(away, False):
            raise TimeoutError
        await real(ensemble)

    async with inn(tmp_path, NETWORK.replace("share: true", "share: [old]")) as saver:
        monkeypatch.setattr(HostedEnsemble, "register", register)
        block = await saver.does(("network.yaml", NETWORK.replace("share: true", "share: [new]")))
        assert block == "~ kitchen  tools.say.share.tags [old] → [new] (live)"
        assert [entry.tags for entry in await saver.network.client.catalog()] == [("new",)]


async def test_a_comment_is_nothing_to_do(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        saver.write("network.yaml", NETWORK + "# later: a spa\n")
        await saver.notices_that("nothing that the network works by is different")
        assert (await saver.network.client.status()).generation == 1
        assert saver.applied == []


async def test_a_value_in_the_environment_file_is_watched_and_never_shown(tmp_path: Path) -> None:
    network = NETWORK.replace("    capacity", '    description: "${env:INN_WORDS:-plain}"\n    capacity')
    async with inn(tmp_path, network) as saver:
        changed = [await saver.does((".env", f"INN_WORDS={word}\n")) for word in ("canary-one", "canary-two")]
        assert changed == ["~ kitchen  description plain → (hidden) (live)", "~ kitchen  description changed (live)"]
        await eventually(lambda: len(events(saver)) == 2, "the events")
        assert "canary" not in str([*events(saver), await saver.network.client.status()])


async def test_without_watching_a_save_waits_for_the_next_start(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE, words=WORDS) as there:
        Saver(there).write("words.py", "SAID = 'two'\n")
        assert (await there.client.call("kitchen/say", {})).result == "one"
    async with running(read(there.workspace), there.workspace), connect(there.workspace.file, name="t") as client:
        assert (await client.call("kitchen/say", {})).result == "two"


async def test_whoever_joined_goes_with_what_the_owner_saves(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        workspace = saver.network.workspace
        told: list = []
        async with running(read(workspace), workspace, join=True, watch=True, watcher=told.append) as joined:
            await saver.does(("network.yaml", NETWORK.replace("4", "8")))
            assert joined._hosted["kitchen"].vitals.slots == 8
            refused = await saver.breaks(("network.yaml", NETWORK.replace("4", "many")))

            async def all_tell() -> bool:  # the watch tells before the beat does
                return not (await saver.network.client.status()).last_reload.ok

            await eventually(all_tell, "it is told")
            told = [(await saver.network.client.status()).last_reload for _ in range(12)]
            assert {last.ok for last in told} == {False}
            assert isinstance(refused.problem, InvalidNetwork)
            await saver.does(("network.yaml", NETWORK.replace("4", "9")))
            reports = [await saver.network.client.status() for _ in range(12)]
            assert {report.last_reload.ok for report in reports} == {True}
            assert {runner.generation for report in reports for runner in report.runners} == {3}
