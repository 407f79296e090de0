"""What has arrived where deliveries go, read from the streams themselves."""

from __future__ import annotations

from runner.bus.directget import read_batch
from runner.work import WorkResponse
from tests.support.networks import LiveNetwork


async def arrived(inn: LiveNetwork) -> dict[str, list[WorkResponse]]:
    """Every delivered outcome, by the subject that it was published on."""
    connection = inn.runner._ground.connection
    found: dict[str, list[WorkResponse]] = {}
    for stream in ("inn_queue", "inn_topic", "KV_inn_deliveries"):
        async for message in read_batch(connection, stream, ">"):
            found.setdefault(message.subject, []).append(WorkResponse.model_validate_json(message.data))
    return found
