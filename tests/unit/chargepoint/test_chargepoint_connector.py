"""The connector's machine: each behaviour by the events that provoke it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chargepoint import module
from chargepoint.connector import booted, may_start, step
from chargepoint.connector_events import (
    AvailabilityChanged,
    BeginTransaction,
    CablePlugged,
    CableUnplugged,
    EndTransaction,
    ForeignStopHeard,
    LimitChanged,
    ModuleReported,
    Notify,
    Record,
    Reservation,
    ReservationEnded,
    ReservationMade,
    Send,
    StartAccepted,
    StopAccepted,
    Ticked,
    TransactionNumbered,
)
from chargepoint.statuses import Status
from contracts.can_frames import Faults, ModuleState, SetLimit, Start, Stop
from contracts.can_frames import Status as StatusFrame

AT = datetime(2026, 1, 1, tzinfo=UTC)
START = StartAccepted("local-1", "TAG", AT, until_s=60.0)


class Lab:
    """Steps a connector and remembers what it asked for. Module reports come once a second."""

    def __init__(self, *, plugged=True, operative=True, limit_a=100.0):
        self.connector = booted(plugged=plugged, operative=operative)
        self.now_s = 0.0
        self.counter = 0
        self.actions = []
        self.give(LimitChanged(limit_a))
        self.actions.clear()

    def give(self, *events):
        """Take the events; return the actions that they brought."""
        brought = []
        for event in events:
            self.connector, actions = step(self.connector, event)
            brought += actions
        self.actions += brought
        return brought

    def report(
        self,
        state=ModuleState.IDLE,
        *,
        current_a=0.0,
        offered_a=100.0,
        limited=False,
        faults=Faults.NONE,
        counter=None,
        closures=0,
        after_s=1.0,
    ):
        """A 0x300 with its 0x302, `after_s` after the last."""
        self.now_s += after_s
        self.counter = self.counter + 1 if counter is None else counter
        frame = StatusFrame(state, True, limited, faults, self.counter & 0xFF, closures, 0)
        return self.give(ModuleReported(self.now_s, current_a, offered_a, frame))

    def charge(self):
        """Have a module, start, and see it charge."""
        self.report()
        self.give(START)
        self.report(ModuleState.CHARGING, current_a=50.0)
        self.actions.clear()
        return self

    @property
    def status(self):
        return self.connector.status


def frames(actions):
    return [action.frame for action in actions if isinstance(action, Send)]


def notified(actions):
    return [action.status for action in actions if isinstance(action, Notify)]


def records(actions):
    return [action.name for action in actions if isinstance(action, Record)]


class TestCableAndStart:
    def test_with_a_cable_it_boots_preparing(self):
        assert booted(plugged=True, operative=True).status is Status.PREPARING

    def test_without_a_cable_it_boots_available(self):
        assert booted(plugged=False, operative=True).status is Status.AVAILABLE

    def test_out_of_service_survives_the_boot(self):
        assert booted(plugged=True, operative=False).status is Status.UNAVAILABLE

    def test_a_start_sends_the_limit_before_the_start_frame(self):
        lab = Lab()
        lab.report()
        assert frames(lab.give(START)) == [SetLimit(100), Start()]
        assert lab.status is Status.CHARGING

    def test_a_start_begins_a_transaction(self):
        lab = Lab()
        begun = [action for action in lab.give(START) if isinstance(action, BeginTransaction)]
        assert [(each.transaction.id_tag, each.transaction.started_at) for each in begun] == [("TAG", AT)]

    def test_a_start_without_a_module_waits_as_suspended_evse(self):
        lab = Lab()
        lab.give(START)
        assert lab.status is Status.SUSPENDED_EVSE
        assert frames(lab.report()) == [SetLimit(100), Start()]
        assert lab.status is Status.CHARGING

    def test_a_start_before_the_cable_waits_for_it(self):
        lab = Lab(plugged=False)
        lab.report()
        assert frames(lab.give(START)) == []
        assert lab.status is Status.PREPARING
        assert Start() in frames(lab.give(CablePlugged(AT)))
        assert lab.status is Status.CHARGING

    def test_a_start_whose_cable_never_comes_is_forgotten(self):
        lab = Lab(plugged=False)
        lab.give(START, Ticked(59.9))
        assert lab.status is Status.PREPARING
        lab.give(Ticked(60.0))
        assert lab.status is Status.AVAILABLE
        assert lab.connector.waiting is None

    def test_a_start_is_accepted_again_while_finishing(self):
        lab = Lab().charge()
        lab.give(StopAccepted("Remote"))
        assert may_start(lab.connector, "TAG")
        assert notified(lab.give(START)) == [Status.PREPARING, Status.CHARGING]

    def test_a_second_start_changes_nothing_and_is_reported(self):
        lab = Lab().charge()
        before = lab.connector
        assert not may_start(lab.connector, "TAG")
        assert records(lab.give(START)) == ["transition_refused"]
        assert lab.connector == before

    def test_unplugging_ends_the_transaction(self):
        lab = Lab().charge()
        actions = lab.give(CableUnplugged())
        assert [each.reason for each in actions if isinstance(each, EndTransaction)] == ["EVDisconnected"]
        assert notified(actions) == [Status.FINISHING, Status.AVAILABLE]

    def test_the_csms_gives_the_transaction_its_number(self):
        lab = Lab().charge()
        lab.give(TransactionNumbered("another", 6), TransactionNumbered("local-1", 7))
        assert lab.connector.transaction.transaction_id == 7


class TestStop:
    def test_a_stop_sends_the_frame_and_ends_the_transaction(self):
        lab = Lab().charge()
        actions = lab.give(StopAccepted("Remote"))
        assert frames(actions) == [Stop()]
        assert [each.reason for each in actions if isinstance(each, EndTransaction)] == ["Remote"]
        assert lab.status is Status.FINISHING

    def test_a_stop_without_transaction_is_reported(self):
        lab = Lab()
        assert records(lab.give(StopAccepted("Remote"))) == ["transition_refused"]
        assert lab.status is Status.PREPARING


class TestSuspended:
    def test_a_limit_of_0_suspends(self):
        lab = Lab().charge()
        assert frames(lab.give(LimitChanged(0.0))) == [SetLimit(0)]
        assert lab.status is Status.SUSPENDED_EVSE
        lab.give(LimitChanged(16.0))
        assert lab.status is Status.CHARGING

    def test_a_limit_below_an_ampere_is_none_on_the_bus(self):
        lab = Lab().charge()
        assert frames(lab.give(LimitChanged(0.9))) == [SetLimit(0)]
        assert lab.status is Status.SUSPENDED_EVSE

    def test_a_module_that_offers_nothing_suspends(self):
        lab = Lab().charge()
        lab.report(ModuleState.CHARGING, offered_a=0.0)
        assert lab.status is Status.SUSPENDED_EVSE

    def test_a_vehicle_that_takes_nothing_suspends_as_ev(self):
        lab = Lab().charge()
        lab.report(ModuleState.CHARGING, limited=True, current_a=0.2)
        assert lab.status is Status.SUSPENDED_EV
        lab.report(ModuleState.CHARGING, limited=True, current_a=30.0)
        assert lab.status is Status.CHARGING

    def test_a_ramp_that_begins_at_0_is_charging(self):
        lab = Lab().charge()
        lab.report(ModuleState.CHARGING, current_a=0.0)
        assert lab.status is Status.CHARGING

    def test_a_rogue_stop_suspends_and_is_not_healed(self):
        lab = Lab().charge()
        lab.give(ForeignStopHeard())
        assert records(lab.report(ModuleState.STOPPING)) == ["module_stopped_by_other"]
        assert lab.status is Status.SUSPENDED_EVSE
        for _ in range(10):
            assert frames(lab.report(ModuleState.IDLE)) == []
        assert lab.status is Status.SUSPENDED_EVSE
        assert lab.connector.transaction is not None

    def test_a_rogue_stop_before_the_first_report_is_not_healed_either(self):
        lab = Lab()
        lab.report()
        lab.give(START, ForeignStopHeard())
        for _ in range(5):
            assert frames(lab.report(ModuleState.IDLE)) == []
        assert lab.status is Status.SUSPENDED_EVSE

    def test_the_next_command_lifts_a_rogue_stop(self):
        lab = Lab().charge()
        lab.report(ModuleState.IDLE)
        assert frames(lab.give(LimitChanged(80.0, commanded=True))) == [SetLimit(80), Start()]
        lab.report(ModuleState.CHARGING, current_a=10.0)
        assert lab.status is Status.CHARGING

    def test_a_limit_by_the_clock_does_not_lift_a_rogue_stop(self):
        lab = Lab().charge()
        lab.report(ModuleState.IDLE)
        assert frames(lab.give(LimitChanged(80.0))) == [SetLimit(80)]

    def test_stop_and_start_lift_a_rogue_stop(self):
        lab = Lab().charge()
        lab.report(ModuleState.IDLE)
        lab.give(StopAccepted("Remote"))
        assert frames(lab.give(START)) == [SetLimit(100), Start()]
        assert lab.status is Status.CHARGING


class TestHeal:
    def test_a_module_back_from_silence_gets_limit_and_start_again(self):
        lab = Lab().charge()
        lab.now_s += module.SILENCE_S + 0.1
        assert records(lab.give(Ticked(lab.now_s))) == ["module_silent"]
        assert lab.status is Status.SUSPENDED_EVSE
        assert frames(lab.report()) == [SetLimit(100), Start()]
        lab.report(ModuleState.CHARGING)
        assert lab.status is Status.CHARGING

    def test_a_counter_that_begins_anew_is_a_restart(self):
        lab = Lab()
        lab.counter = 100
        lab.charge()
        actions = lab.report(counter=0, after_s=2.0)
        assert records(actions) == ["module_restarted"]
        assert frames(actions) == [SetLimit(100), Start()]

    def test_wear_that_begins_anew_is_a_restart(self):
        lab = Lab()
        lab.counter = 252
        lab.charge()
        lab.report(ModuleState.CHARGING, closures=5)
        assert frames(lab.report(counter=0, closures=0, after_s=2.0)) == [SetLimit(100), Start()]

    @pytest.mark.parametrize("lost", [0, 1, 2])
    def test_lost_frames_are_no_restart(self, lost):
        lab = Lab().charge()
        lab.counter += lost
        assert frames(lab.report(ModuleState.CHARGING, after_s=1.0 + lost)) == []

    def test_a_counter_that_wraps_is_no_restart(self):
        lab = Lab()
        lab.counter = 253
        lab.charge()
        assert lab.counter == 255
        assert frames(lab.report(ModuleState.CHARGING)) == []

    def test_a_restart_without_transaction_brings_the_limit_only(self):
        lab = Lab()
        lab.report()
        assert frames(lab.report(counter=200)) == [SetLimit(100)]

    def test_a_module_found_charging_without_transaction_is_stopped(self):
        lab = Lab()
        assert frames(lab.report(ModuleState.CHARGING)) == [SetLimit(100), Stop()]

    def test_a_rogue_start_without_transaction_is_left_to_be_seen(self):
        lab = Lab()
        lab.report()
        assert frames(lab.report(ModuleState.CHARGING, current_a=50.0)) == []
        assert lab.status is Status.PREPARING

    def test_a_stop_frame_that_was_lost_is_sent_until_the_module_obeys(self):
        lab = Lab().charge()
        lab.give(StopAccepted("Remote"))
        sent = [frames(lab.report(ModuleState.CHARGING, current_a=50.0)) for _ in range(4)]
        assert sent == [[], [Stop()], [], [Stop()]]  # the first report may be older than the stop
        assert frames(lab.report()) == []

    def test_a_rogue_start_after_an_obeyed_stop_is_left_to_be_seen(self):
        lab = Lab().charge()
        lab.give(StopAccepted("Remote"))
        lab.report(ModuleState.STOPPING)
        assert frames(lab.report(ModuleState.CHARGING) + lab.report(ModuleState.CHARGING)) == []

    def test_a_module_that_comes_back_charging_is_stopped_until_it_obeys(self):
        lab = Lab()
        sent = [frames(lab.report(ModuleState.CHARGING)) for _ in range(3)]
        assert sent == [[SetLimit(100), Stop()], [], [Stop()]]

    def test_a_new_start_ends_the_repeating_of_a_stop(self):
        lab = Lab().charge()
        lab.give(StopAccepted("Remote"), START)
        assert Stop() not in frames([*lab.report(ModuleState.CHARGING), *lab.report(ModuleState.CHARGING)])

    def test_a_restart_after_a_rogue_stop_is_not_started(self):
        lab = Lab().charge()
        lab.report(ModuleState.IDLE)
        assert frames(lab.report(counter=100)) == [SetLimit(100)]

    def test_a_start_frame_that_was_lost_is_sent_again(self):
        lab = Lab()
        lab.report()
        lab.give(START)
        assert frames(lab.report()) == []  # may be older than the start
        assert frames(lab.report()) == [SetLimit(100), Start()]
        assert lab.status is Status.SUSPENDED_EVSE
        lab.report(ModuleState.CHARGING)
        assert lab.status is Status.CHARGING


class TestFaults:
    @pytest.mark.parametrize(
        ("faults", "error_code"),
        [
            (Faults.OVER_TEMPERATURE, "HighTemperature"),
            (Faults.OVER_CURRENT, "OverCurrentFailure"),
            (Faults.CONTACTOR_WELDED, "PowerSwitchFailure"),
            (Faults.KEEPALIVE_LOST, "OtherError"),
            (Faults.INTERNAL, "InternalError"),
            (Faults.OVER_TEMPERATURE | Faults.CONTACTOR_WELDED, "PowerSwitchFailure"),
        ],
    )
    def test_a_fault_is_notified_with_its_error_code(self, faults, error_code):
        lab = Lab()
        assert Notify(Status.FAULTED, error_code) in lab.report(ModuleState.FAULTED, faults=faults)

    def test_the_same_fault_is_notified_once(self):
        lab = Lab()
        lab.report(ModuleState.FAULTED, faults=Faults.INTERNAL)
        assert notified(lab.report(ModuleState.FAULTED, faults=Faults.INTERNAL)) == []

    def test_another_fault_is_notified_anew(self):
        lab = Lab()
        lab.report(ModuleState.FAULTED, faults=Faults.INTERNAL)
        again = lab.report(ModuleState.FAULTED, faults=Faults.CONTACTOR_WELDED)
        assert again == [Notify(Status.FAULTED, "PowerSwitchFailure")]

    def test_a_fault_that_goes_lets_the_transaction_go_on(self):
        lab = Lab().charge()
        lab.report(ModuleState.FAULTED, faults=Faults.OVER_TEMPERATURE)
        assert lab.connector.transaction is not None
        actions = lab.report(ModuleState.IDLE)
        assert notified(actions) == [Status.SUSPENDED_EVSE, Status.CHARGING]
        assert frames(actions) == [SetLimit(100), Start()]

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({}, Status.PREPARING),
            ({"plugged": False}, Status.AVAILABLE),
            ({"operative": False}, Status.UNAVAILABLE),
        ],
    )
    def test_a_fault_that_goes_leads_to_where_the_connector_stands(self, changes, status):
        lab = Lab()
        lab.report(ModuleState.FAULTED, faults=Faults.INTERNAL)
        lab.connector = replace(lab.connector, **changes)
        lab.report()
        assert lab.status is status

    def test_nothing_starts_while_faulted(self):
        lab = Lab()
        lab.report(ModuleState.FAULTED, faults=Faults.INTERNAL)
        assert not may_start(lab.connector, "TAG")

    def test_a_transaction_can_be_stopped_while_faulted(self):
        lab = Lab().charge()
        lab.report(ModuleState.FAULTED, faults=Faults.INTERNAL)
        lab.give(StopAccepted("Remote"))
        assert lab.connector.transaction is None
        assert lab.status is Status.FAULTED


class TestAvailability:
    def test_taken_out_while_charging_waits_for_the_end(self):
        lab = Lab().charge()
        assert lab.give(AvailabilityChanged(operative=False)) == []
        assert notified(lab.give(StopAccepted("Remote"))) == [Status.FINISHING, Status.UNAVAILABLE]

    def test_put_back_in_time_nothing_happens(self):
        lab = Lab().charge()
        lab.give(AvailabilityChanged(operative=False), AvailabilityChanged(operative=True))
        assert notified(lab.give(StopAccepted("Remote"))) == [Status.FINISHING]

    @pytest.mark.parametrize(("plugged", "status"), [(True, Status.PREPARING), (False, Status.AVAILABLE)])
    def test_put_back(self, plugged, status):
        lab = Lab(plugged=plugged, operative=False)
        lab.give(AvailabilityChanged(operative=True))
        assert lab.status is status

    def test_nothing_starts_out_of_service(self):
        assert not may_start(booted(plugged=True, operative=False), "TAG")


class TestReservation:
    def reserved(self):
        lab = Lab(plugged=False)
        lab.give(ReservationMade(Reservation(3, "TAG", until_s=60.0)))
        assert lab.status is Status.RESERVED
        return lab

    def test_only_its_id_tag_may_start(self):
        lab = self.reserved()
        assert may_start(lab.connector, "tag")
        assert not may_start(lab.connector, "OTHER")

    def test_its_start_names_the_reservation(self):
        lab = self.reserved()
        lab.give(CablePlugged(AT))
        begun = [each for each in lab.give(START) if isinstance(each, BeginTransaction)]
        assert begun[0].transaction.reservation_id == 3

    def test_it_ends_by_time(self):
        lab = self.reserved()
        lab.give(Ticked(60.0))
        assert lab.status is Status.AVAILABLE
        assert may_start(lab.connector, "OTHER")

    def test_cancelled_with_the_cable_plugged_it_prepares(self):
        lab = self.reserved()
        lab.give(CablePlugged(AT), ReservationEnded())
        assert lab.status is Status.PREPARING

    def test_an_occupied_connector_is_not_reserved(self):
        lab = Lab()
        lab.give(ReservationMade(Reservation(3, "TAG", until_s=60.0)))
        assert lab.connector.reservation is None


def test_a_start_that_waits_for_the_cable_outlives_the_unplugging_of_none():
    lab = Lab(plugged=False)
    lab.give(START, CableUnplugged())
    assert lab.status is Status.PREPARING
    lab.give(CablePlugged(AT))
    assert lab.connector.transaction is not None


def test_a_tool_that_sends_0x300_only_can_charge():
    """A plain CAN tool knows no 0x302: it is believed to do as told."""
    lab = Lab()
    lab.give(ModuleReported(1.0, 0.0), START, ModuleReported(2.0, 40.0))
    assert lab.status is Status.CHARGING


EVENTS = st.one_of(
    st.just(CablePlugged(AT)),
    st.just(CableUnplugged()),
    st.just(START),
    st.just(StopAccepted("Remote")),
    st.just(ForeignStopHeard()),
    st.builds(LimitChanged, st.floats(0, 400), st.booleans()),
    st.builds(Ticked, st.floats(0, 1000)),
    st.builds(AvailabilityChanged, st.booleans()),
    st.just(ReservationMade(Reservation(1, "TAG", 500.0))),
    st.just(ReservationEnded()),
    st.builds(
        ModuleReported,
        st.floats(0, 1000),
        st.floats(-1, 400),
        st.none() | st.floats(0, 400),
        st.none()
        | st.builds(
            StatusFrame,
            st.sampled_from(ModuleState),
            st.booleans(),
            st.booleans(),
            st.sampled_from([Faults.NONE, Faults.INTERNAL]),
            st.integers(0, 255),
            st.integers(0, 9),
            st.integers(0, 9),
        ),
    ),
)
IN_TRANSACTION = {Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE}


@given(st.booleans(), st.lists(EVENTS, max_size=40))
def test_whatever_happens_status_and_facts_agree(plugged, events):
    """A transaction's status has one, begins and ends take turns, and nothing is notified twice."""
    connector, last, running = booted(plugged=plugged, operative=True), None, False
    for event in events:
        connector, actions = step(connector, event)
        for action in actions:
            if isinstance(action, Notify):
                assert action != last
                last = action
            if isinstance(action, BeginTransaction | EndTransaction):
                assert running is isinstance(action, EndTransaction)
                running = not running
        assert (connector.transaction is not None) is running
        assert running or connector.status not in IN_TRANSACTION
        assert not running or connector.status in IN_TRANSACTION | {Status.FAULTED}
        assert connector.operative or running or connector.status in {Status.UNAVAILABLE, Status.FAULTED}
