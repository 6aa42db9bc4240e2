"""The charge point while the CSMS is away, slow or refusing, and while it is killed itself."""

import asyncio
import json
import logging
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from ocpp.v16 import call

from chargepoint_parts import (
    Bench,
    ChargePointProcess,
    ForeignCsms,
    bus_module,
    default_profile,
    udp_port,
    until,
)
from contracts import ocpp_messages
from contracts.can_frames import Start, Stop
from contracts.ocpp_messages import Call


@pytest_asyncio.fixture
async def csms():
    csms = ForeignCsms()
    await csms.start()
    yield csms
    await csms.stop()


@pytest.fixture
def bench(csms, tmp_path):
    environ = {
        "CHARGE_POINT_ID": "CP-1",
        "CSMS_URL": f"ws://127.0.0.1:{csms.port}",
        "CAN_INTERFACE": "127.0.0.1",
        "CAN_PORT": str(udp_port()),
        "CAN_BACKPLANE_PORT": str(udp_port()),
        "OCPP_CALL_TIMEOUT_S": "1",
        "RECONNECT_LONGEST_S": "0.5",
        "STATE_DIRECTORY": str(tmp_path),
    }
    return Bench(csms, environ, tmp_path)


@pytest.fixture
def process(bench):
    process = ChargePointProcess(bench.environ)
    process.start()
    yield process
    if process.process.poll() is None:
        assert process.stop() == 0


TRANSACTION_ACTIONS = {"StartTransaction", "MeterValues", "StopTransaction"}


def of_transactions(csms):
    """Every message of a transaction as it arrived: (action, payload)."""
    return [
        (action, payload)
        for action, payload in csms.received
        if action == "StartTransaction" or "transactionId" in payload
    ]


def instants(messages):
    return [
        datetime.fromisoformat(
            payload["timestamp"] if "timestamp" in payload else payload["meterValue"][0]["timestamp"]
        )
        for _, payload in messages
    ]


async def test_charging_goes_on_offline_and_is_told_in_order_afterwards(csms, bench):
    async with bench.charging_ready() as module:
        transaction_id = await csms.start_charging()
        await until(lambda: module.current_a == 300.0, "the module to charge")
        await csms.stop()
        away_at = datetime.now(UTC)
        await until(lambda: "csms_lost" in bench.records(), "the loss to be noticed")
        await until(lambda: len(bench.station.queue) >= 3, "MeterValues to queue")
        assert module.current_a == 300.0
        bench.station.outlets[0].stop("Local")
        back_at = datetime.now(UTC)
        csms.received.clear()
        await csms.start()
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        messages = of_transactions(csms)
        assert [action for action, _ in messages] == ["MeterValues"] * (len(messages) - 1) + [
            "StopTransaction"
        ]
        assert {payload["transactionId"] for _, payload in messages} == {transaction_id}
        assert instants(messages) == sorted(instants(messages))
        assert instants(messages)[-1] <= back_at
        assert any(at > away_at for at in instants(messages))
        await until(lambda: len(bench.station.queue) == 0, "the queue to be empty")


async def test_a_transaction_started_offline_gets_its_id_later(csms, bench):
    async with bench.charging_ready():
        await csms.stop()
        await until(lambda: not bench.station.client.is_online, "the loss to be noticed")
        bench.station.start(bench.station.outlets[0], "TAG")
        await until(lambda: len(bench.station.queue) >= 3, "a start and MeterValues")
        csms.received.clear()
        await csms.start()
        await until(lambda: len(of_transactions(csms)) >= 3, "the queued messages")
        (start, _), *rest = of_transactions(csms)
        assert start == "StartTransaction"
        assert {payload["transactionId"] for _, payload in rest} == {csms.last_transaction_id}
        assert bench.connector.transaction.transaction_id == csms.last_transaction_id


