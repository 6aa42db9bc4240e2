"""Limits commanded and acknowledged: which current holds for a connector at an instant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ocpp_messages import Call, CallResult, check_call
from csms import limits
from csms.limits import Limits, Supply
from csms.transaction import Transaction

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TRANSACTION = Transaction(
    transaction_id=7,
    charge_point_id="CP-1",
    connector=1,
    id_tag="BENCH",
    started_at=NOW + timedelta(seconds=10),
    meter_start_wh=0,
)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def profile(
    *amounts: float,
    profile_id: int = 1,
    level: int = 0,
    purpose: str = "TxDefaultProfile",
    unit: str = "A",
    seconds: int = 60,
    phases: int | None = None,
    **more: object,
) -> dict:
    """Return a profile, its amounts following each other every so many seconds."""
    return {
        "chargingProfileId": profile_id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [
                {
                    "startPeriod": number * seconds,
                    "limit": amount,
                    **({"numberPhases": phases} if phases else {}),
                }
                for number, amount in enumerate(amounts)
            ],
        },
        **more,
    }


class Lab:
    """A charge point's limits, and the messages that make them."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.messages = 0

    def send(self, action: str, payload: dict, *, s: float, status: str | None = "Accepted") -> str:
        """Send a command, answered at once; `status` None: not answered."""
        self.messages += 1
        call = Call(str(self.messages), action, payload)
        check_call(call)
        self.limits = limits.sent(self.limits, call, at(s))
        if status is not None:
            self.answer(call.unique_id, s=s, status=status)
        return call.unique_id

    def answer(self, unique_id: str, *, s: float, status: str = "Accepted") -> None:
        self.limits = limits.answered(self.limits, CallResult(unique_id, {"status": status}), at(s))

    def set(self, given: dict, *, connector: int = 1, s: float = 0, status: str | None = "Accepted") -> str:
        payload = {"connectorId": connector, "csChargingProfiles": given}
        return self.send("SetChargingProfile", payload, s=s, status=status)

    def clear(self, *, s: float, status: str | None = "Accepted", **criteria: object) -> None:
        self.send("ClearChargingProfile", criteria, s=s, status=status)

    def remote_start(self, *, s: float, status: str | None = "Accepted", **payload: object) -> str:
        return self.send("RemoteStartTransaction", {"idTag": "bench", **payload}, s=s, status=status)

    def start(self, transaction: Transaction = TRANSACTION) -> None:
        self.limits = limits.started(self.limits, transaction, transaction.started_at)

    def end(self, transaction: Transaction = TRANSACTION, *, s: float) -> None:
        self.limits = limits.ended(self.limits, transaction, at(s))

    def read(
        self,
        s: float,
        connector: int = 1,
        transaction: Transaction | None = None,
        supply: Supply | None = None,
    ) -> tuple[float | None, float | None]:
        """Return what was commanded and what was acknowledged at an instant."""
        return (
            self.limits.commanded.limit_a(connector, at(s), transaction, supply),
            self.limits.acknowledged.limit_a(connector, at(s), transaction, supply),
        )


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_without_a_profile_no_limit_is_known(lab):
    assert lab.read(0) == (None, None)


def test_an_accepted_limit_is_commanded_and_acknowledged(lab):
    lab.set(profile(16))
    assert lab.read(0) == (16, 16)


@pytest.mark.parametrize("status", ["Rejected", "NotSupported", None])
def test_one_that_was_not_accepted_is_commanded_only(lab, status):
    lab.set(profile(16), s=0)
    lab.set(profile(32), s=1, status=status)
    assert lab.read(1) == (32, 16)


def test_the_answer_counts_from_when_it_came_however_late(lab):
    lab.set(profile(16), s=0)
    sent = lab.set(profile(32), s=1, status=None)
    lab.set(profile(10, profile_id=2, level=1), connector=2, s=2)
    lab.answer(sent, s=40)
    assert [lab.read(s) for s in (0, 1, 39, 40)] == [(16, 16), (32, 16), (32, 16), (32, 32)]


def test_a_late_reading_has_the_limit_of_its_own_instant(lab):
    for s, amperes in enumerate((0, 100, 0, 100)):
        lab.set(profile(amperes), s=s)
    assert [lab.read(s)[0] for s in (-1, 0, 0.5, 1, 2, 3, 99)] == [None, 0, 0, 100, 0, 100, 100]


def test_what_is_longer_ago_than_remembered_is_not_known(lab):
    for s in range(limits.MAX_ENDED + 3):
        lab.set(profile(s), s=s)
    assert [lab.read(s)[0] for s in (0, 1, 2, 3)] == [None, None, 2, 3]


