"""What the CSMS answers to each action, and which events that makes."""

from datetime import UTC, datetime

import pytest

from contracts.events import (
    Reading,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)
from contracts.ocpp_messages import Call, CallResult, MalformedMessage, check_call, check_result
from csms.actions import ACTIONS, Answer, Context
from csms.authorisation import IdTag
from csms.state import State
from csms.state.runs import Intervention

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
START = {"connectorId": 1, "idTag": "BENCH", "meterStart": 100, "timestamp": "2026-06-01T11:59:00Z"}


@pytest.fixture
def state():
    with State.opened(":memory:") as opened:
        opened.charge_points.connected("CP-1", NOW, enrolled=False)
        yield opened


@pytest.fixture
def ask(state):
    def asked(action: str, payload: dict, charge_point_id: str = "CP-1", **settings: object) -> Answer:
        """Ask as a charge point does: both payloads against the official schemas."""
        check_call(Call("1", action, payload))
        answer = ACTIONS[action](payload, Context(charge_point_id, NOW, state, **settings))
        check_result(action, CallResult("1", answer.payload))
        return answer

    return asked


def names(answer: Answer) -> list[str]:
    return [event.name for event in answer.events if isinstance(event, SystemEvent)]


def test_a_boot_is_accepted_with_time_and_interval_and_remembered(ask, state):
    boot = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1"}
    answer = ask("BootNotification", boot, heartbeat_interval_s=30)
    assert answer.payload == {"status": "Accepted", "currentTime": "2026-06-01T12:00:00.000Z", "interval": 30}
    assert names(answer) == ["charge_point_booted"]
    assert state.charge_points.get("CP-1").firmware == "1"


def test_a_heartbeat_tells_the_time_ending_in_z(ask):
    assert ask("Heartbeat", {}) == Answer({"currentTime": "2026-06-01T12:00:00.000Z"})


def test_a_status_becomes_an_event_at_its_own_time(ask, state):
    answer = ask(
        "StatusNotification",
        {
            "connectorId": 1,
            "status": "Charging",
            "errorCode": "NoError",
            "timestamp": "2026-06-01T11:00:00+01:00",
        },
    )
    assert answer.events == (
        StatusChanged(
            at=datetime(2026, 6, 1, 10, tzinfo=UTC), charge_point_id="CP-1", connector=1, status="Charging"
        ),
    )
    assert state.charge_points.connectors("CP-1")[0].status == "Charging"


@pytest.mark.parametrize(
    ("id_tag", "status"), [("BENCH", "Accepted"), ("bench", "Accepted"), ("x", "Invalid")]
)
def test_authorize_answers_from_the_list(ask, id_tag, status):
    assert ask("Authorize", {"idTag": id_tag}).payload == {"idTagInfo": {"status": status}}


def test_unknown_tags_are_accepted_by_setting(ask):
    answer = ask("Authorize", {"idTag": "x"}, accept_unknown_tags=True)
    assert answer.payload["idTagInfo"]["status"] == "Accepted"


def test_a_start_gets_an_id_and_is_told(ask):
    answer = ask("StartTransaction", START)
    assert answer.payload == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
    assert answer.events == (
        TransactionStarted(
            at=datetime(2026, 6, 1, 11, 59, tzinfo=UTC),
            charge_point_id="CP-1",
            connector=1,
            transaction_id=1,
            id_tag="BENCH",
            meter_start_wh=100,
        ),
    )


def test_a_retried_start_gets_the_same_answer_and_events(ask):
    assert ask("StartTransaction", START) == ask("StartTransaction", START)


def test_a_retried_start_is_not_concurrent_with_itself(ask, state):
    state.id_tags.put(IdTag(id_tag="ONE", one_transaction=True))
    start = {**START, "idTag": "ONE"}
    assert ask("StartTransaction", start) == ask("StartTransaction", start)
    other = ask("StartTransaction", start, charge_point_id="CP-2")
    assert other.payload["idTagInfo"]["status"] == "ConcurrentTx"


def test_a_start_with_a_bad_tag_gets_an_id_and_a_refusal(ask):
    answer = ask("StartTransaction", {**START, "idTag": "nobody"})
    assert answer.payload == {"transactionId": 1, "idTagInfo": {"status": "Invalid"}}
    assert names(answer) == ["id_tag_refused"]


def test_a_second_start_on_a_connector_supersedes_the_first(ask):
    ask("StartTransaction", START)
    answer = ask("StartTransaction", {**START, "meterStart": 500})
    ended, started = answer.events
    assert isinstance(ended, TransactionEnded)
    assert (ended.transaction_id, ended.meter_stop_wh, ended.reason) == (1, 500, "Superseded")
    assert started.transaction_id == 2


def test_a_start_after_a_scenarios_remote_start_is_the_scenarios(ask, state):
    state.runs.intervened("CP-1", Intervention("run", frozenset({"BENCH"})))
    ask("StartTransaction", {**START, "idTag": "bench"})
    ask("StartTransaction", {**START, "idTag": "driver", "connectorId": 2})
    assert [found.run_id for found in state.transactions.active("CP-1")] == ["run", None]


def test_a_stop_ends_and_tells_with_its_last_readings(ask):
    ask("StartTransaction", START)
    answer = ask(
        "StopTransaction",
        {
            "transactionId": 1,
            "meterStop": 900,
            "timestamp": "2026-06-01T12:00:00Z",
            "reason": "Remote",
            "idTag": "BENCH",
            "transactionData": [
                {"timestamp": "2026-06-01T12:00:00Z", "sampledValue": [{"value": "900"}, {"value": "x"}]}
            ],
        },
    )
    assert answer.payload == {"idTagInfo": {"status": "Accepted"}}
    reading, refused, ended = answer.events
    assert isinstance(reading, Reading)
    assert (reading.energy_wh, reading.connector, reading.transaction_id) == (900, 1, 1)
    assert refused.name == "sample_refused"
    assert isinstance(ended, TransactionEnded)
    assert (ended.meter_stop_wh, ended.reason) == (900, "Remote")


