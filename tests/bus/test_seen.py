"""What is remembered of the queues: under whatever name a request is asked for, what was seen and is not gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.bus.seen import MOST_PLACES, Seen, Sighting

NAMES = st.sampled_from(("desk", "bar", "mallory"))
IDS = st.sampled_from(("r1", "r2"))
MESSAGES = st.lists(st.tuples(NAMES, NAMES, IDS), max_size=MOST_PLACES)
"""(who sent it, whom it names, id)."""


@given(messages=MESSAGES, gone=st.sets(st.integers(0, MOST_PLACES - 1)))
def test_an_id_leads_to_whomever_the_messages_name_that_are_still_there(
    messages: list[tuple[str, str, str]], gone: set[int]
) -> None:
    seen = Seen()
    for sequence, (sender, named, request_id) in enumerate(messages):
        seen.see(sender, named, request_id, Sighting("kitchen", sequence))
    for sequence in gone & set(range(len(messages))):
        sender, named, request_id = messages[sequence]
        for name in (sender, named):
            seen.gone(name, request_id, Sighting("kitchen", sequence))
    left = {sequence: one for sequence, one in enumerate(messages) if sequence not in gone}
    for request_id in ("r1", "r2"):
        there = {named for _, named, own_id in left.values() if own_id == request_id}
        assert there <= set(seen.callers(request_id))
        for name in ("desk", "bar", "mallory"):
            mine = {
                n for n, (sender, named, own_id) in left.items() if own_id == request_id and name in (sender, named)
            }
            assert {one.sequence for one in seen.places(name, request_id)} == mine
            assert mine or name not in seen.callers(request_id)
