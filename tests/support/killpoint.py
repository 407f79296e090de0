"""`run-network` in a process that kills itself with SIGKILL at a named point of what it publishes.

    python -m tests.support.killpoint POINT MARKER VERB …

The code that runs is the product's own; only the connection's `publish` is watched, through which every message goes.
The process dies once: where the file MARKER exists already, it lives on. An ensemble's process arms itself, by the code
of the ensemble: there also what it asks of its runner is watched.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.applied import Readiness
from runner.bus.connection import Connection
from runner.cli.app import main
from runner.host.process import calls
from runner.host.process.line import Call, Line

Point = Callable[[str, bytes], bool]
"""Whether a publication (subject, payload) is the one to die before."""


def _accepting(caller: str) -> Point:
    return lambda subject, payload: f".reply.{caller}" in subject and payload.startswith(b'{"type":"task_accepted"')


def _recording(caller: str) -> Point:
    return lambda subject, payload: f"_results.{caller}" in subject and b'"response":' in payload


def _replying(caller: str) -> Point:
    return lambda subject, payload: f".reply.{caller}" in subject and not payload.startswith(b'{"type":')


def _acknowledging(provider: str) -> Point:
    return lambda subject, payload: (
        subject.startswith("$JS.ACK.") and f"_work_{provider}." in subject and payload == b"+ACK"
    )


def _moving(caller: str) -> Point:
    """Of a runner: it publishes a task in a caller's name once its record says that it is another provider's."""
    return lambda subject, _: f".work.{caller}" in subject


def _forgetting(provider: str) -> Point:
    """Of the leader: it takes a task that it moved out of the old queue."""
    return lambda subject, _: subject.startswith("$JS.API.STREAM.MSG.DELETE.") and subject.endswith(f"_work_{provider}")


def _putting(key: str) -> Point:
    """Of whoever proposes a configuration: it writes this key of what is applied."""
    return lambda subject, _: subject.startswith("$KV.") and subject.endswith(f"_applied.{key}")


def _asking(_: str) -> Point:
    """Of whoever proposes a configuration: it asks another runner to make ready."""
    return lambda subject, _: ".control." in subject and subject.endswith(".warm")


def _ready(_: str) -> Point:
    """Of a runner that is asked to: it says that it is ready."""
    return lambda _, payload: payload == Readiness().encode()


POINTS = {
    "putting": _putting,
    "asking": _asking,
    "ready": _ready,
    "accepting": _accepting,
    "recording": _recording,
    "replying": _replying,
    "moving": _moving,
    "acknowledging": _acknowledging,
    "forgetting": _forgetting,
}
"""By name; each for one caller (`_client-`, `desk`), the last two for one provider."""


def arm(dies: Point, marker: Path) -> None:
    """Die before the first publication that is meant."""
    publish = Connection.publish

    async def watched(
        self: Connection, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        if dies(subject, payload):
            _die_once(marker)
        await publish(self, subject, payload, reply, headers)

    Connection.publish = watched  # type: ignore[method-assign]


def _die_once(marker: Path) -> None:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _of(call: Call[Any], caller: str) -> Callable[[Call[Any], tuple[Any, ...]], bool]:
    """Of an ensemble's process: it asks its runner for this about the outcome of a request of this caller."""
    return lambda asked, given: asked is call and given[0].caller.startswith(caller) and given[0].response is not None


ASKED = {"asking to record": calls.RECORD, "asking to deliver": calls.DELIVER}


def arm_process(point: str, marker: Path) -> None:
    """In an ensemble's process: die before what `point` names is published, or asked of the runner."""
    what, _, whose = point.rpartition(" ")
    if what not in ASKED:
        arm(POINTS[what](whose), marker)
        return
    dies, ask = _of(ASKED[what], whose), Line.ask_bytes

    async def watched(self: Line, call: Call[Any], *arguments: Any, **terms: Any) -> Any:
        if dies(call, arguments):
            _die_once(marker)
        return await ask(self, call, *arguments, **terms)

    Line.ask_bytes = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    (point, whose), marker, *rest = sys.argv[1].split(), sys.argv[2], *sys.argv[3:]
    sys.argv[1:] = rest
    arm(POINTS[point](whose), Path(marker))
    main()
