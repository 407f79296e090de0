"""What a user may do, read from a real server and compared with what is needed."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runner.bus.connection import connect
from runner.bus.held import Held, covers, held_by, overlap
from runner.bus.permissions import Permissions
from tests.support.servers import guarded_server, plain_server

TOKENS = st.sampled_from(["a", "b", "*"])
PATTERNS = st.builds(
    lambda tokens, tail: ".".join([*tokens, *tail]),
    st.lists(TOKENS, min_size=1, max_size=3),
    st.sampled_from([[], [">"]]),
)
SUBJECTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(".".join)
NEEDED = Permissions(("inn.tool.desk.spa.relax", "inn.work.desk.spa.*.soak"), ("_INBOX_desk.>",))


def matches(pattern: str, subject: str) -> bool:
    expression = pattern.replace(".", r"\.").replace("*", "[^.]+").replace(">", ".+")
    return re.fullmatch(expression, subject) is not None


@given(PATTERNS, PATTERNS, st.lists(SUBJECTS, max_size=30))
def test_a_pattern_covers_another_only_if_it_has_all_its_subjects(wide: str, narrow: str, subjects: list[str]) -> None:
    for subject in subjects:
        if matches(narrow, subject):
            assert matches(wide, subject) or not covers(wide, narrow)
            assert overlap(wide, narrow) or not matches(wide, subject)


@given(PATTERNS)
def test_a_pattern_covers_and_overlaps_itself(pattern: str) -> None:
    assert covers(pattern, pattern)
    assert overlap(pattern, pattern)
    assert covers(">", pattern)


async def held_at(url: str) -> Held | None:
    connection = await connect((url,), caller="_runner", credentials=None)
    try:
        return await held_by(connection)
    finally:
        await connection.close()


async def test_what_a_user_may_not_do_is_told_a_line_each(tmp_path: Path) -> None:
    leave = {"publish": ["$SYS.REQ.USER.INFO", "inn.tool.desk.>"], "subscribe": ["_INBOX__runner.>"]}
    async with guarded_server(tmp_path, leave) as server:
        held = await held_at(server.url)
        assert held is not None
        assert held.missing(NEEDED) == (
            'publish: "inn.work.desk.spa.*.soak"',
            'subscribe: "_INBOX_desk.>"',
        )


async def test_a_server_without_authentication_forbids_nothing(tmp_path: Path) -> None:
    async with plain_server(tmp_path) as url:
        held = await held_at(url)
        assert held is not None
        assert held.missing(NEEDED) == ()


async def test_a_user_who_may_not_ask_is_not_known(tmp_path: Path) -> None:
    async with guarded_server(tmp_path, {"publish": ["inn.>"], "subscribe": ["_INBOX__runner.>"]}) as server:
        assert await held_at(server.url) is None
