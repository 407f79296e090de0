"""Having a running server read its configuration again: users come, go and change, and nobody is disconnected."""

from __future__ import annotations

import json

from runner.bus.away import AWAY
from runner.bus.connection import connect
from runner.errors import ServerFailed

ANSWER_SECONDS = 10.0
"""With 5,000 users a server took 0.41 s."""


async def reload(url: str, system_seed: str) -> None:
    """The server works by what its file says now when this returns. Raises ServerFailed where it refuses the file."""
    connection = await connect((url,), caller="_system", credentials=system_seed)
    try:
        subject = f"$SYS.REQ.SERVER.{connection.server_id}.RELOAD"
        answer = json.loads((await connection.request(subject, b"{}", timeout=ANSWER_SECONDS)).data)
    except (*AWAY, ValueError) as problem:
        raise ServerFailed(f"nats-server did not reload: {str(problem) or type(problem).__name__}") from problem
    finally:
        await connection.close()
    if error := answer.get("error"):
        raise ServerFailed(f"nats-server refused its new configuration: {error.get('description', error)}")
