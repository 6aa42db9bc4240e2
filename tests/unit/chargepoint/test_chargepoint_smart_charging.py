"""Which current the installed profiles allow, now and later."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargepoint.smart_charging import (
    MAX_INSTALLED,
    Installed,
    Limit,
    Load,
    Supply,
    clear,
    composite,
    install,
    limit_at,
)
from contracts.charging_profile import Kind, Period, Profile, Purpose, Unit

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DC = Supply(rated_a=300.0, voltage_v=400.0)
AC = Supply(rated_a=32.0, voltage_v=230.0, phases=3)
LOAD = Load(1, charging_since=NOW)


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def profile(limit=16.0, **changes):
    """A TxDefaultProfile of one endless period, unless told otherwise."""
    fields = {
        "profile_id": 1,
        "stack_level": 0,
        "purpose": Purpose.TX_DEFAULT,
        "kind": Kind.ABSOLUTE,
        "unit": Unit.A,
        "periods": (Period(0, limit),),
    }
    return Profile(**(fields | changes))


def installed(*profiles, connector=1):
    return tuple(
        Installed(0 if each.purpose is Purpose.CHARGE_POINT_MAX else connector, each) for each in profiles
    )


def amperes(profiles, at=NOW, load=LOAD, supply=DC):
    return limit_at(profiles, load, supply, at).limit_a


class TestWhichProfileHolds:
    def test_without_profiles_the_rating_holds(self):
        assert amperes(()) == 300.0

    def test_no_profile_goes_over_the_rating(self):
        assert amperes(installed(profile(1000.0))) == 300.0

    def test_the_highest_stack_level_leads_even_when_it_allows_more(self):
        assert amperes(installed(profile(16.0), profile(80.0, profile_id=2, stack_level=1))) == 80.0

    def test_below_the_top_holds_what_the_top_leaves_open(self):
        top = profile(80.0, profile_id=2, stack_level=1, duration_s=60)
        assert amperes(installed(profile(16.0), top), after(60)) == 16.0

    def test_a_tx_profile_goes_before_the_default(self):
        both = installed(profile(16.0, stack_level=5), profile(80.0, profile_id=2, purpose=Purpose.TX))
        assert amperes(both) == 80.0

    def test_a_tx_profile_holds_in_a_transaction_only(self):
        own = installed(profile(10.0, purpose=Purpose.TX))
        assert amperes(own, load=Load(1, NOW, in_transaction=False)) == 300.0

    def test_the_default_holds_before_a_transaction_too(self):
        assert amperes(installed(profile(0.0)), load=Load(1, NOW, in_transaction=False)) == 0.0

    def test_the_station_limits_every_transaction(self):
        maximum = profile(50.0, profile_id=2, purpose=Purpose.CHARGE_POINT_MAX)
        assert amperes(installed(profile(80.0), maximum)) == 50.0

    def test_transactions_share_the_stations_limit(self):
        maximum = installed(profile(50.0, purpose=Purpose.CHARGE_POINT_MAX))
        assert amperes(maximum, load=Load(1, NOW, sharing=2)) == 25.0

    def test_another_connectors_profile_is_not_ours(self):
        assert amperes(installed(profile(16.0), connector=2)) == 300.0

    def test_the_own_profile_goes_before_the_one_for_all(self):
        both = (Installed(0, profile(16.0)), Installed(1, profile(80.0, profile_id=2)))
        assert amperes(both) == 80.0


class TestWhenAProfileHolds:
    def test_not_before_it_is_valid(self):
        one = installed(profile(16.0, valid_from=after(10)))
        assert (amperes(one, after(9)), amperes(one, after(10))) == (300.0, 16.0)

    def test_not_after_it_is_valid(self):
        one = installed(profile(16.0, valid_to=after(10)))
        assert (amperes(one, after(9)), amperes(one, after(10))) == (16.0, 300.0)

    def test_not_after_its_duration(self):
        one = installed(profile(16.0, duration_s=10, start_at=NOW))
        assert (amperes(one, after(9)), amperes(one, after(10))) == (16.0, 300.0)

    def test_not_before_its_start(self):
        assert amperes(installed(profile(16.0, start_at=after(1)))) == 300.0

    def test_its_periods_follow_each_other(self):
        steps = profile(periods=(Period(0, 10.0), Period(60, 20.0), Period(120, 5.0)), start_at=NOW)
        at = [amperes(installed(steps), after(seconds)) for seconds in (0, 59, 60, 119, 120, 9999)]
        assert at == [10.0, 10.0, 20.0, 20.0, 5.0, 5.0]

    def test_relative_counts_from_the_transactions_start(self):
        steps = profile(kind=Kind.RELATIVE, periods=(Period(0, 10.0), Period(60, 20.0)))
        assert amperes(installed(steps), after(30), Load(1, after(0))) == 10.0
        assert amperes(installed(steps), after(30), Load(1, after(-40))) == 20.0

    def test_absolute_without_a_start_counts_from_the_transactions_start(self):
        steps = profile(periods=(Period(0, 10.0), Period(60, 20.0)))
        assert amperes(installed(steps), after(30), Load(1, after(-40))) == 20.0

    def test_a_clock_set_back_does_not_lift_the_limit(self):
        assert amperes(installed(profile(10.0, kind=Kind.RELATIVE)), after(-3600)) == 10.0

    @pytest.mark.parametrize(("recurrence_s", "days"), [(86_400, 1), (604_800, 7)])
    def test_recurring_comes_again(self, recurrence_s, days):
        night = profile(
            kind=Kind.RECURRING,
            recurrence_s=recurrence_s,
            start_at=NOW,
            duration_s=3600,
            periods=(Period(0, 6.0),),
        )
        for times in (0, 1, 5):
            begin = NOW + timedelta(days=days * times)
            assert amperes(installed(night), begin) == 6.0
            assert amperes(installed(night), begin + timedelta(hours=1)) == 300.0


class TestWatts:
    def test_dc_watts_become_amperes_by_the_voltage(self):
        assert amperes(installed(profile(40_000.0, unit=Unit.W))) == 100.0

    def test_ac_watts_are_shared_by_the_phases(self):
        assert amperes(installed(profile(11_040.0, unit=Unit.W)), supply=AC) == pytest.approx(16.0)

    def test_watts_on_one_phase_are_all_on_it(self):
        one_phase = profile(unit=Unit.W, periods=(Period(0, 3680.0, 1),))
        assert limit_at(installed(one_phase), LOAD, AC, NOW) == Limit(pytest.approx(16.0), 1)

    def test_more_phases_than_there_are_change_nothing(self):
        three_phases = profile(unit=Unit.W, periods=(Period(0, 40_000.0, 3),))
        assert amperes(installed(three_phases)) == 100.0


class TestInstalling:
    def test_same_purpose_and_level_replaces(self):
        profiles = install((), 1, profile(16.0))
        profiles = install(profiles, 1, profile(20.0, profile_id=2))
        assert [one.profile.profile_id for one in profiles] == [2]

    def test_same_id_replaces(self):
        profiles = install((), 1, profile(16.0))
        assert len(install(profiles, 1, profile(20.0, stack_level=3))) == 1

    def test_another_connector_keeps_its_own(self):
        profiles = install((), 1, profile(16.0))
        assert len(install(profiles, 2, profile(16.0, profile_id=2))) == 2

    @pytest.mark.parametrize(
        ("purpose", "connector", "fits"),
        [
            (Purpose.CHARGE_POINT_MAX, 0, True),
            (Purpose.CHARGE_POINT_MAX, 1, False),
            (Purpose.TX_DEFAULT, 0, True),
            (Purpose.TX_DEFAULT, 1, True),
            (Purpose.TX, 0, False),
            (Purpose.TX, 1, True),
        ],
    )
    def test_the_purpose_fits_the_connector(self, purpose, connector, fits):
        assert (install((), connector, profile(purpose=purpose)) is not None) is fits

    def test_there_is_room_for_so_many(self):
        profiles = tuple(
            Installed(connector, profile(profile_id=connector)) for connector in range(1, MAX_INSTALLED + 1)
        )
        assert install(profiles, 99, profile(profile_id=99)) is None
        assert install(profiles, 1, profile(profile_id=99)) is not None

    @pytest.mark.parametrize(
        ("criteria", "left"),
        [
            ({}, []),
            ({"profile_id": 1}, [2, 3]),
            ({"profile_id": 1, "stack_level": 9}, [2, 3]),
            ({"connector": 2}, [1, 2]),
            ({"purpose": Purpose.CHARGE_POINT_MAX}, [1, 3]),
            ({"stack_level": 4}, [1, 2]),
            ({"connector": 1, "stack_level": 4}, [1, 2, 3]),
            ({"profile_id": 7}, [1, 2, 3]),
        ],
    )
    def test_clearing_by_criteria(self, criteria, left):
        profiles = (
            Installed(1, profile()),
            Installed(0, profile(profile_id=2, purpose=Purpose.CHARGE_POINT_MAX)),
            Installed(2, profile(profile_id=3, stack_level=4)),
        )
        assert [one.profile.profile_id for one in clear(profiles, **criteria)] == left


class TestComposite:
    def schedule(self, *profiles, duration_s=300, unit=Unit.A, supply=DC):
        periods = composite(installed(*profiles), LOAD, supply, NOW, duration_s, unit)
        return [(period.start_s, period.limit) for period in periods]

    def test_without_profiles_it_is_the_rating(self):
        assert self.schedule() == [(0, 300.0)]

    def test_it_joins_what_holds_in_turn(self):
        base = profile(16.0)
        later = profile(80.0, profile_id=2, stack_level=1, start_at=after(60), duration_s=60)
        assert self.schedule(base, later) == [(0, 16.0), (60, 80.0), (120, 16.0)]

    def test_equal_neighbours_are_one_period(self):
        steps = profile(periods=(Period(0, 10.0), Period(60, 10.0), Period(120, 5.0)))
        assert self.schedule(steps) == [(0, 10.0), (120, 5.0)]

    def test_what_comes_after_the_duration_is_left_out(self):
        steps = profile(periods=(Period(0, 10.0), Period(300, 5.0)))
        assert self.schedule(steps) == [(0, 10.0)]

    @pytest.mark.parametrize("watts", [11_000.0, 22_000.0, 7_360.1, 0.1])
    def test_watts_come_back_as_they_went_in(self, watts):
        assert self.schedule(profile(watts, unit=Unit.W), unit=Unit.W) == [(0, watts)]

    def test_amperes_in_watts(self):
        assert self.schedule(profile(16.0), unit=Unit.W, supply=AC) == [(0, 11_040.0)]


SECONDS = st.integers(-5000, 5000)
PERIODS = st.lists(
    st.tuples(
        st.integers(1, 4000), st.floats(0, 500).map(lambda v: round(v, 1)), st.sampled_from([None, 1, 3])
    ),
    max_size=4,
    unique_by=lambda period: period[0],
).map(lambda rest: tuple(Period(*each) for each in [(0, 7.0, None), *sorted(rest, key=lambda each: each[0])]))


@st.composite
def any_profile(draw, purpose=None):
    kind = draw(st.sampled_from(Kind))
    start_s = draw(SECONDS)
    is_anchored = kind is Kind.RECURRING or draw(st.booleans())
    valid_from_s = draw(st.none() | SECONDS)
    return Profile(
        profile_id=draw(st.integers(0, 10**6)),
        stack_level=draw(st.integers(0, 3)),
        purpose=purpose or draw(st.sampled_from(Purpose)),
        kind=kind,
        unit=draw(st.sampled_from(Unit)),
        periods=draw(PERIODS),
        duration_s=draw(st.none() | st.integers(1, 5000)),
        start_at=after(start_s) if is_anchored else None,
        recurrence_s=86_400 if kind is Kind.RECURRING else None,
        valid_from=None if valid_from_s is None else after(valid_from_s),
        valid_to=None if valid_from_s is None else after(valid_from_s + draw(st.integers(1, 5000))),
    )


PROFILES = st.lists(any_profile(), max_size=5).map(lambda each: installed(*each))
SUPPLIES = st.sampled_from([DC, AC])
LOADS = st.builds(Load, st.just(1), SECONDS.map(after), st.integers(1, 4), st.booleans())


def composite_at(periods, second):
    return [period for period in periods if period.start_s <= second][-1]


@given(PROFILES, LOADS, SUPPLIES, st.integers(0, 7000), st.sampled_from(Unit))
def test_the_composite_is_the_limit_of_every_second(profiles, load, supply, second, unit):
    """At every second it says what `limit_at` says, rounded down to a tenth: never more."""
    period = composite_at(composite(profiles, load, supply, NOW, 7200, unit), second)
    limit = limit_at(profiles, load, supply, after(second))
    exact = supply.watts(limit) if unit is Unit.W else limit.limit_a
    assert period.limit <= exact + 1e-6
    assert period.limit == pytest.approx(math.floor(exact * 10 + 1e-6) / 10)
    assert period.phases == limit.phases


@given(PROFILES, LOADS, SUPPLIES)
def test_the_limit_now_is_the_composite_at_0(profiles, load, supply):
    first = composite(profiles, load, supply, NOW, 60, Unit.A)[0]
    assert first.start_s == 0
    assert first.limit == pytest.approx(amperes(profiles, NOW, load, supply), abs=0.1)


@given(PROFILES, LOADS, SUPPLIES, SECONDS)
def test_no_ceiling_is_broken(profiles, load, supply, second):
    """The limit is below the rating and below what any purpose's leading profile alone would allow."""
    at = after(second)
    limit_a = amperes(profiles, at, load, supply)
    assert 0 <= limit_a <= supply.rated_a
    stations = tuple(one for one in profiles if one.profile.purpose is Purpose.CHARGE_POINT_MAX)
    assert limit_a <= amperes(stations, at, load, supply)
    own = tuple(one for one in profiles if one.profile.purpose is Purpose.TX)
    if any(one.profile.period_at(at, load.charging_since) for one in own):
        assert limit_a <= amperes(own, at, load, supply)


@given(st.lists(any_profile(Purpose.CHARGE_POINT_MAX), max_size=3), st.integers(1, 4), SECONDS)
def test_all_transactions_together_stay_below_the_station(profiles, sharing, second):
    """n connectors that share do not draw more than one alone might."""
    everything = installed(*profiles)
    one = amperes(everything, after(second), Load(1, NOW))
    each = amperes(everything, after(second), Load(1, NOW, sharing=sharing))
    assert one == DC.rated_a or each * sharing <= one + 1e-6


@given(PROFILES, any_profile())
def test_installing_leaves_one_of_each_kind(profiles, added):
    connector = 0 if added.purpose is Purpose.CHARGE_POINT_MAX else 1
    everything = install(profiles, connector, added)
    same = [
        one
        for one in everything
        if (one.connector, one.profile.purpose, one.profile.stack_level)
        == (connector, added.purpose, added.stack_level)
    ]
    assert same == [Installed(connector, added)]
