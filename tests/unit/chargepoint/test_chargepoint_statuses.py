"""The table of statuses against OCPP 1.6's own (section 4.9)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargepoint.statuses import TRANSITIONS, Status, Trigger

_ = Status
OCPP_ALLOWS = {
    _.AVAILABLE: {
        _.PREPARING, _.CHARGING, _.SUSPENDED_EV, _.SUSPENDED_EVSE, _.RESERVED, _.UNAVAILABLE, _.FAULTED,
    },
    _.PREPARING: {
        _.AVAILABLE, _.CHARGING, _.SUSPENDED_EV, _.SUSPENDED_EVSE, _.FINISHING, _.FAULTED,
    },
    _.CHARGING: {
        _.AVAILABLE, _.SUSPENDED_EV, _.SUSPENDED_EVSE, _.FINISHING, _.UNAVAILABLE, _.FAULTED,
    },
    _.SUSPENDED_EV: {
        _.AVAILABLE, _.CHARGING, _.SUSPENDED_EVSE, _.FINISHING, _.UNAVAILABLE, _.FAULTED,
    },
    _.SUSPENDED_EVSE: {
        _.AVAILABLE, _.CHARGING, _.SUSPENDED_EV, _.FINISHING, _.UNAVAILABLE, _.FAULTED,
    },
    _.FINISHING: {_.AVAILABLE, _.PREPARING, _.UNAVAILABLE, _.FAULTED},
    _.RESERVED: {_.AVAILABLE, _.PREPARING, _.UNAVAILABLE, _.FAULTED},
    _.UNAVAILABLE: {
        _.AVAILABLE, _.PREPARING, _.CHARGING, _.SUSPENDED_EV, _.SUSPENDED_EVSE, _.FAULTED,
    },
    _.FAULTED: set(_) - {_.FAULTED},
}  # fmt: skip
OUR_ADDITION = (Status.PREPARING, Status.UNAVAILABLE)


@pytest.mark.parametrize(
    ("status", "target"),
    [(status, target) for status, row in TRANSITIONS.items() for target in row.values()],
)
def test_no_transition_is_ours_alone_but_the_documented_one(status, target):
    assert target is status or target in OCPP_ALLOWS[status] or (status, target) == OUR_ADDITION


def test_every_status_has_a_row_and_can_be_reached():
    reached = {target for row in TRANSITIONS.values() for target in row.values()}
    assert set(TRANSITIONS) == reached == set(Status)


def test_every_trigger_stands_in_the_table():
    assert {trigger for row in TRANSITIONS.values() for trigger in row} == set(Trigger)


@pytest.mark.parametrize("status", Status)
def test_a_fault_may_come_at_any_time(status):
    assert TRANSITIONS[status][Trigger.FAULT_RAISED] is Status.FAULTED


@given(st.sampled_from(Status), st.lists(st.sampled_from(Trigger)))
def test_no_chain_of_triggers_leaves_the_table(status, triggers):
    for trigger in triggers:
        status = TRANSITIONS[status].get(trigger, status)
    assert status in TRANSITIONS


def test_illegal_pairs_are_missing():
    illegal = [pair for pair in product(Status, Trigger) if pair[1] not in TRANSITIONS[pair[0]]]
    assert (Status.AVAILABLE, Trigger.ENDED) in illegal
    assert (Status.CHARGING, Trigger.TAG_ACCEPTED) in illegal
    assert (Status.CHARGING, Trigger.TAKEN_OUT) in illegal
