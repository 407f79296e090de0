"""Several runners go from one configuration to the next together, or not at all. Who applies is a stand-in here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.applied import Applied, Proposal, Readiness
from runner.beat import Beat, Vitals
from runner.bundle import Bundled
from runner.bus.bundles import Bundles
from runner.bus.connection import connect
from runner.bus.questions import Questions
from runner.bus.records import Bucket, Entry
from runner.bus.streams import ensure_applied
from runner.config.reading import read_network
from runner.errors import ReloadFailed
from runner.host.applied import Configuration, Files, Settling
from runner.host.following import WARM, Following
from runner.host.happenings import Happening, Notice
from runner.host.proposing import Proposing
from runner.host.pulse import Pulse
from runner.model import Network
from runner.subjects import Subjects
from runner.who import who
from runner.work import EnsembleState
from runner.workspace import Workspace
from tests.support.networks import eventually, files_in
from tests.support.servers import plain_server

NETWORK = 'network: inn\nensembles:\n  kitchen:\n    description: "%s"\n'
SUBJECTS = Subjects("inn")


@dataclass
class StandIn:
    """Applies nothing, and remembers what it would have; `hold` keeps it from being ready, `broken` for good."""

    log: list[str]
    name: str
    generation: int = 1
    broken: str | None = None
    hold: asyncio.Event | None = None
    read: Callable[[str], bytes] | None = None

    async def apply(
        self, network: Network, read: Callable[[str], bytes], generation: int, commit: Callable[[], Awaitable[None]]
    ) -> None:
        if self.hold is not None:
            await self.hold.wait()
        if self.broken is not None:
            raise ReloadFailed(self.broken)
        self.log.append(f"{self.name} warm {generation}")
        await commit()
        self.generation, self.read = generation, read
        self.log.append(f"{self.name} runs {generation}")


@dataclass
class Member:
    """One runner, as far as it takes part."""

    workspace: Workspace
    applier: StandIn
    following: Following
    proposing: Proposing
    bundles: Bundles
    questions: Questions
    told: list[Happening] = field(default_factory=list)

    def write(self, description: str) -> Files:
        """The files of its directory, changed and read."""
        workspace = files_in(self.workspace.directory, {"network.yaml": NETWORK % description})
        reading = read_network(workspace, "network.yaml", {})
        assert reading.network is not None, reading.diagnostics
        return Files.of(workspace, reading.network, reading)

    async def propose(self, description: str) -> Configuration:
        return await self.proposing.propose(self.write(description))

    async def in_force(self) -> Applied:
        applied, _ = await self.bundles.current()
        assert applied is not None
        return applied


@asynccontextmanager
async def member(url: str, directory: Path, log: list[str]) -> AsyncIterator[Member]:
    name = directory.name
    connection = await connect((url,), caller="_runner", credentials=None, echo=False)
    pulse = Pulse(await connect((url,), caller="_runner", credentials=None), SUBJECTS, name)
    await ensure_applied(connection, SUBJECTS)
    workspace = files_in(directory, {"network.yaml": NETWORK % "first"})
    reading = read_network(workspace, "network.yaml", {})
    assert reading.network is not None
    told: list[Happening] = []
    bundles, questions = Bundles(connection, SUBJECTS), Questions(connection, SUBJECTS)
    now = await Settling(Files.of(workspace, reading.network, reading), bundles, told.append).own()
    applier = StandIn(log, name, now.applied.generation)
    following = Following(now, bundles, workspace, applier, told.append, pulse)
    proposing = Proposing(following, bundles, pulse, questions, SUBJECTS, applier)
    await pulse.listen()
    pulse.start(lambda sequence: beat(name, sequence))
    await following.open(questions, SUBJECTS, name)
    try:
        yield Member(workspace, applier, following, proposing, bundles, questions, told)
    finally:
        await following.close()
        await questions.close()
        await pulse.close()
        await connection.close()


def beat(runner: str, sequence: int) -> Beat:
    kitchen = Vitals(ensemble="kitchen", state=EnsembleState.READY)
    return Beat(
        runner=runner,
        pid=7,
        host="here",
        url="",
        started_at=datetime.now(UTC),
        sequence=sequence,
        ensembles=(kitchen,),
    )


@dataclass
class Pair:
    one: Member
    two: Member
    log: list[str]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    log: list[str] = []
    async with (
        plain_server(tmp_path) as url,
        member(url, tmp_path / "one", log) as one,
        member(url, tmp_path / "two", log) as two,
    ):
        for it in (one, two):
            await it.proposing._pulse.say()
        for it in (one, two):
            await eventually(lambda it=it: len(it.proposing._pulse.beats) == 2, "hearing each other")
        yield Pair(one, two, log)


async def test_all_are_ready_before_any_goes_and_all_go(pair: Pair):
    configuration = await pair.one.propose("second")
    assert configuration.applied.generation == 2
    await eventually(lambda: pair.two.applier.generation == 2, "the other's going")
    assert sorted(pair.log[:2]) == ["one warm 2", "two warm 2"]
    assert sorted(pair.log[2:]) == ["one runs 2", "two runs 2"]
    assert pair.two.following.now.applied == await pair.one.in_force() == configuration.applied
    assert configuration.applied.changed == ("kitchen",)


async def test_a_follower_has_the_files_of_the_proposer_and_not_its_own(pair: Pair):
    files = pair.one.write("second")
    await pair.one.proposing.propose(files)
    await eventually(lambda: pair.two.applier.read is not None, "the other's going")
    assert pair.two.applier.read is not None
    assert pair.two.applier.read("network.yaml") == files.bundled.read("network.yaml")


async def test_an_earlier_generation_is_applied_again_as_a_new_one(pair: Pair):
    await pair.one.propose("second")
    first = await pair.one.bundles.generation(1)
    assert first is not None
    files = Files.kept(await pair.one.bundles.load(first.bundle), pair.one.workspace)
    applied = (await pair.one.proposing.propose(files)).applied
    assert (applied.generation, applied.bundle) == (3, first.bundle)
    await eventually(lambda: pair.two.applier.generation == 3, "the other's going")


async def test_what_is_in_force_already_changes_nothing(pair: Pair):
    assert (await pair.one.propose("first")).applied.generation == 1
    assert pair.log == []


async def test_one_that_is_not_able_to_keeps_all_where_they_are_and_is_named(pair: Pair):
    pair.two.applier.broken = "kitchen.py:3: NameError"
    with pytest.raises(ReloadFailed, match=r"^two \(pid 7 on here\): kitchen.py:3: NameError$"):
        await pair.one.propose("second")
    assert (await pair.one.in_force()).generation == pair.one.applier.generation == pair.two.applier.generation == 1
    pair.two.applier.broken = None
    assert (await pair.one.propose("third")).applied.generation == 2


async def test_one_whose_own_code_fails_proposes_nothing(pair: Pair):
    pair.one.applier.broken = "kitchen.py:3: NameError"
    with pytest.raises(ReloadFailed, match=r"^kitchen.py:3: NameError$"):
        await pair.one.propose("second")
    assert (await pair.two.in_force()).generation == pair.two.applier.generation == 1
    pair.one.applier.broken = None
    assert (await pair.two.propose("third")).applied.generation == 2, "the other was released at once"


async def test_one_that_is_not_ready_in_time_is_named(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.host.ballot.BOUND_SECONDS", 0.2)
    pair.two.applier.hold = asyncio.Event()
    with pytest.raises(ReloadFailed, match=r"^two \(pid 7 on here\): not ready after 0.2 s$"):
        await pair.one.propose("second")
    pair.two.applier.hold.set()
    assert (await pair.one.propose("third")).applied.generation == 2, "the late one has given up as well"
    await eventually(lambda: pair.two.applier.generation == 2, "the other's going")


async def test_of_two_who_propose_at_once_one_wins_and_the_other_is_told(pair: Pair):
    outcomes = await asyncio.gather(pair.one.propose("ones"), pair.two.propose("twos"), return_exceptions=True)
    [won] = [outcome for outcome in outcomes if isinstance(outcome, Configuration)]
    [lost] = [outcome for outcome in outcomes if isinstance(outcome, ReloadFailed)]
    assert "at the same time" in lost.message
    for it in (pair.one, pair.two):
        await eventually(lambda it=it: it.applier.generation == 2, "going with the winner")
        assert it.following.now.applied == won.applied


async def test_one_that_is_just_being_told_that_it_lost_does_not_keep_the_winner_from_going(pair: Pair):
    async with pair.two.following.one:
        proposing = asyncio.ensure_future(pair.one.propose("ones"))
        await eventually(lambda: pair.two.following._part is not None, "being asked")
        await asyncio.sleep(0.05)
        assert not proposing.done()
    assert (await proposing).applied.generation == 2
    await eventually(lambda: pair.two.applier.generation == 2, "going with the winner")


async def test_one_that_stays_at_another_change_is_named(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.host.following.TURN_SECONDS", 0.1)
    async with pair.two.following.one:
        with pytest.raises(ReloadFailed, match=r"^two \(pid 7 on here\): it is applying another change$"):
            await pair.one.propose("ones")
    assert (await pair.one.propose("third")).applied.generation == 2


async def test_what_a_dead_proposer_began_is_given_up_and_hinders_nobody(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.host.following.PATIENCE_SECONDS", 0.1)
    proposal = await proposed(pair.one, "ghosts", runner="a-dead-one")
    answer = await pair.one.questions.ask(SUBJECTS.control("two", WARM), proposal.encode())
    assert answer is not None
    assert Readiness.model_validate_json(answer).problem is None
    await eventually(lambda: not pair.two.following.one.locked(), "giving up")
    assert pair.two.applier.generation == 1
    assert (await pair.one.propose("second")).applied.generation == 2


async def test_a_newer_proposal_does_not_wait_for_an_abandoned_one(pair: Pair):
    abandoned = await proposed(pair.one, "ghosts", runner="a-dead-one")
    await pair.one.questions.ask(SUBJECTS.control("two", WARM), abandoned.encode())
    assert (await pair.one.propose("second")).applied.generation == 2
    await eventually(lambda: pair.two.applier.generation == 2, "the other's going")


async def test_a_commit_that_nobody_told_of_is_found(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    """The proposer died between the write that counts and the history."""
    monkeypatch.setattr("runner.host.following.LOOK_SECONDS", 0.05)
    proposal = await proposed(pair.one, "second", runner="a-dead-one")
    _, revision = await pair.one.bundles.current()
    await pair.one.bundles._bucket.put_if("current", proposal.applied.encode(), revision)
    for it in (pair.one, pair.two):
        await eventually(lambda it=it: it.applier.generation == 2, "going with what is in force")


async def test_what_is_in_force_and_cannot_be_run_here_is_said_once(pair: Pair):
    pair.two.applier.broken = "kitchen.py:3: NameError"
    before, revision = await pair.one.bundles.current()
    proposal = await proposed(pair.one, "second", runner="a-dead-one")
    assert await pair.one.bundles.commit(proposal.applied, revision)
    await eventually(lambda: bool(notices(pair.two)), "a notice")
    assert notices(pair.two) == [
        f"generation 2 by {who()} cannot be run here: kitchen.py:3: NameError; this runner still runs generation 1"
    ]
    assert before is not None
    pair.two.applier.broken = None
    _, revision = await pair.one.bundles.current()
    third = (await proposed(pair.one, "third", runner="a-dead-one")).applied.model_copy(update={"generation": 3})
    assert await pair.one.bundles.commit(third, revision)
    await eventually(lambda: pair.two.applier.generation == 3, "going with the next")


async def test_all_run_what_is_in_force_when_whoever_proposed_it_is_told(pair: Pair):
    await pair.one.propose("second")
    assert pair.two.applier.generation == 2


@dataclass
class LostAnswer:
    """Of the first write of a key nobody hears: it was done (`at_once`), is done when it is too late, or never was."""

    bucket: Bucket
    key: str
    when: str
    late: tuple[bytes, int] | None = None
    lost: bool = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.put, self.read = self.bucket.put_if, self.bucket.get
        monkeypatch.setattr(self.bucket, "put_if", self.put_if)
        monkeypatch.setattr(self.bucket, "get", self.get)

    async def put_if(self, key: str, value: bytes, revision: int) -> int | None:
        if key != self.key or self.lost:
            await self.arrive()
            return await self.put(key, value, revision)
        self.lost = True
        if self.when == "at once":
            await self.put(key, value, revision)
        elif self.when == "late":
            self.late = value, revision
        raise TimeoutError

    async def get(self, key: str) -> Entry | None:
        found = await self.read(key)
        await self.arrive()
        return found

    async def arrive(self) -> None:
        if self.late is not None:
            (value, revision), self.late = self.late, None
            await self.put(self.key, value, revision)


@pytest.mark.parametrize("key", ["current", "proposal"])
@pytest.mark.parametrize("when", ["at once", "late", "never"])
async def test_a_write_whose_answer_is_lost_is_done_once_and_told_as_done(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, key: str, when: str
):
    LostAnswer(pair.one.bundles._bucket, key, when).install(monkeypatch)
    assert (await pair.one.propose("second")).applied == await pair.two.in_force()
    assert pair.one.applier.generation == pair.two.applier.generation == 2
    assert (await pair.two.propose("third")).applied.generation == 3, "nothing stands in the way of the next"


async def test_one_that_stops_meanwhile_is_not_waited_for(pair: Pair):
    pair.two.applier.hold = asyncio.Event()
    proposing = asyncio.ensure_future(pair.one.propose("second"))
    await eventually(lambda: pair.two.following.one.locked(), "the other makes ready")
    await pair.two.following.close()
    assert (await proposing).applied.generation == 2
    assert (await pair.one.propose("third")).applied.generation == 3, "nor is one that has stopped, and still answers"


async def test_what_came_into_force_is_not_given_up_for_the_next_proposal(pair: Pair):
    """Whoever proposed the first one died in between."""
    first = await proposed(pair.one, "second", runner="a-dead-one")
    await pair.one.questions.ask(SUBJECTS.control("two", WARM), first.encode())
    _, revision = await pair.one.bundles.current()
    await pair.one.bundles._bucket.put_if("current", first.applied.encode(), revision)
    next_one = first.model_copy(update={"id": "next", "applied": first.applied.model_copy(update={"generation": 3})})
    await pair.one.questions.ask(SUBJECTS.control("two", WARM), next_one.encode())
    assert "two runs 2" in pair.log


async def test_one_that_lags_runs_what_is_in_force_as_soon_as_it_can(pair: Pair):
    pair.two.applier.broken = "there is no such secret"
    proposal = await proposed(pair.one, "second", runner="a-dead-one")
    _, revision = await pair.one.bundles.current()
    assert await pair.one.bundles.commit(proposal.applied, revision)
    await eventually(lambda: bool(notices(pair.two)), "a notice")
    pair.two.applier.broken = None
    await pair.two.following.level()
    assert pair.two.applier.generation == 2


def notices(it: Member) -> list[str]:
    return [happening.message for happening in it.told if isinstance(happening, Notice)]


async def proposed(it: Member, description: str, *, runner: str) -> Proposal:
    """What a runner proposes that is not heard of again: claimed, and its files put away."""
    current, _ = await it.bundles.current()
    bundled = Bundled.of("network.yaml", {"network.yaml": (NETWORK % description).encode()})
    assert current is not None
    applied = Applied(generation=current.generation + 1, bundle=bundled.bundle, by=who(), at=datetime.now(UTC))
    proposal = Proposal(id=description, runner=runner, applied=applied, until=datetime.now(UTC) + timedelta(minutes=1))
    await it.bundles.put_away(bundled, current)
    await it.bundles.claim(proposal, lambda _: True)
    return proposal