def test_the_highest_level_leads_and_a_station_wide_one_holds_for_all(lab):
    lab.set(profile(20), connector=0)
    lab.set(profile(30, profile_id=2), connector=1)
    lab.set(profile(10, profile_id=3, level=3), connector=2)
    assert [lab.read(0, connector)[0] for connector in (1, 2, 3)] == [30, 10, 20]


def test_a_default_for_every_connector_is_none_of_the_station(lab):
    lab.set(profile(20), connector=0)
    assert lab.read(0, 0) == (None, None)


def test_nothing_is_above_the_stations_own_limit(lab):
    lab.set(profile(63, purpose="ChargePointMaxProfile"), connector=0)
    lab.set(profile(100, profile_id=2))
    lab.set(profile(20, profile_id=3), connector=2)
    assert [lab.read(0, connector)[0] for connector in (0, 1, 2, 3)] == [63, 63, 20, 63]


def test_periods_follow_each_other_from_the_transactions_start(lab):
    lab.set(profile(10, 20, 30))
    read = [lab.read(s, transaction=TRANSACTION)[0] for s in (5, 10, 69, 70, 130, 999)]
    assert read == [10, 10, 10, 20, 30, 30]


def test_an_absolute_schedule_begins_and_ends_by_the_clock(lab):
    absolute = profile(10, 20)
    absolute["chargingProfileKind"] = "Absolute"
    absolute["chargingSchedule"] |= {"startSchedule": "2026-06-01T12:00:30Z", "duration": 100}
    lab.set(absolute)
    assert [lab.read(s)[0] for s in (29, 30, 90, 129, 130)] == [None, 10, 20, 20, None]


def test_a_profile_of_a_transaction_holds_in_it_alone(lab):
    lab.set(profile(50))
    lab.start()
    lab.set(profile(20, profile_id=2, purpose="TxProfile", transactionId=7), s=11)
    other = replace(TRANSACTION, transaction_id=8)
    assert lab.read(12, transaction=TRANSACTION) == (20, 20)
    assert lab.read(12) == lab.read(12, transaction=other) == (50, 50)


def test_a_profile_without_the_transactions_id_ends_with_it(lab):
    lab.set(profile(20, purpose="TxProfile"), s=11)
    assert lab.read(12, transaction=TRANSACTION) == (20, 20)
    lab.end(s=30)
    other = replace(TRANSACTION, transaction_id=8)
    assert lab.read(31, transaction=other) == (None, None)
    assert lab.read(29, transaction=TRANSACTION) == (20, 20)


@pytest.mark.parametrize("connector", [{"connectorId": 1}, {}])
def test_a_remote_starts_profile_holds_from_the_start_of_its_transaction(lab, connector):
    lab.set(profile(50))
    lab.remote_start(s=5, **connector, chargingProfile=profile(20, profile_id=2, purpose="TxProfile"))
    assert lab.read(9) == (50, 50)
    lab.start()
    assert lab.read(10, transaction=TRANSACTION) == (20, 20)
    lab.end(s=20)
    lab.start(replace(TRANSACTION, transaction_id=8, started_at=at(30)))
    assert lab.read(31, transaction=replace(TRANSACTION, transaction_id=8)) == (50, 50)


@pytest.mark.parametrize(
    ("status", "expected"), [("Rejected", (None, None)), (None, (20, None)), ("Accepted", (20, 20))]
)
def test_a_remote_starts_profile_is_acknowledged_with_it(lab, status, expected):
    lab.remote_start(s=5, chargingProfile=profile(20, purpose="TxProfile"), status=status)
    lab.start()
    assert lab.read(11, transaction=TRANSACTION) == expected


@pytest.mark.parametrize("other", [{"connector": 2}, {"id_tag": "driver"}, {"started_at": at(3600)}])
def test_another_start_is_not_the_remote_ones(lab, other):
    lab.remote_start(s=5, connectorId=1, chargingProfile=profile(20, purpose="TxProfile"))
    started = replace(TRANSACTION, **other)
    lab.start(started)
    assert lab.read(3601, started.connector, started) == (None, None)


