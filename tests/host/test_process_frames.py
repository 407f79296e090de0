"""Frames are put together from whatever pieces arrive; a process that keeps ending is left alone for longer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.host.process.backoff import FIRST_SECONDS, MOST_SECONDS, STOOD_SECONDS, Backoff
from runner.host.process.frames import Frame, Frames, Garbled, Kind

frames = st.builds(
    Frame, st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.binary(max_size=64), st.binary(max_size=64)
)


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_frames_arrive_as_they_were_sent_whatever_the_pieces(sent: list[Frame], sizes: list[int]) -> None:
    data, reader, found = b"".join(frame.encode() for frame in sent), Frames(1024), []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        found += reader.fed(data[:size])
        data, turn = data[size:], turn + 1
    assert found == sent


@pytest.mark.parametrize("data", [b"\x09" + bytes(16), Frame(Kind.ASK, 1, b"x" * 100, b"").encode()])
def test_what_is_no_frame_or_too_large_is_refused_before_it_is_whole(data: bytes) -> None:
    with pytest.raises(Garbled):
        Frames(64).fed(data[:17])


@given(st.lists(st.floats(0, STOOD_SECONDS - 0.001), min_size=1, max_size=40))
def test_each_pause_is_at_least_the_last_and_none_is_beyond_the_most(stood: list[float]) -> None:
    backoff = Backoff()
    pauses = [backoff.pause(seconds) for seconds in stood]
    assert pauses == sorted(pauses)
    assert pauses[0] == FIRST_SECONDS
    assert pauses[-1] <= MOST_SECONDS
    assert backoff.pause(STOOD_SECONDS) == FIRST_SECONDS
