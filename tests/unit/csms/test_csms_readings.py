"""MeterValues to readings."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Reading, decode_batch, encode_batch, encode_event
from contracts.ocpp_messages import Call, MalformedMessage, check_call
from csms.readings import _plain_values, _values, readings_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MEASURANDS = {
    "Current.Import": ("current_a", "A"),
    "Current.Offered": ("offered_a", "A"),
    "Voltage": ("voltage_v", "V"),
    "Power.Active.Import": ("power_w", "W"),
    "Power.Offered": ("power_offered_w", "W"),
    "Power.Factor": ("power_factor", None),
    "Frequency": ("frequency_hz", None),
    "Energy.Active.Import.Register": ("energy_wh", "Wh"),
    "Temperature": ("temperature_c", "Celsius"),
    "SoC": ("soc_percent", "Percent"),
}


def sample(measurand: str | None, value: object, **more: str) -> dict[str, str]:
    return {"value": str(value), **({"measurand": measurand} if measurand else {}), **more}


def read(*samples: dict[str, str], timestamp: str = "2026-06-01T11:59:59Z"):
    readings, refused = readings_of(
        [{"timestamp": timestamp, "sampledValue": list(samples)}], "CP-1", 1, 7, NOW
    )
    return (readings[0] if readings else None), refused


def test_all_ten_measurands_arrive_in_one_reading():
    reading, refused = read(
        *(
            sample(measurand, number, **({"unit": unit} if unit else {}))
            for number, (measurand, (_, unit)) in enumerate(MEASURANDS.items(), 1)
        )
    )
    assert refused == []
    assert reading == Reading(
        at=NOW - timedelta(seconds=1),
        charge_point_id="CP-1",
        connector=1,
        origin="ocpp",
        transaction_id=7,
        **{field: float(number) for number, (field, _) in enumerate(MEASURANDS.values(), 1)},
    )


@pytest.mark.parametrize(
    ("measurand", "value", "unit", "field", "expected"),
    [
        ("Energy.Active.Import.Register", "1.5", "kWh", "energy_wh", 1500.0),
        (None, "1500", None, "energy_wh", 1500.0),
        ("Power.Active.Import", "22", "kW", "power_w", 22000.0),
        ("Power.Offered", "0.5", "kW", "power_offered_w", 500.0),
        ("Temperature", "212", "Fahrenheit", "temperature_c", 100.0),
        ("Temperature", "-40", "Fahrenheit", "temperature_c", -40.0),
        ("Temperature", "300", "K", "temperature_c", 26.85),
        ("Temperature", "26", "Celcius", "temperature_c", 26.0),
        ("Power.Factor", "95", "Percent", "power_factor", 0.95),
        ("Frequency", "49.98", "Hertz", "frequency_hz", 49.98),
        ("SoC", "80", None, "soc_percent", 80.0),
        ("Current.Import", " +1.6e1 ", "A", "current_a", 16.0),
    ],
)
def test_units_are_converted(measurand, value, unit, field, expected):
    reading, refused = read(sample(measurand, value, **({"unit": unit} if unit else {})))
    assert refused == []
    assert getattr(reading, field) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("measurand", "by_phase", "field", "expected"),
    [
        ("Current.Import", {"L1": 16, "L2": 0, "L3": 0}, "current_a", 16),
        ("Current.Import", {"L1": 16, "L2": 15, "L3": 14, "N": 99}, "current_a", 16),
        ("Power.Active.Import", {"L1": 1000, "L2": 2000, "L3": 3000}, "power_w", 6000),
        ("Power.Active.Import", {"L1": 1000, "L2": 2000, "": 2999}, "power_w", 2999),
        ("Voltage", {"L1-N": 229, "L2-N": 231, "L3-N": 230, "L1-L2": 400}, "voltage_v", 230),
        ("Voltage", {"L1-L2": 398, "L2-L3": 402}, "voltage_v", 400),
        ("Energy.Active.Import.Register", {"L1": 1, "L2": 2, "L3": 3}, "energy_wh", 6),
        ("Power.Factor", {"L1": 0.9, "L2": 1.0}, "power_factor", 0.95),
    ],
)
def test_phases_become_one_value(measurand, by_phase, field, expected):
    reading, _ = read(
        *(
            sample(measurand, value, **({"phase": phase} if phase else {}))
            for phase, value in by_phase.items()
        )
    )
    assert getattr(reading, field) == pytest.approx(expected)


def test_of_several_locations_the_outlet_counts():
    reading, _ = read(
        sample("Current.Import", 1, location="Inlet"),
        sample("Current.Import", 2),
        sample("Current.Import", 3, location="EV"),
    )
    assert reading.current_a == 2


@pytest.mark.parametrize(
    "bad",
    [
        sample("Current.Import", "12,5"),
        sample("Current.Import", ""),
        sample("Current.Import", "NaN"),
        sample("Current.Import", "inf"),
        sample("Current.Import", "1_000"),
        sample("Current.Import", "0x10"),
        sample("Current.Import", "١٢"),
        sample("Current.Import", "1e999"),
        sample("Current.Import", "9" * 60),
        sample("Current.Import", "12", unit="V"),
        sample("Energy.Active.Import.Register", "12", unit="W"),
        sample("Current.Import", "c2lnbmVk", format="SignedData"),
    ],
)
def test_a_bad_value_is_refused_and_the_others_stay(bad):
    reading, refused = read(bad, sample("Voltage", 230))
    assert [entry.measurand for entry in refused] == [bad["measurand"]]
    assert reading.voltage_v == 230
    assert reading.current_a is None


def test_measurands_without_a_place_are_left_out_quietly():
    assert read(sample("RPM", 100), sample("Current.Export", 1)) == (None, [])


def test_each_instant_is_a_reading_of_its_own():
    readings, _ = readings_of(
        [
            {"timestamp": f"2026-06-01T11:59:{second}Z", "sampledValue": [sample("SoC", second)]}
            for second in (10, 20)
        ],
        "CP-1",
        1,
        None,
        NOW,
    )
    assert [(reading.at.second, reading.soc_percent) for reading in readings] == [(10, 10), (20, 20)]


def test_a_nonsensical_timestamp_is_refused_as_a_whole():
    with pytest.raises(MalformedMessage, match="timestamp"):
        read(sample("SoC", 1), timestamp="yesterday")


SAMPLES = st.lists(
    st.fixed_dictionaries(
        {"value": st.one_of(st.floats().map(str), st.text(max_size=20))},
        optional={
            "measurand": st.sampled_from([*MEASURANDS, "RPM", "Current.Export"]),
            "unit": st.sampled_from(
                ["Wh", "kWh", "W", "kW", "A", "V", "K", "Celsius", "Fahrenheit", "Percent"]
            ),
            "phase": st.sampled_from(["L1", "L2", "L3", "N", "L1-N", "L2-N", "L1-L2", "L3-L1"]),
            "location": st.sampled_from(["Cable", "EV", "Inlet", "Outlet", "Body"]),
            "format": st.sampled_from(["Raw", "SignedData"]),
            "context": st.sampled_from(["Sample.Periodic", "Transaction.End"]),
        },
    ),
    min_size=1,
    max_size=12,
)


@given(SAMPLES, st.datetimes().map(lambda at: at.isoformat() + "Z"))
def test_whatever_the_schema_allows_becomes_events_that_decode(samples, timestamp):
    """Every reading survives encoding and decoding, and every sample is used, left out or refused."""
    payload = {"connectorId": 1, "meterValue": [{"timestamp": timestamp, "sampledValue": samples}]}
    check_call(Call("1", "MeterValues", payload))
    readings, refused = readings_of(payload["meterValue"], "CP-1", 1, None, NOW)
    assert len(refused) <= len(samples)
    encoded = [encode_event(reading) for reading in readings]
    if encoded:
        assert decode_batch(encode_batch("s", uuid.uuid4(), 1, 0, encoded)).events == readings


@given(st.floats(min_value=-1e6, max_value=1e6), st.sampled_from([("Wh", 1), ("kWh", 1000)]))
def test_energy_is_watt_hours_whatever_the_unit(value, unit):
    reading, _ = read(sample("Energy.Active.Import.Register", f"{value:.6f}", unit=unit[0]))
    assert reading.energy_wh == pytest.approx(value * unit[1], abs=1e-3)


SAMPLES = st.fixed_dictionaries(
    {
        "value": st.sampled_from(
            ["1", "0.5", ".5", "5.", "-1", " 7 ", "1e3", "1_0", "nan", "", ".", "²", "9" * 51]
        )
        | st.floats(0, 1e13, allow_nan=False).map(lambda value: f"{value:.2f}")
    },
    optional={
        "measurand": st.sampled_from([*MEASURANDS, "RPM"]),
        "unit": st.sampled_from(["A", "V", "W", "kW", "Wh", "kWh", "Percent", "Celsius", "K", "Fahrenheit"]),
        "phase": st.sampled_from(["L1", "L2-N", "N"]),
        "format": st.sampled_from(["Raw", "SignedData"]),
        "location": st.sampled_from(["Outlet", "EV", "Body"]),
    },
)


@given(st.lists(SAMPLES, max_size=4))
def test_plain_samples_mean_the_same_to_the_quick_look(samples):
    quick, refused = _plain_values(samples), []
    closer = _values(samples, refused)
    assert quick is None or (quick == closer and refused == [])


def test_what_our_own_charge_points_send_is_plain():
    units = {name: {"unit": unit} if unit else {} for name, (_, unit) in MEASURANDS.items()}
    assert _plain_values([sample(name, "12.5", **units[name]) for name in MEASURANDS]) is not None