async def test_known_id_tags_may_charge_offline(csms, bench):
    async with bench.charging_ready():
        station, outlet = bench.station, bench.station.outlets[0]
        await csms.ask(call.RemoteStopTransaction(await csms.start_charging("KNOWN")))
        await csms.status("Finishing")
        await csms.stop()
        await until(lambda: not station.client.is_online, "the loss to be noticed")
        await station.present(outlet, "STRANGER")
        assert outlet.connector.transaction is None
        await station.present(outlet, "known")
        assert outlet.connector.transaction is not None


async def test_after_a_reconnect_the_statuses_are_told_without_a_boot(csms, bench):
    async with bench.charging_ready():
        await csms.stop()
        await until(lambda: not bench.station.client.is_online, "the loss to be noticed")
        csms.received.clear()
        await csms.start()
        await csms.status("Available", 0)
        await csms.status("Preparing")
        assert csms.all("BootNotification") == []


async def test_a_message_that_the_csms_refuses_is_sent_again(csms, bench):
    async with bench.charging_ready():
        await csms.ask(call.ChangeConfiguration("TransactionMessageRetryInterval", "0"))
        csms.failures["StartTransaction"] = 2
        await csms.start_charging()
        assert len(csms.all("StartTransaction")) == 3


async def test_a_message_refused_too_often_is_given_up_and_recorded(csms, bench):
    async with bench.charging_ready():
        await csms.ask(call.ChangeConfiguration("TransactionMessageRetryInterval", "0"))
        csms.failures["StartTransaction"] = 3
        await csms.ask(call.RemoteStartTransaction("TAG"))
        await until(lambda: "message_given_up" in bench.records(), "the message to be given up")
        await until(lambda: csms.all("MeterValues"), "what comes after it")


async def test_meter_values_that_the_csms_refuses_hold_up_nothing(csms, bench):
    async with bench.charging_ready():
        csms.failures["MeterValues"] = 10**9
        transaction_id = await csms.start_charging()
        await until(lambda: len(csms.all("MeterValues")) >= 2, "MeterValues after refused ones")
        await csms.ask(call.RemoteStopTransaction(transaction_id))
        await until(lambda: csms.all("StopTransaction"), "the stop behind them")


async def test_the_password_is_in_no_log(csms, bench, caplog):
    caplog.set_level(logging.DEBUG)
    async with bench.charging_ready(CHARGE_POINT_PASSWORD="open sesame"):
        (_, authorization) = csms.opened[0]
    told = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert not any(authorization in line for line in told)


async def test_a_call_without_answer_times_out_and_is_made_again(csms, bench):
    async with bench.charging_ready():
        await csms.ask(call.ChangeConfiguration("TransactionMessageRetryInterval", "0"))
        csms.answers_starts.clear()
        await csms.ask(call.RemoteStartTransaction("TAG"))
        await until(lambda: len(csms.all("StartTransaction")) >= 1, "StartTransaction")
        # The package's receive loop is busy with its handler, so the second try waits on its socket.
        await until(lambda: bench.station.queue.head() is not None, "the message to stay")
        await until(
            lambda: bench.station.store.db.execute("SELECT attempts FROM messages").fetchone()[0] >= 1,
            "the first attempt to time out",
        )
        csms.answers_starts.set()
        await until(lambda: bench.connector.transaction.transaction_id, "the transaction's id")


async def test_killed_in_a_transaction_it_says_so_after_its_restart(csms, bench, process):
    async with bus_module(int(bench.environ["CAN_PORT"])) as module:
        await csms.status("Preparing")
        transaction_id = await csms.start_charging()
        await until(lambda: len(of_transactions(csms)) >= 3, "MeterValues")
        await csms.stop()
        process.kill()
        last = csms.all("MeterValues")[-1]["meterValue"][0]
        csms.received.clear()
        await csms.start()
        process.start()
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        stop = csms.all("StopTransaction")[0]
        assert (stop["transactionId"], stop["reason"]) == (transaction_id, "PowerLoss")
        assert datetime.fromisoformat(stop["timestamp"]) >= datetime.fromisoformat(last["timestamp"])
        register = next(
            int(each["value"]) for each in last["sampledValue"] if each["measurand"].endswith("Register")
        )
        assert stop["meterStop"] >= register
        await csms.status("Preparing")
        await until(lambda: module.current_a == 0.0, "the module to be stopped")


