"""How a runner keeps up: it takes part in what others apply, and applies what is saved in its own directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from runner.bus.objects import Objects
from runner.bus.questions import Questions
from runner.host.applied import Configuration
from runner.host.census import Census
from runner.host.following import Applier, Following
from runner.host.foundation import Foundation
from runner.host.happenings import Watcher
from runner.host.proposals import Proposals
from runner.host.proposing import Proposing
from runner.host.reload import Reloading
from runner.workspace import Workspace


@asynccontextmanager
async def changing(
    applier: Applier,
    configuration: Configuration,
    workspace: Workspace,
    ground: Foundation,
    census: Census,
    watcher: Watcher,
    watches: Callable[[], bool] | None,
    secrets: frozenset[str],
    proposes: Callable[[], bool],
) -> AsyncIterator[None]:
    """Within the block the runner goes with its network; leaving it ends or gives up what is under way.

    `watches` tells whether saved changes are this runner's to apply; None where nobody looks at the files.
    `secrets` are those of the references in the files here. `proposes` tells whether clients ask this runner to apply
    what they bring.
    """
    questions = Questions(ground.connection, ground.subjects)
    following = Following(configuration, ground.bundles, workspace, applier, watcher)
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
            proposes,
        )
        stack.push_async_callback(proposals.close)
        await following.open(questions, ground.subjects, ground.pulse.runner)
        await proposals.serve(questions, ground.subjects)
        if watches is not None:
            reloading = Reloading(
                workspace, following, proposing, census, ground.events, watcher, watches, secrets=secrets
            )
            stack.push_async_callback(reloading.close)
            reloading.open()
        yield
