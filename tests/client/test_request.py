"""From the arguments of a call to its request, as tables: what they come to, and what only the caller can mend."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.client.request import request_for
from runner.client.targets import Target
from runner.errors import UsageProblem
from runner.work import Authority, DeliverySpec, Priority, WorkRequest

TARGET = Target("kitchen", "cook")


def request(context: Any = "soup", **terms: Any) -> WorkRequest:
    given: dict[str, Any] = {
        "caller": "_client-tester",
        "deadline": timedelta(minutes=30),
        "priority": "NORMAL",
        "delivery": None,
        "request_id": None,
        "authority": None,
    }
    return request_for(TARGET, context, **{**given, **terms})


def test_a_request_says_who_asks_for_what_from_when_on() -> None:
    before = datetime.now(UTC)
    made = request(request_id="r1")
    assert before <= made.submitted_at <= datetime.now(UTC)
    assert (made.request_id, made.caller, made.task, made.context) == ("r1", "_client-tester", "cook", "soup")
    assert (made.priority, made.authority, made.chain) == (Priority.NORMAL, Authority.AUTONOMOUS, ())


def test_every_request_has_an_id_and_a_trace_of_its_own() -> None:
    made = [request() for _ in range(100)]
    assert len({one.request_id for one in made}) == len({one.trace_context.trace_id for one in made}) == 100


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [("30s", 30), ("1h30m", 5400), ("PT30M", 1800), (2.5, 2.5), (90, 90), (timedelta(minutes=2), 120)],
)
def test_deadlines(deadline: object, seconds: float) -> None:
    assert request(deadline=deadline).deadline == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("terms", "made"),
    [
        ({"priority": "high"}, Priority.HIGH),
        ({"priority": "CRITICAL"}, Priority.CRITICAL),
        ({"authority": "human_required"}, Authority.HUMAN_REQUIRED),
        ({"authority": "Supervised"}, Authority.SUPERVISED),
    ],
)
def test_levels_are_read_in_any_case(terms: dict[str, str], made: object) -> None:
    [name] = terms
    assert getattr(request(**terms), name) is made


@pytest.mark.parametrize(
    ("delivery", "made"),
    [
        (None, None),
        ("reply", DeliverySpec(method="reply")),
        ("none", DeliverySpec(method="none")),
        ("queue:parts", DeliverySpec(method="queue", address="parts")),
        ("topic:stock", DeliverySpec(method="topic", address="stock")),
        ("store:board/403", DeliverySpec(method="store", key="board/403")),
        ("guest-board", DeliverySpec(method="named", address="guest-board")),
        (DeliverySpec(method="queue", address="parts"), DeliverySpec(method="queue", address="parts")),
    ],
)
def test_deliveries(delivery: str | DeliverySpec | None, made: DeliverySpec | None) -> None:
    assert request(delivery=delivery).delivery == made


SELF: list[object] = []
SELF.append(SELF)

DURATIONS = "say 30s, 5m, 1h30m or PT30M"
AHEAD = "a deadline must lie ahead, and within ten years"
AN_ID = "letters, digits, `-` and `_`, at most 128"
DELIVERIES = "say reply, none, queue:NAME, topic:NAME, store:KEY, or a name of the file's `deliveries:`"
LEVELS = "one of critical, high, normal, low"
JSON = "send text, numbers, lists or mappings"
PLAIN = "send plain text or a flatter structure"


@pytest.mark.parametrize(
    ("terms", "message", "hint"),
    [
        ({"deadline": "soon"}, "'soon' is no deadline", DURATIONS),
        ({"deadline": ""}, "'' is no deadline", DURATIONS),
        ({"deadline": "-5s"}, "'-5s' is no deadline", DURATIONS),
        ({"deadline": "0s"}, AHEAD, DURATIONS),
        ({"deadline": 0}, AHEAD, DURATIONS),
        ({"deadline": -1}, AHEAD, DURATIONS),
        ({"deadline": timedelta(seconds=-1)}, AHEAD, DURATIONS),
        ({"deadline": 10**12}, AHEAD, DURATIONS),
        ({"deadline": "9999999d"}, AHEAD, DURATIONS),
        ({"deadline": 10.0**300}, "1e+300 is no deadline", "say how many seconds"),
        ({"deadline": float("inf")}, "inf is no deadline", "say how many seconds"),
        ({"deadline": float("nan")}, "nan is no deadline", "say how many seconds"),
        ({"priority": "urgent"}, "there is no priority 'urgent'", LEVELS),
        ({"priority": " low"}, "there is no priority ' low'", LEVELS),
        ({"authority": "root"}, "there is no authority 'root'", "one of autonomous, supervised, human_required"),
        ({"delivery": "queue:"}, "'queue:' is no delivery", DELIVERIES),
        ({"delivery": "queue:a.b"}, "'queue:a.b' is no delivery", DELIVERIES),
        ({"delivery": "topic:>"}, "'topic:>' is no delivery", DELIVERIES),
        ({"delivery": "store:"}, "'store:' is no delivery", DELIVERIES),
        ({"delivery": "pigeon:home"}, "'pigeon:home' is no delivery", DELIVERIES),
        ({"delivery": "Guest board"}, "'Guest board' is no delivery", DELIVERIES),
        ({"delivery": ""}, "'' is no delivery", DELIVERIES),
        ({"delivery": "webhook:http://x"}, "the delivery 'webhook:http://x' is not supported yet", DELIVERIES),
        ({"request_id": ""}, "'' is no request id", AN_ID),
        ({"request_id": "a.b"}, "'a.b' is no request id", AN_ID),
        ({"request_id": "r*"}, "'r*' is no request id", AN_ID),
        ({"request_id": "a/b"}, "'a/b' is no request id", AN_ID),
        ({"request_id": "r1\n"}, "'r1\\n' is no request id", AN_ID),
        ({"request_id": "x" * 129}, f"'{'x' * 129}' is no request id", AN_ID),
        ({"context": b"raw"}, "the context is no JSON value", JSON),
        ({"context": object()}, "the context is no JSON value", JSON),
        ({"context": {1: "one"}}, "the context is no JSON value", JSON),
        ({"context": SELF}, "the context is no JSON value", JSON),
    ],
)
def test_what_only_the_caller_can_mend(terms: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageProblem) as raised:
        request(**terms)
    assert (raised.value.message, raised.value.hint) == (message, hint)


@pytest.mark.parametrize("key", ["x" * 1025, "\ud800"], ids=["long", "surrogate"])
def test_a_store_key_that_cannot_be_carried_is_the_callers_mistake(key: str) -> None:
    with pytest.raises(UsageProblem):
        request(delivery=f"store:{key}")


UNSOUND = {
    "a lone surrogate": "\ud800",
    "one deep inside": {"a": ["\udfff"]},
    "one in a key": {"\ud800": 1},
    "not a number": float("nan"),
    "infinity": [float("inf")],
    "too many digits": 10**5000,
    "too deep": json.loads("[" * 150 + "]" * 150),
}


@pytest.mark.parametrize("context", UNSOUND.values(), ids=UNSOUND)
def test_what_cannot_be_carried_is_refused_where_it_would_set_out(context: object) -> None:
    with pytest.raises(UsageProblem, match="the context cannot be carried: ") as raised:
        request(context)
    assert raised.value.hint == PLAIN


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20))
def test_whatever_is_json_arrives_as_it_set_out(context: object) -> None:
    """NUL, emoji, right-to-left text and deep structures included."""
    sent = request(context)
    assert WorkRequest.model_validate_json(sent.encode()) == sent
    assert sent.context == context
