import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from charger import noise, vehicle
from charger.vehicle import Vehicle

CAR = Vehicle(soc_percent=50.0, cars_to_come=noise.seeded(1))
socs = st.floats(0, 100)


def car_at(soc_percent):
    return Vehicle(soc_percent=soc_percent, cars_to_come=noise.seeded(1))


@given(socs, socs)
def test_a_fuller_battery_accepts_no_more_and_has_no_lower_voltage(one, other):
    low, high = car_at(min(one, other)), car_at(max(one, other))
    assert vehicle.accepted_a(high) <= vehicle.accepted_a(low)
    assert vehicle.voltage_v(high, 0) >= vehicle.voltage_v(low, 0)


@given(socs)
def test_200_a_are_accepted_up_to_80_percent(soc_percent):
    assert (vehicle.accepted_a(car_at(soc_percent)) >= 200) or soc_percent > 80


def test_every_arriving_car_takes_300_a():
    assert vehicle.accepted_a(car_at(vehicle.ARRIVAL_SOC_PERCENT[1])) >= 300


def test_85_a_are_accepted_until_the_next_car_comes():
    assert vehicle.accepted_a(car_at(vehicle.NEXT_CAR_AT_SOC_PERCENT)) >= 85


def test_a_full_battery_accepts_nothing():
    assert vehicle.accepted_a(car_at(100.0)) == 0


def test_charge_rises_with_energy():
    assert vehicle.charged(CAR, 6_400).soc_percent == pytest.approx(60.0)


def test_a_battery_is_never_more_than_full():
    assert vehicle.charged(CAR, 1e6).soc_percent == 100.0


def test_voltage_rises_with_current():
    assert vehicle.voltage_v(CAR, 100) - vehicle.voltage_v(CAR, 0) == pytest.approx(
        100 * vehicle.INTERNAL_OHM
    )


def test_cars_arrive_with_20_to_60_percent_and_differ():
    car, arrivals = CAR, []
    for _ in range(200):
        car = vehicle.plugged(car)
        arrivals.append(car.soc_percent)
    assert min(arrivals) >= 20
    assert max(arrivals) <= 60
    assert max(arrivals) - min(arrivals) > 35
    assert len(set(arrivals)) == 200


def test_a_car_may_have_a_curve_of_its_own():
    flat = replace(CAR, power_over_soc=((0.0, 1.0), (100.0, 1.0)), peak_w=50_000.0)
    for soc_percent in (0.0, 50.0, 99.0):
        car = replace(flat, soc_percent=soc_percent)
        assert vehicle.power_w(replace(car, internal_ohm=0.0), vehicle.accepted_a(car)) == pytest.approx(
            50_000
        )


def test_an_alternating_current_flows_over_all_phases_at_the_grids_voltage():
    car = replace(
        CAR, peak_w=11_040.0, full_v=230.0, phases=3, internal_ohm=0.0, voltage_over_soc=((0, 1), (100, 1)),
        power_over_soc=((0, 1), (100, 1)),
    )  # fmt: skip
    assert vehicle.accepted_a(car) == pytest.approx(16.0)
    assert vehicle.power_w(car, 16.0) == pytest.approx(11_040.0)


@given(socs, st.sampled_from([0.5, 1.0, 5.0]))
def test_a_car_that_asks_in_steps_never_takes_more_than_its_curve(soc_percent, step_a):
    free, stepped = car_at(soc_percent), replace(car_at(soc_percent), request_step_a=step_a)
    assert 0 <= vehicle.accepted_a(free) - vehicle.accepted_a(stepped) < step_a
    assert vehicle.accepted_a(stepped) % step_a == pytest.approx(0.0, abs=1e-6)
