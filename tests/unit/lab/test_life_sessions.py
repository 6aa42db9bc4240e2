from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from charger import vehicle
from lab.life import figures
from lab.life.cars import FULLEST_PERCENT, charging_s
from lab.life.control import LEAST_AC_A, SWITCHING_S
from lab.life.draws import LEVELS
from lab.life.equipment import equipment
from lab.life.profile import AC_ONE_PHASE, AC_THREE_PHASES, DC, Profile
from lab.life.sessions import AC_RATED_A, DC_RATED_A, sessions

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
PROFILES = [DC, AC_ONE_PHASE, AC_THREE_PHASES]
DAY_S = 86_400.0


def life(profile, charge_point=1, seed=1, days=14.0, begin_at=MONDAY):
    return list(sessions(charge_point, seed=seed, days=days, profile=profile, begin_at=begin_at))


def fleet(profile, charge_points=60, days=28.0):
    return [session for number in range(charge_points) for session in life(profile, number, 7, days)]


@pytest.fixture(scope="module")
def dc():
    return fleet(DC)


@pytest.fixture(scope="module")
def ac():
    return fleet(AC_ONE_PHASE, charge_points=150)


# --- what holds for every life


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(PROFILES),
    st.integers(0, 500),
    st.integers(0, 2**31),
    st.integers(1, 2),
    st.floats(0.2, 5.0),
    st.integers(0, 167),
)
def test_sessions_of_a_connector_never_overlap_and_come_in_order(
    profile, charge_point, seed, connectors, busyness, begin_h
):
    profile = Profile(
        kind=profile.kind,
        phases=profile.phases,
        connectors=connectors,
        busyness=busyness,
        replugged_share=0.3,
        paused_share=0.3,
    )
    lived = life(profile, charge_point, seed, 5.0, MONDAY + timedelta(hours=begin_h))
    assert [session.plug_s for session in lived] == sorted(session.plug_s for session in lived)
    by_connector = defaultdict(list)
    for session in lived:
        by_connector[session.connector].append(session)
        assert session.plug_s >= 0
        assert session.plug_s < 5 * DAY_S or session.vehicle is None
        assert session.plug_s < session.stop_s <= session.leave_s
        assert len(session.id_tag) <= 20
        changes_s = [change.after_s for change in session.limits]
        assert changes_s == sorted(changes_s)
        assert all(0 <= after_s < session.leave_s - session.plug_s for after_s in changes_s)
        for pause in session.pauses:
            assert session.plug_s + pause.after_s + pause.lasts_s < session.stop_s
    assert by_connector.keys() <= set(range(1, connectors + 1))
    for own in by_connector.values():
        assert all(later.plug_s > earlier.leave_s for earlier, later in pairwise(own))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(PROFILES), st.integers(0, 500), st.integers(0, 2**31))
def test_no_session_wants_more_than_its_battery_has_room_for(profile, charge_point, seed):
    for session in life(profile, charge_point, seed, 3.0):
        car = session.vehicle
        if car is None:
            continue
        assert 0 <= car.soc_percent < 100
        if session.energy_wh is not None:
            room_percent = FULLEST_PERCENT - car.soc_percent
            assert 0 < session.energy_wh <= room_percent / 100 * car.capacity_wh + 1e-6
        assert vehicle.accepted_a(replace(car, soc_percent=100.0)) == 0


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([AC_ONE_PHASE, AC_THREE_PHASES]), st.integers(0, 500), st.integers(0, 2**31))
def test_alternating_current_is_between_6_and_32_a_or_none(profile, charge_point, seed):
    for session in life(
        Profile(kind="ac", phases=profile.phases, surplus_share=0.5), charge_point, seed, 5.0
    ):
        if session.vehicle is not None:
            assert session.vehicle.phases == profile.phases
            most_a = vehicle.accepted_a(replace(session.vehicle, soc_percent=10.0))
            assert LEAST_AC_A <= most_a <= AC_RATED_A + 1e-9
        for change in session.limits:
            assert change.limit_a in (None, 0.0) or LEAST_AC_A <= change.limit_a <= AC_RATED_A


def test_the_same_numbers_give_the_same_life_and_others_another():
    assert life(DC, 3, 5) == life(DC, 3, 5)
    assert life(DC, 3, 5) != life(DC, 4, 5)
    assert life(DC, 3, 5) != life(DC, 3, 6)
    assert equipment(3, seed=5, profile=DC) == equipment(3, seed=5, profile=DC)
    assert equipment(3, seed=5, profile=DC) != equipment(4, seed=5, profile=DC)


def test_more_days_do_not_change_the_first_ones():
    assert life(DC, days=21.0)[: len(life(DC, days=7.0))] == life(DC, days=7.0)