@pytest.mark.parametrize(
    ("criteria", "remaining"),
    [
        ({"id": 1}, (None, 20, 63)),
        ({"id": 9}, (10, 20, 63)),
        ({"id": 1, "connectorId": 2}, (None, 20, 63)),
        ({"connectorId": 2}, (10, None, 63)),
        ({"chargingProfilePurpose": "TxDefaultProfile"}, (None, None, 63)),
        ({"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 4}, (10, None, 63)),
        ({"connectorId": 0}, (10, 20, None)),
        ({}, (None, None, None)),
    ],
)
def test_what_is_cleared_holds_no_more(lab, criteria, remaining):
    lab.set(profile(10), connector=1)
    lab.set(profile(20, profile_id=2, level=4), connector=2)
    lab.set(profile(63, profile_id=3, purpose="ChargePointMaxProfile"), connector=0)
    lab.clear(s=2, **criteria)
    for book in (lab.limits.commanded, lab.limits.acknowledged):
        in_force = {entry.connector: entry.profile.periods[0].limit for entry in book.in_force}
        assert tuple(in_force.get(connector) for connector in (1, 2, 0)) == remaining


@pytest.mark.parametrize(("status", "acknowledged"), [("Accepted", None), ("Unknown", None), (None, 10)])
def test_a_charge_point_without_the_profile_has_no_limit_either(lab, status, acknowledged):
    lab.set(profile(10))
    lab.clear(s=1, id=1, status=status)
    assert [lab.read(s) for s in (0.5, 1)] == [(10, 10), (None, acknowledged)]


@pytest.mark.parametrize(
    ("supply", "phases", "expected"),
    [
        (Supply(400, 1), None, 50),
        (Supply(230, 3), None, 28.99),
        (Supply(230, 3), 1, 86.96),
        (Supply(400, 1), 3, 50),
        (Supply(230), 3, 28.99),
        (Supply(230), None, None),
        (Supply(None, 1), None, None),
        (Supply(0, 1), None, None),
        (None, 3, None),
    ],
)
def test_watts_become_amperes_by_what_the_meter_told(lab, supply, phases, expected):
    lab.set(profile(20_000, unit="W", phases=phases))
    assert lab.read(0, supply=supply) == (expected, expected)


def test_no_watts_are_no_amperes_whatever_the_voltage(lab):
    lab.set(profile(0, unit="W"))
    assert lab.read(0) == (0, 0)


def test_a_limit_below_one_that_is_not_known_is_not_known(lab):
    lab.set(profile(20_000, unit="W", purpose="ChargePointMaxProfile"), connector=0)
    lab.set(profile(16, profile_id=2))
    assert lab.read(0) == (None, None)


def test_a_profile_that_makes_no_sense_changes_nothing(lab):
    lab.set(profile(16))
    lab.set(profile(-1), s=1)
    assert lab.read(2) == (16, 16)


def test_answers_to_other_calls_change_nothing(lab):
    lab.set(profile(16))
    before = lab.limits
    lab.answer("never sent", s=1)
    assert lab.limits is before


def test_what_lasts_is_what_is_in_force(lab):
    """After a restart the present limit is known, and that the past is not."""
    for s, amperes in enumerate((16, 32)):
        lab.set(profile(amperes), s=s)
    lab.set(profile(10), s=2, status=None)
    lab.limits = msgspec.json.decode(msgspec.json.encode(lab.limits.lasting()), type=Limits)
    assert [lab.read(s) for s in (0, 1, 2)] == [(None, None), (None, 32), (10, 32)]


COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(["set", "clear", "start", "end"]),
        st.integers(1, 60),
        st.sampled_from(["TxDefaultProfile", "TxProfile", "ChargePointMaxProfile"]),
        st.sampled_from(["Accepted", "Rejected", None]),
    ),
    max_size=150,
)


@given(COMMANDS)
def test_the_books_stay_small_and_obedience_makes_them_equal(commands):
    """Whatever is sent, memory is bounded; who accepted everything keeps to what was commanded."""
    lab, obedient = Lab(), True
    for s, (what, number, purpose, status) in enumerate(commands):
        if what == "set":
            given = profile(number, profile_id=number, level=number, purpose=purpose)
            lab.set(given, connector=number % 3, s=s, status=status)
            obedient = obedient and status == "Accepted"
        elif what == "clear":
            lab.clear(s=s, id=number)
        elif what == "start":
            lab.remote_start(s=s, chargingProfile=profile(number, purpose="TxProfile"))
            lab.start(replace(TRANSACTION, transaction_id=number, started_at=at(s)))
        else:
            lab.end(replace(TRANSACTION, transaction_id=number), s=s)
    known = lab.limits
    for book in (known.commanded, known.acknowledged):
        assert len(book.in_force) <= limits.MAX_IN_FORCE
        assert len(book.ended) <= limits.MAX_ENDED
    assert len(known.unanswered) <= limits.MAX_OPEN
    assert len(known.promises) <= limits.MAX_OPEN
    if obedient:
        assert known.commanded == known.acknowledged
