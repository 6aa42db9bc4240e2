"""The energy register."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargepoint.meter import Meter, read


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour():
    meter = Meter()
    for second in range(3601):
        meter = read(meter, 1000.0, float(second))
    assert meter.energy_wh == pytest.approx(1000.0)


def test_between_two_readings_the_mean_counts():
    meter = read(read(Meter(), 0.0, 0.0), 3600.0, 1.0)
    assert meter.energy_wh == pytest.approx(0.5)


def test_what_flowed_in_a_silence_is_not_invented():
    assert read(read(Meter(), 3600.0, 0.0), 3600.0, 60.0).energy_wh == 0


@given(st.floats(0, 1e9), st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1, 100))))
def test_the_register_never_falls(energy_wh, readings):
    meter, now_s = Meter(energy_wh), 0.0
    for power_w, after_s in readings:
        now_s += after_s
        before_wh = meter.energy_wh
        meter = read(meter, power_w, now_s)
        assert meter.energy_wh >= before_wh