def test_a_replugged_car_comes_back_within_a_minute_under_the_same_tag():
    lived = fleet(Profile(replugged_share=1.0, paused_share=0.0), charge_points=3, days=7.0)
    pairs = [(first, second) for first, second in pairwise(lived) if second.vehicle is None]
    assert len(pairs) == len(lived) / 2
    for first, second in pairs:
        assert first.id_tag == second.id_tag
        assert 10 <= second.plug_s - first.leave_s <= 55


def test_a_delayed_session_gets_nothing_for_up_to_ten_minutes():
    lived = fleet(Profile(delayed_share=1.0, managed_share=0.0, replugged_share=0.0), charge_points=5)
    delays_s = [session.limits[-1].after_s for session in lived if len(session.limits) == 2]
    assert all(session.limits[0].limit_a == 0.0 for session in lived)
    assert max(delays_s) <= 600
    assert fmean(delays_s) == pytest.approx(300, abs=40)


def test_surplus_control_works_by_day_only_and_stays_off_for_three_minutes():
    profile = Profile(kind="ac", phases=3, surplus_share=1.0, replugged_share=0.0)
    lived = fleet(profile, charge_points=20)
    flows = switches = 0
    for session in lived:
        for change, following in pairwise(session.limits):
            hour = (MONDAY + timedelta(seconds=session.plug_s + change.after_s)).hour
            if change.limit_a:
                flows += 1
                assert 6 <= hour < 18
            else:  # off for minutes, or a change of phases
                off_s = following.after_s - change.after_s
                assert off_s >= 180 or off_s == pytest.approx(SWITCHING_S)
                switches += off_s < 180
    assert flows > 200
    assert switches > 5


# --- the measured figures, at a fixed seed


def test_dc_charge_points_are_as_busy_as_measured(dc):
    """Level-3-EV-charging-dataset: 4.25 sessions per connector and day on days with any."""
    assert len(dc) / 60 / 28 == pytest.approx(4.25, rel=0.1)


def test_ac_charge_points_are_as_busy_as_measured(ac):
    """ACN-Data, Caltech: 0.52 sessions per station and day, 12.8 % of the time occupied."""
    stays_s = [session.leave_s - session.plug_s for session in ac]
    assert len(ac) / 150 / 28 == pytest.approx(0.52, rel=0.15)
    assert sum(stays_s) / 150 / 28 / DAY_S == pytest.approx(0.128, rel=0.15)


def test_cars_come_to_work_on_weekday_mornings_and_to_the_road_by_day(ac, dc):
    def hours(lived):
        return [MONDAY + timedelta(seconds=session.plug_s) for session in lived]

    weekday = [at for at in hours(ac) if at.weekday() < 5]
    assert len(weekday) / len(ac) == pytest.approx(0.905, abs=0.03)
    assert sum(7 < at.hour < 11 for at in weekday) / len(weekday) == pytest.approx(0.563, abs=0.05)
    assert sum(at.hour >= 9 for at in hours(dc)) / len(dc) == pytest.approx(0.900, abs=0.02)


@pytest.mark.parametrize(("level", "tolerance"), [(0.25, 0.15), (0.5, 0.12), (0.75, 0.15)])
def test_dc_arrivals_have_the_measured_charge_battery_and_power(dc, level, tolerance):
    cars = [session.vehicle for session in dc if session.vehicle is not None]
    for name in ("soc_percent", "capacity_wh", "peak_w"):
        drawn = sorted(getattr(car, name) for car in cars)[round(level * (len(cars) - 1))]
        measured = figures.DC_QUANTILES[name][LEVELS.index(level)]
        assert drawn == pytest.approx(measured, rel=tolerance), name


def test_dc_stays_are_as_long_as_measured(dc):
    stays_s = [session.leave_s - session.plug_s for session in dc if session.vehicle is not None]
    measured_s = figures.DC_QUANTILES["stay_s"][LEVELS.index(0.5)]
    assert median(stays_s) == pytest.approx(measured_s, rel=0.12)


def test_dc_drivers_mostly_get_what_they_came_for(dc):
    enough = [
        charging_s(session.vehicle, session.energy_wh, DC_RATED_A) < session.stop_s - session.plug_s
        for session in dc
        if session.vehicle is not None and session.energy_wh is not None
    ]
    assert 0.8 < fmean(enough) < 1.0


def test_curves_have_the_measured_shares():
    assert sum(share for _, share, _ in figures.CURVES) == pytest.approx(1.0, abs=0.01)
    for _, _, curve in figures.CURVES:
        socs, powers = [soc for soc, _ in curve], [power for _, power in curve]
        assert socs == sorted(set(socs))
        assert (socs[0], socs[-1], powers[-1]) == (0.0, 100.0, 0.0)
        assert 0.9 <= max(powers) <= 1.0
