"""Whatever a charge point sends is answered by the schema or refused; nothing crashes."""

import copy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import encode_event
from contracts.ocpp_messages import Call, CallResult, MalformedMessage, check_call, check_result
from csms.actions import ACTIONS, Context
from csms.state import State
from ocpp_calls import VALID

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-06-30T23:59:60Z"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(leaf for key, part in parts for leaf in leaves(part, (*path, key)))][0 if path else 1 :]


def test_every_action_has_a_valid_example():
    assert VALID.keys() == ACTIONS.keys()


@given(st.data(), st.sampled_from(sorted(VALID)))
@settings(deadline=None)  # each example opens a database
def test_a_payload_with_odd_values_is_answered_or_refused(data, action):
    payload = copy.deepcopy(VALID[action])
    for path in data.draw(st.lists(st.sampled_from(leaves(payload) or [()]), max_size=3)):
        place: Any = payload
        try:
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = data.draw(ODD_VALUES)
        except (IndexError, KeyError, TypeError):  # an earlier change took the place away
            continue
    with State.opened(":memory:") as state:
        try:
            check_call(Call("1", action, payload))
            answer = ACTIONS[action](payload, Context("CP-1", NOW, state))
        except MalformedMessage:
            return
    check_result(action, CallResult("1", answer.payload))
    for event in answer.events:
        encode_event(event)
