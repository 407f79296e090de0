"""Message ids: publications of different kinds are never taken for one another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.bus.caller import PUBLICATIONS
from runner.bus.notices import publication
from runner.subjects import message_id, publication_of_epoch, publication_of_place

REPEATS = st.integers(0, PUBLICATIONS - 1)
EPOCHS = st.integers(1, 100_000).map(publication_of_epoch)
PLACES = st.integers(1, 2**53).map(publication_of_place)


@given(REPEATS, EPOCHS, PLACES)
def test_what_a_caller_repeats_is_no_move_and_no_retry(repeat: int, epoch: int, place: int) -> None:
    ids = [message_id("desk", "r1", number) for number in (repeat, epoch, place)]
    assert len(set(ids)) == 3
    assert [publication({"Nats-Msg-Id": one}) for one in ids] == [repeat, epoch, place]
