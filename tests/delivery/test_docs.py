"""The pages on deliveries and on payloads: their networks are valid, and their programs do what they say."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from runner.work import Status, WorkResponse
from tests.support.networks import live

DOCS = Path(__file__).parents[2] / "docs"


def block(language: str, page: str = "deliveries") -> str:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


async def test_a_plain_client_consumes_queue_topic_and_store(tmp_path: Path):
    async with live(tmp_path, block("yaml")) as inn:
        for target, text, delivery in (
            ("kitchen/cook", "Soup", "queue:orders"),
            ("bar/celebrate", "Cake", None),
            ("bar/serve", "Toast", None),
        ):
            response = await inn.client.call(target, text, delivery=delivery, deadline=60)
            assert isinstance(response, WorkResponse)
            assert response.status is Status.COMPLETED
        out, err = await run(tmp_path, block("python"))
    assert out.splitlines() == [
        "queue Soup is served",
        "topic accounting Cake is served",
        "topic lobby Cake is served",
        "store Toast is served",
    ], err


async def test_a_plain_client_puts_a_document_and_reads_a_large_result(tmp_path: Path):
    async with live(tmp_path, block("yaml", "payloads")):
        out, err = await run(tmp_path, block("python", "payloads"))
    assert out.splitlines() == ["1700000 once upon a time"], err


async def run(directory: Path, program: str) -> tuple[str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return out.decode(), err.decode()
