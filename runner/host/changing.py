"""How a runner keeps up: it takes part in what others apply, and applies what is saved in its own directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from runner.bus.objects import Objects
from runner.bus.questions import Questions
from runner.config.reading import Reading
from runner.host.applied import Configuration
from runner.host.census import Census
from runner.host.following import Applier, Following
from runner.host.foundation import Foundation
from runner.host.happenings import Watcher
from runner.host.leave import refuse_without_leave
from runner.host.proposals import Proposals
from runner.host.proposing import Proposing
from runner.host.reload import Reloading
from runner.host.server import Site
from runner.model import Network
from runner.workspace import Workspace


@asynccontextmanager
async def changing(
    applier: Applier,
    site: Site,
    configuration: Configuration,
    workspace: Workspace,
    ground: Foundation,
    census: Census,
    watcher: Watcher,
    watches: Callable[[], bool] | None,
    reading: Reading,
) -> AsyncIterator[None]:
    """Within the block the runner goes with its network; leaving it ends or gives up what is under way.

    `watches` tells whether saved changes are this runner's to apply; None where nobody looks at the files.
    `reading` is what was read of the files here.
    """
    questions, embedded = Questions(ground.connection, ground.subjects), site.embedded is not None
    following = Following(configuration, ground.bundles, workspace, applier, watcher, ground.pulse)
    proposing = Proposing(following, ground.bundles, ground.pulse, questions, ground.subjects, applier)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(questions.close)
        stack.push_async_callback(following.close)
        proposals = Proposals(
            workspace,
            following,
            proposing,
            ground.bundles,
            Objects(ground.connection, ground.subjects.bucket("payloads")),
            census,
            ground.events,
            watcher,
            is_mine=site.owns if embedded else lambda: ground.leadership.leading,
            may=_may_be_anything if embedded else partial(refuse_without_leave, ground.connection),
        )
        stack.push_async_callback(proposals.close)
        await following.open(questions, ground.subjects, ground.pulse.runner)
        await proposals.serve(questions, ground.subjects)
        if watches is not None:
            reloading = Reloading(workspace, following, proposing, census, ground.events, watcher, watches, reading)
            stack.push_async_callback(reloading.close)
            reloading.open()
        yield


async def _may_be_anything(_: Network, __: Network) -> None:
    """What an embedded server lets ensembles do is granted on the way."""
