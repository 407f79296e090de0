"""Who is next: urgency and age, as a pure decision."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.bus.urgency import Head, doubtful, level, order, promoted
from runner.work import Priority

CRITICAL, HIGH, NORMAL, LOW = Priority
NOW, AGEING = 10_000.0, 300.0

since = st.floats(0.0, NOW)
known = st.dictionaries(st.sampled_from(Priority), since.map(lambda at: Head(at, exact=True)), min_size=1)
"""Queues of which everything is known."""

bounded = st.dictionaries(
    st.sampled_from(Priority), since.flatmap(lambda at: st.tuples(st.just(at), st.floats(at, NOW)))
)
"""For each queue a bound, and since when its head really waits: then, or later."""


@given(known)
def test_the_next_is_the_most_urgent_with_its_age_and_among_equals_the_oldest(heads: dict[Priority, Head]) -> None:
    ordered = order(heads, NOW, AGEING)
    assert sorted(ordered) == sorted(heads)
    ranks = [(level(p, heads[p].since, NOW, AGEING), heads[p].since) for p in ordered]
    assert ranks == sorted(ranks)


@given(known, st.floats(0.0, 5 * AGEING))
def test_who_goes_first_does_so_later_too_unless_somebody_came_up_to_him(
    heads: dict[Priority, Head], pause: float
) -> None:
    """Ageing only ever lets the older pass: nobody is overtaken by one that came after him and is no more urgent."""
    ordered = order(heads, NOW + pause, AGEING)
    for place, priority in enumerate(ordered):
        for other in ordered[place + 1 :]:
            younger = heads[priority].since > heads[other].since
            assert not (younger and list(Priority).index(priority) >= list(Priority).index(other))


@given(bounded)
def test_where_nothing_is_in_doubt_knowing_everything_changes_nothing(
    found: dict[Priority, tuple[float, float]],
) -> None:
    """What is asked of the server is enough: after it the order is that of the true heads."""
    heads = {priority: Head(bound) for priority, (bound, _) in found.items()}
    asked: set[Priority] = set()
    while doubts := doubtful(heads, NOW, AGEING):
        assert doubts[0] not in asked
        asked.add(doubts[0])
        heads[doubts[0]] = Head(found[doubts[0]][1], exact=True)
    if heads:
        truth = {priority: Head(true, exact=True) for priority, (_, true) in found.items()}
        assert order(heads, NOW, AGEING)[0] == order(truth, NOW, AGEING)[0]


@given(known)
def test_what_is_critical_is_next_whatever_the_age_of_the_rest(heads: dict[Priority, Head]) -> None:
    heads[CRITICAL] = Head(NOW, exact=True)
    assert order(heads, NOW, AGEING)[0] is CRITICAL
    assert doubtful({priority: Head(0.0) for priority in heads}, NOW, AGEING) == ()


def test_nothing_is_asked_while_nothing_may_have_aged() -> None:
    assert doubtful({priority: Head(NOW - AGEING + 1) for priority in Priority}, NOW, AGEING) == ()
    assert doubtful({LOW: Head(0.0)}, NOW, AGEING) == ()


def test_a_task_counts_a_level_more_urgent_for_each_ageing_that_it_waited() -> None:
    waited = [level(LOW, NOW - AGEING * rounds, NOW, AGEING) for rounds in (0, 0.99, 1, 2, 3, 40)]
    assert waited == [3, 3, 2, 1, 1, 1]
    heads = {LOW: Head(NOW - 2 * AGEING, exact=True), HIGH: Head(NOW - 1), CRITICAL: Head(NOW)}
    assert order(heads, NOW, AGEING) == (CRITICAL, LOW, HIGH)
    assert promoted(heads[LOW], NOW, AGEING)
    assert not promoted(heads[HIGH], NOW, AGEING)
