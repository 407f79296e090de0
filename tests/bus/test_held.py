"""What a user may do, read from a real server and compared with what is needed."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from runner.bus.connection import connect
from runner.bus.held import Held, cover, covers, held_by, overlap
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


EVERY_SUBJECT = [".".join(tokens) for length in range(1, 6) for tokens in itertools.product("abc", repeat=length)]
"""Up to longer than any pattern here, and with a token that none of them names."""


@given(st.lists(PATTERNS, max_size=6), PATTERNS)
@example(["a.*", "a.*.>"], "a.>")
@example(["*", "*.*", "*.*.*.>", "*.a.>", "*.b.>"], ">")
@example(["*", "a.>", "b.>"], ">")
def test_entries_cover_together_what_every_subject_of_is_in_one_of_them(entries: list[str], pattern: str) -> None:
    subjects = [subject for subject in EVERY_SUBJECT if matches(pattern, subject)]
    assert cover(entries, pattern) == all(any(matches(one, subject) for one in entries) for subject in subjects)


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


async def test_leave_that_several_entries_give_together_is_leave(tmp_path: Path) -> None:
    allowed = ["_INBOX_desk.*", "_INBOX_desk.*.>", "_INBOX__runner.>"]
    async with guarded_server(tmp_path, {"publish": ["$SYS.REQ.USER.INFO", "inn.>"], "subscribe": allowed}) as server:
        held = await held_at(server.url)
        assert held is not None
        assert held.missing(NEEDED) == ()


async def test_a_server_without_authentication_forbids_nothing(tmp_path: Path) -> None:
    async with plain_server(tmp_path) as url:
        held = await held_at(url)
        assert held is not None
        assert held.missing(NEEDED) == ()


async def test_a_user_who_may_not_ask_is_not_known(tmp_path: Path) -> None:
    async with guarded_server(tmp_path, {"publish": ["inn.>"], "subscribe": ["_INBOX__runner.>"]}) as server:
        assert await held_at(server.url) is None
