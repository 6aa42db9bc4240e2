"""Frames become reports, readings, and MeterValues of ten measurands."""

from datetime import UTC, datetime

import pytest

from chargepoint import bridge
from chargepoint.bridge import MEASURANDS, Heard, Report
from chargepoint.smart_charging import Supply
from contracts import ocpp_messages
from contracts.can_frames import Current, Faults, Keepalive, ModuleState, Output, Status, Thermal
from contracts.ocpp_messages import Call

AT = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
DC = Supply(300.0, 400.0)
OUTPUT = Output(current_a=99.61, voltage_v=380.5, offered_a=120.0)
STATUS = Status(ModuleState.CHARGING, True, False, Faults.NONE, 1, 1, 0)
THERMAL = Thermal(41.5, 63.2)


def heard(*frames):
    state, reports = Heard(), []
    for frame in frames:
        state, report = bridge.hear(state, frame)
        reports += [report] if report else []
    return reports


def reading(report, **changes):
    fields = {
        "at": AT,
        "charge_point_id": "CP-1",
        "connector": 1,
        "energy_wh": 1234.9,
        "commanded_a": 100.0,
        "transaction_id": 7,
        "frequency_hz": 50.0,
    }
    return bridge.reading(report, DC, **(fields | changes))


def values(report, measurands=tuple(MEASURANDS)):
    value = bridge.meter_value(reading(report), measurands, "Sample.Periodic")
    return {each["measurand"]: each["value"] for each in value["sampledValue"]}


WHOLE = Report(99.61, OUTPUT, STATUS, THERMAL)


def test_the_four_frames_of_an_instant_make_the_report_that_hearing_them_makes():
    frames = (OUTPUT, STATUS, THERMAL, Current(100))
    assert [bridge.report_of(frames)] == heard(*frames) == [WHOLE]
    spoofed = (OUTPUT, STATUS, THERMAL, Current(50))
    assert [bridge.report_of(spoofed)] == heard(*spoofed)
    assert bridge.report_of(frames[1:]) is bridge.report_of(frames[::-1]) is None


def test_a_0x300_completes_the_report():
    assert heard(OUTPUT, STATUS, THERMAL, Current(100)) == [WHOLE]


def test_what_belonged_to_the_last_report_is_not_in_the_next():
    assert heard(OUTPUT, STATUS, THERMAL, Current(100), Current(100))[1] == Report(100.0)


def test_a_0x300_that_contradicts_0x301_is_believed():
    assert heard(OUTPUT, Current(7))[0].current_a == 7.0


def test_other_frames_complete_nothing():
    assert heard(Keepalive(1), OUTPUT) == []


def test_all_ten_measurands():
    assert values(WHOLE) == {
        "Current.Import": "99.61",
        "Current.Offered": "120.0",
        "Voltage": "380.5",
        "Power.Active.Import": "37901.6",
        "Power.Offered": "45660.0",
        "Power.Factor": "1.00",
        "Frequency": "50.00",
        "Energy.Active.Import.Register": "1234",
        "Temperature": "41.5",
        "SoC": "63.2",
    }


def test_only_the_measurands_asked_for_in_their_order():
    assert list(values(WHOLE, ("SoC", "Voltage"))) == ["SoC", "Voltage"]


def test_what_was_not_measured_is_left_out():
    missing = set(MEASURANDS) - set(values(Report(50.0)))
    assert missing == {"Temperature", "SoC"}


def test_a_lone_0x300_is_taken_at_nominal_voltage():
    told = values(Report(50.0))
    assert (told["Voltage"], told["Power.Active.Import"]) == ("400.0", "20000.0")


def test_an_import_is_never_negative():
    assert values(Report(-0.2, Output(-0.2, 380.0, 0.0)))["Current.Import"] == "0.00"


def test_nothing_measured_is_no_meter_value():
    assert bridge.meter_value(reading(Report(1.0)), ("SoC",), "Trigger") is None


def test_the_timestamp_ends_in_z():
    assert bridge.meter_value(reading(WHOLE), ("SoC",), "Trigger")["timestamp"] == "2026-01-31T12:00:00.123Z"


@pytest.mark.parametrize("context", ["Sample.Periodic", "Sample.Clock", "Trigger", "Transaction.End"])
def test_meter_values_fit_the_schema(context):
    value = bridge.meter_value(reading(WHOLE), MEASURANDS, context)
    ocpp_messages.check_call(Call("1", "MeterValues", bridge.meter_values(1, value)))


def test_the_transactions_data_fit_the_schema():
    value = bridge.meter_value(reading(WHOLE), MEASURANDS, "Transaction.End")
    payload = {
        "transactionId": 1,
        "meterStop": 1,
        "timestamp": value["timestamp"],
        "transactionData": [value],
    }
    ocpp_messages.check_call(Call("1", "StopTransaction", payload))


def test_a_phase_more_is_a_current_more():
    report = Report(10.0, Output(10.0, 230.0, 16.0))
    assert bridge.power_w(report, Supply(32.0, 230.0, 3)) == pytest.approx(6900.0)