async def test_killed_while_offline_nothing_of_the_queue_is_lost(csms, bench, process):
    async with bus_module(int(bench.environ["CAN_PORT"])) as module:
        await csms.status("Preparing")
        transaction_id = await csms.start_charging()
        await until(lambda: len(of_transactions(csms)) >= 2, "MeterValues")
        await csms.stop()
        reported = module.counter
        await until(lambda: module.counter >= reported + 4, "four seconds offline")
        process.kill()
        csms.received.clear()
        process.start()
        await csms.start()
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        messages = of_transactions(csms)
        assert [action for action, _ in messages] == ["MeterValues"] * (len(messages) - 1) + [
            "StopTransaction"
        ]
        assert len(messages) >= 4
        assert {payload["transactionId"] for _, payload in messages} == {transaction_id}
        assert instants(messages) == sorted(instants(messages))
        for action, payload in messages:
            ocpp_messages.check_call(Call("1", action, payload))


async def test_the_meter_register_and_settings_survive_a_kill(csms, bench, process):
    async with bus_module(int(bench.environ["CAN_PORT"])):
        await csms.status("Preparing")
        await csms.ask(call.SetChargingProfile(1, default_profile(50)))
        transaction_id = await csms.start_charging()
        await until(lambda: len(of_transactions(csms)) >= 4, "MeterValues")
        await csms.ask(call.RemoteStopTransaction(transaction_id))
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        meter_stop = csms.all("StopTransaction")[0]["meterStop"]
        assert meter_stop > 0
        await csms.ask(call.ChangeAvailability(1, "Inoperative"))
        await csms.status("Unavailable")
        process.kill()
        csms.received.clear()
        process.start()
        await csms.status("Unavailable")
        await csms.ask(call.ChangeAvailability(1, "Operative"))
        await csms.start_charging()
        assert csms.all("StartTransaction")[0]["meterStart"] >= meter_stop
        schedule = (await csms.ask(call.GetCompositeSchedule(1, 60))).charging_schedule
        assert schedule["charging_schedule_period"][0]["limit"] == 50.0


async def test_ended_cleanly_in_a_transaction_it_stops_the_module(csms, bench, process):
    async with bus_module(int(bench.environ["CAN_PORT"])) as module:
        await csms.status("Preparing")
        await csms.start_charging()
        await until(lambda: module.current_a > 0, "the module to charge")
        assert process.stop() == 0
        await until(lambda: module.commands()[-1] == Stop(), "the stop frame")
        assert Start() in module.commands()
        process.start()
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        assert csms.all("StopTransaction")[0]["reason"] == "Reboot"


async def test_without_a_broker_charging_works(csms, bench, process, tmp_path):
    async with bus_module(int(bench.environ["CAN_PORT"])):
        await csms.status("Preparing")
        await csms.start_charging()
        await csms.status("Charging")
    assert list(tmp_path.glob("charge-point-CP-1/outbox.sqlite"))
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == '["charge-point-CP-1"]'


@pytest.mark.parametrize("turns", range(8))
async def test_end_is_not_forgotten_when_the_connection_breaks_at_that_moment(bench, csms, turns):
    """As when a whole bench is stopped at once; before Python 3.13 a task group would go on."""
    async with asyncio.timeout(10), bench.running():
        await until(lambda: bench.station.client.is_online, "the CSMS")
        bench.station.client._peer._connection._connection.transport.abort()
        for _ in range(turns):
            await asyncio.sleep(0)
