"""The page on deliveries: its network is valid, and its program takes what its calls deliver."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from runner.work import Status, WorkResponse
from tests.support.networks import live

PAGE = (Path(__file__).parents[2] / "docs" / "deliveries.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


async def test_a_plain_client_consumes_queue_topic_and_store(tmp_path: Path):
    async with live(tmp_path, block("yaml")) as inn:
        for target, text, delivery in (
            ("kitchen/cook", "Soup", "queue:orders"),
            ("bar/celebrate", "Cake", None),
            ("bar/serve", "Toast", None),
        ):
            response = await inn.client.call(target, text, delivery=delivery, deadline=20)
            assert isinstance(response, WorkResponse)
            assert response.status is Status.COMPLETED
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", block("python"), cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=-1
        )
        out, err = await asyncio.wait_for(program.communicate(), 60)
    assert out.decode().splitlines() == [
        "queue Soup is served",
        "topic accounting Cake is served",
        "topic lobby Cake is served",
        "store Toast is served",
    ], err.decode()