def test_a_stop_without_reason_was_local(ask):
    ask("StartTransaction", START)
    answer = ask("StopTransaction", {"transactionId": 1, "meterStop": 1, "timestamp": "2026-06-01T12:00:00Z"})
    assert answer.payload == {}
    assert answer.events[0].reason == "Local"


@pytest.mark.parametrize("transaction_id", [99, 0, -1])
def test_an_unknown_stop_is_answered_and_reported(ask, transaction_id):
    stop = {"transactionId": transaction_id, "meterStop": 1, "timestamp": "2026-06-01T12:00:00Z"}
    answer = ask("StopTransaction", stop)
    assert answer.payload == {}
    assert names(answer) == ["transaction_unknown"]


def test_meter_values_report_what_they_cannot_use(ask):
    values = [{"value": "abc", "measurand": "Voltage"}, {"value": "5", "measurand": "SoC"}]
    answer = ask(
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": 3,
            "meterValue": [{"timestamp": "2026-06-01T12:00:00Z", "sampledValue": values}],
        },
    )
    assert answer.payload == {}
    reading, refused = answer.events
    assert reading.soc_percent == 5
    assert refused.detail == {"measurand": "Voltage", "value": "abc", "unit": "", "reason": "not a number"}


@pytest.mark.parametrize(("connector", "odd"), [(1, False), (2, True), (0, False)])
def test_values_that_name_another_connector_than_their_transaction_s_are_reported(ask, connector, odd):
    ask("StartTransaction", START)
    values = {"timestamp": "2026-06-01T12:00:00Z", "sampledValue": [{"value": "900"}]}
    answer = ask("MeterValues", {"connectorId": connector, "transactionId": 1, "meterValue": [values]})
    assert answer.events[0].connector == connector
    reported = [(event.name, event.connector, event.detail) for event in answer.events[1:]]
    detail = {"transaction_id": 1, "named_connector": 2}
    assert reported == ([("transaction_at_another_connector", 1, detail)] if odd else [])


def test_a_tag_that_is_shown_is_reported_with_what_came_of_it(ask, state):
    state.id_tags.put(IdTag(id_tag="CARD-1"))
    for id_tag, status in (("CARD-1", "Accepted"), ("CARD-2", "Invalid")):
        (shown,) = ask("Authorize", {"idTag": id_tag}).events
        assert (shown.name, shown.detail) == ("id_tag_shown", {"id_tag": id_tag, "status": status})


def test_a_tag_that_a_scenario_shows_may_charge_there_while_it_runs(ask, state):
    def status(charge_point_id):
        return ask("Authorize", {"idTag": "cloned-tag"}, charge_point_id).payload["idTagInfo"]["status"]

    state.runs.intervened("CP-1", Intervention("run", frozenset({"CLONED-TAG"})))
    assert (status("CP-1"), status("CP-2")) == ("Accepted", "Invalid")
    assert (
        ask("StartTransaction", START | {"idTag": "CLONED-TAG"}).payload["idTagInfo"]["status"] == "Accepted"
    )
    assert [one.run_id for one in state.transactions.active("CP-1")] == ["run"]
    state.runs.undone("CP-1")
    assert status("CP-1") == "Invalid"


def test_a_second_stop_that_differs_is_reported_at_its_connector(ask):
    ask("StartTransaction", START | {"connectorId": 2})
    stop = {"transactionId": 1, "meterStop": 900, "timestamp": "2026-06-01T12:00:00Z"}
    ask("StopTransaction", stop)
    odd = ask("StopTransaction", stop | {"meterStop": 950}).events[-1]
    assert (odd.name, odd.connector) == ("transaction_stopped_twice", 2)


@pytest.mark.parametrize("action", ["DiagnosticsStatusNotification", "FirmwareStatusNotification"])
def test_progress_is_noted(ask, action):
    assert names(ask(action, {"status": "Idle"}))


def test_a_data_transfer_finds_no_vendor(ask):
    assert ask("DataTransfer", {"vendorId": "x", "data": "y"}).payload == {"status": "UnknownVendorId"}


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("StartTransaction", {**START, "connectorId": 0}, "PropertyConstraintViolation"),
        ("StartTransaction", {**START, "connectorId": -1}, "PropertyConstraintViolation"),
        ("StartTransaction", {**START, "meterStart": 2**40}, "PropertyConstraintViolation"),
        ("StartTransaction", {**START, "timestamp": "noon"}, "PropertyConstraintViolation"),
        (
            "StatusNotification",
            {"connectorId": 256, "status": "Available", "errorCode": "NoError"},
            "PropertyConstraintViolation",
        ),
        (
            "StopTransaction",
            {"transactionId": 2**70, "meterStop": 1, "timestamp": "2026-06-01T12:00:00Z"},
            "PropertyConstraintViolation",
        ),
    ],
)
def test_what_the_schema_lets_pass_and_is_nonsense_is_refused(ask, action, payload, code):
    with pytest.raises(MalformedMessage) as refused:
        ask(action, payload)
    assert refused.value.code == code


@pytest.mark.parametrize("timestamp", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"])
def test_a_clock_that_was_never_set_is_replaced_by_ours(ask, timestamp):
    assert ask("StartTransaction", {**START, "timestamp": timestamp}).events[0].at == NOW


def test_a_retry_with_an_unset_clock_is_still_a_retry(ask):
    start = {**START, "timestamp": "1970-01-01T00:00:07Z"}
    assert ask("StartTransaction", start).payload == ask("StartTransaction", start).payload
