"""Profiles as they come from the CSMS: read whole, or refused with a reason."""

from datetime import UTC, datetime

import pytest

from chargepoint.charging_profile import from_payload
from contracts.charging_profile import Kind, MalformedProfile, Period, Purpose, Unit

PAYLOAD = {
    "chargingProfileId": 7,
    "transactionId": 5,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "validFrom": "2026-01-01T00:00:00Z",
    "validTo": "2026-02-01T00:00:00.000+01:00",
    "chargingSchedule": {
        "duration": 3600,
        "startSchedule": "2026-01-01T22:00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 11000, "numberPhases": 3},
            {"startPeriod": 60, "limit": 0.0},
        ],
    },
}


def changed(profile=(), schedule=()):
    everything = {**PAYLOAD, **dict(profile)}
    everything["chargingSchedule"] = {**PAYLOAD["chargingSchedule"], **dict(schedule)}
    return {key: value for key, value in everything.items() if value is not None}


def test_a_whole_profile_is_read():
    profile = from_payload(PAYLOAD)
    assert (profile.profile_id, profile.stack_level, profile.transaction_id) == (7, 2, 5)
    assert (profile.purpose, profile.kind, profile.unit) == (Purpose.TX, Kind.RECURRING, Unit.W)
    assert profile.periods == (Period(0, 11000.0, 3), Period(60, 0.0, None))
    assert profile.start_at == datetime(2026, 1, 1, 22, tzinfo=UTC)
    assert profile.valid_to == datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert (profile.duration_s, profile.recurrence_s) == (3600, 86_400)


def periods(*starts_and_limits):
    return {
        "chargingSchedulePeriod": [
            {"startPeriod": start, "limit": limit} for start, limit in starts_and_limits
        ]
    }


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (changed({"stackLevel": -1}), "stackLevel"),
        (changed({"stackLevel": 11}), "stackLevel"),
        (changed({"validFrom": "yesterday"}), "validFrom"),
        (changed({"validTo": "2025-01-01T00:00:00Z"}), "validTo"),
        (changed({"recurrencyKind": None}), "recurrencyKind"),
        (changed({"chargingProfileKind": "Absolute"}), "recurrencyKind"),
        (changed(schedule={"startSchedule": "9999-12-31T23:59:59Z"}), "out of range"),
        (changed(schedule={"startSchedule": "0001-01-01T00:00:00Z"}), "out of range"),
        (changed(schedule={"duration": 0}), "duration"),
        (changed(schedule={"duration": -5}), "duration"),
        (changed(schedule={"duration": 10**18}), "duration"),
        (changed(schedule=periods()), "periods"),
        (changed(schedule=periods(*((n, 1) for n in range(101)))), "periods"),
        (changed(schedule=periods((5, 10))), "begin at 0"),
        (changed(schedule=periods((0, 10), (60, 5), (30, 5))), "rise"),
        (changed(schedule=periods((0, 10), (0, 5))), "rise"),
        (changed(schedule=periods((0, 10), (10**18, 5))), "a year"),
        (changed(schedule=periods((0, -0.1))), "negative"),
        (changed(schedule=periods((0, 1e30))), "absurd"),
        (
            changed(schedule={"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1, "numberPhases": 4}]}),
            "numberPhases",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(payload, reason):
    with pytest.raises(MalformedProfile, match=reason):
        from_payload(payload)


def test_the_year_9999_holds_for_ever():
    profile = from_payload(changed({"validFrom": "0001-01-01T00:00:00", "validTo": "9999-12-31T23:59:59Z"}))
    assert profile.valid_from < datetime(2000, 1, 1, tzinfo=UTC)
    assert profile.valid_to > datetime(2100, 1, 1, tzinfo=UTC)


def test_an_instant_without_offset_is_utc():
    profile = from_payload(changed(schedule={"startSchedule": "2026-01-01T22:00:00"}))
    assert profile.start_at == datetime(2026, 1, 1, 22, tzinfo=UTC)


def test_recurring_needs_a_start():
    payload = changed()
    del payload["chargingSchedule"]["startSchedule"]
    with pytest.raises(MalformedProfile, match="startSchedule"):
        from_payload(payload)
