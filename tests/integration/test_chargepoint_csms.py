"""The charge point driven by a CSMS that is not ours, with a module on a real bus."""

import asyncio
import contextlib
import itertools
from datetime import UTC, datetime, timedelta
from statistics import median

import can
import ocpp.exceptions
import pytest
import pytest_asyncio
from ocpp.v16 import call

from chargepoint.bridge import MEASURANDS
from chargepoint_parts import (
    Bench,
    ForeignCsms,
    basic,
    bus_module,
    default_profile,
    rogue_node,
    udp_port,
    until,
)
from chassis.backplane_link import BackplaneLink
from chassis.can_link import open_bus
from contracts.backplane import Lease, Offer
from contracts.can_frames import Current, Faults, SetLimit, Start, Stop
from contracts.events import CanFrameSeen, Reading

LIMIT_DEADLINE_S = 1.0


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
        "CAN_PORT": str(udp_port()),
        "CAN_BACKPLANE_PORT": str(udp_port()),
        "OCPP_CALL_TIMEOUT_S": "5",
        "RECONNECT_LONGEST_S": "0.5",
    }
    return Bench(csms, environ, tmp_path)


@pytest_asyncio.fixture
async def module(bench):
    """A charge point that is ready to charge, and its module."""
    async with bench.charging_ready() as module:
        yield module


def is_utc(timestamp):
    return timestamp.endswith("Z") and datetime.fromisoformat(timestamp).tzinfo is not None


class TestBoot:
    async def test_pending_then_accepted(self, csms, bench):
        csms.boots.extend([("Pending", 1), ("Accepted", 300)])
        async with bench.running():
            await csms.status("Preparing")
        actions = [action for action, _ in csms.received]
        assert actions[:2] == ["BootNotification", "BootNotification"]
        assert actions[2] == "StatusNotification"

    async def test_while_pending_nothing_starts_but_configuration_is_told(self, csms, bench):
        csms.boots.append(("Pending", 300))
        async with bench.running():
            await until(lambda: csms.all("BootNotification"), "BootNotification")
            assert (await csms.ask(call.RemoteStartTransaction("TAG"))).status == "Rejected"
            assert (await csms.ask(call.GetConfiguration(["NumberOfConnectors"]))).configuration_key
            await csms.ask(call.TriggerMessage("BootNotification"))
            await csms.status("Preparing")
        assert len(csms.all("BootNotification")) == 2

    async def test_rejected_it_goes_and_comes_back_later(self, csms, bench):
        csms.boots.append(("Rejected", 1))
        async with bench.running():
            await csms.status("Preparing")
        assert len(csms.opened) == 2

    async def test_the_interval_becomes_the_heartbeats(self, csms, bench):
        csms.boots.append(("Accepted", 1))
        async with bench.running():
            await until(lambda: csms.all("Heartbeat"), "a heartbeat")

    async def test_it_says_who_it_is(self, csms, bench):
        async with bench.running(CHARGE_POINT_ID="CP-é", CHARGE_POINT_PASSWORD="secret"):
            await csms.status("Preparing")
        assert csms.opened[0] == ("/CP-%C3%A9", basic("CP-é", "secret"))
        boot = csms.all("BootNotification")[0]
        assert (boot["chargePointVendor"], boot["chargePointSerialNumber"]) == ("ChargeBench", "CP-é")

    async def test_every_connector_has_a_status(self, csms, bench):
        async with bench.running(CONNECTORS="3"):
            for connector, status in ((0, "Available"), (1, "Preparing"), (2, "Preparing"), (3, "Preparing")):
                await csms.status(status, connector)


class TestCharging:
    async def test_remote_start_and_stop(self, csms, module):
        transaction_id = await csms.start_charging("TAG")
        await csms.status("Charging")
        await until(lambda: module.current_a == 300.0, "the module to charge")
        assert (await csms.ask(call.RemoteStopTransaction(transaction_id))).status == "Accepted"
        await csms.status("Finishing")
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        start, stop = csms.all("StartTransaction")[0], csms.all("StopTransaction")[0]
        assert (start["connectorId"], start["idTag"]) == (1, "TAG")
        assert (stop["transactionId"], stop["reason"]) == (transaction_id, "Remote")
        assert is_utc(start["timestamp"])
        assert is_utc(stop["timestamp"])
        assert stop["meterStop"] >= start["meterStart"]
        assert csms.statuses() == ["Preparing", "Charging", "Finishing"]

    async def test_a_remote_start_is_accepted_again_while_finishing(self, csms, module):
        await csms.ask(call.RemoteStopTransaction(await csms.start_charging()))
        await csms.status("Finishing")
        await csms.start_charging()
        await csms.status("Charging")

    async def test_the_base_scenario(self, csms, module):
        """Limit 0, limit 100, start, stop: the bus hears it in that order."""
        await csms.ask(call.SetChargingProfile(1, default_profile(0)))
        await csms.ask(call.SetChargingProfile(1, default_profile(100)))
        transaction_id = await csms.start_charging()
        await until(lambda: module.current_a == 100.0, "100 A")
        await csms.ask(call.RemoteStopTransaction(transaction_id))
        await until(lambda: module.current_a == 0.0, "0 A")
        heard = module.commands()
        assert heard[heard.index(SetLimit(0)) :] == [
            SetLimit(0),
            SetLimit(100),
            SetLimit(100),
            Start(),
            Stop(),
        ]

    @pytest.mark.parametrize("connector", [0, 2, -1])
    async def test_a_connector_that_is_not_there_does_not_start(self, csms, module, connector):
        answer = await csms.ask(call.RemoteStartTransaction("TAG", connector_id=connector))
        assert answer.status == "Rejected"

    async def test_a_second_start_is_rejected(self, csms, module):
        await csms.start_charging()
        assert (await csms.ask(call.RemoteStartTransaction("TAG"))).status == "Rejected"

    async def test_an_unknown_transaction_is_not_stopped(self, csms, module):
        assert (await csms.ask(call.RemoteStopTransaction(5))).status == "Rejected"

    async def test_an_id_tag_that_the_csms_does_not_know_is_stopped(self, csms, module):
        csms.tags["STOLEN"] = "Blocked"
        await csms.start_charging("STOLEN")
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        assert csms.all("StopTransaction")[0]["reason"] == "DeAuthorized"
        await until(lambda: module.current_a == 0.0, "0 A")

    async def test_remote_starts_are_authorized_where_the_key_says_so(self, csms, module):
        await csms.ask(call.ChangeConfiguration("AuthorizeRemoteTxRequests", "true"))
        csms.tags["STOLEN"] = "Blocked"
        assert (await csms.ask(call.RemoteStartTransaction("STOLEN"))).status == "Accepted"
        await until(lambda: csms.all("Authorize"), "Authorize")
        await csms.start_charging("TAG")
        assert [each["idTag"] for each in csms.all("StartTransaction")] == ["TAG"]

    async def test_a_profile_that_comes_with_the_start_holds_from_its_first_moment(self, csms, module):
        profile = default_profile(32, "TxProfile")
        await csms.start_charging(charging_profile=profile)
        await until(lambda: Start() in module.commands(), "the start")
        heard = module.commands()
        assert heard[heard.index(Start()) - 1] == SetLimit(32)
        assert module.limit_a == 32


class TestMeterValues:
    async def test_ten_measurands_every_second(self, csms, module):
        transaction_id = await csms.start_charging()
        await until(lambda: len(csms.all("MeterValues")) >= 6, "6 MeterValues")
        sent = [each for each in csms.all("MeterValues") if each.get("transactionId") == transaction_id]
        instants = [datetime.fromisoformat(each["meterValue"][0]["timestamp"]) for each in sent]
        gaps_s = [(b - a).total_seconds() for a, b in itertools.pairwise(instants)]
        assert 0.8 < median(gaps_s) < 1.2
        values = sent[-1]["meterValue"][0]["sampledValue"]
        assert [each["measurand"] for each in values] == list(MEASURANDS)
        assert {each["context"] for each in values} == {"Sample.Periodic"}
        told = {each["measurand"]: each["value"] for each in values}
        assert (told["Current.Import"], told["Voltage"], told["SoC"]) == ("300.00", "380.0", "42.0")

    async def test_energy_is_the_integral_of_power(self, csms, module):
        await csms.start_charging()

        def registers():
            return [
                int(value["value"])
                for each in csms.all("MeterValues")
                for value in each["meterValue"][0]["sampledValue"]
                if value["measurand"] == "Energy.Active.Import.Register"
            ]

        await until(lambda: registers()[-1:] > [60], "60 Wh: 2 s at 114 kW")
        assert registers() == sorted(registers())

    async def test_the_keys_choose_measurands_and_interval(self, csms, module):
        await csms.ask(call.ChangeConfiguration("MeterValuesSampledData", "SoC,Voltage"))
        csms.received.clear()
        await until(lambda: csms.all("MeterValues"), "MeterValues")
        values = csms.all("MeterValues")[0]["meterValue"][0]["sampledValue"]
        assert [each["measurand"] for each in values] == ["SoC", "Voltage"]
        await csms.ask(call.ChangeConfiguration("MeterValueSampleInterval", "0"))
        csms.received.clear()
        counter = module.counter
        await until(lambda: module.counter > counter + 2, "two more reports")
        assert csms.all("MeterValues") == []

    async def test_clock_aligned_values(self, csms, module):
        await csms.ask(call.ChangeConfiguration("ClockAlignedDataInterval", "2"))

        def contexts():
            return [each["meterValue"][0]["sampledValue"][0]["context"] for each in csms.all("MeterValues")]

        await until(lambda: "Sample.Clock" in contexts(), "a clock-aligned value")

    async def test_the_stop_carries_the_last_values_where_the_key_says_so(self, csms, module):
        await csms.ask(call.ChangeConfiguration("StopTxnSampledData", "Energy.Active.Import.Register"))
        await csms.ask(call.RemoteStopTransaction(await csms.start_charging()))
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        data = csms.all("StopTransaction")[0]["transactionData"]
        assert data[0]["sampledValue"][0]["context"] == "Transaction.End"


class TestSmartCharging:
    async def test_a_profile_is_on_the_bus_within_the_deadline(self, csms, module):
        loop = asyncio.get_running_loop()
        await until(module.commands, "the first limit")
        for limit_a in (16, 0, 250):
            asked_s = loop.time()
            assert (await csms.ask(call.SetChargingProfile(1, default_profile(limit_a)))).status == "Accepted"
            await until(lambda: module.limit_a == limit_a, f"{limit_a} A on the bus")  # noqa: B023
            assert loop.time() - asked_s < LIMIT_DEADLINE_S

    async def test_a_limit_of_0_suspends_the_transaction(self, csms, module):
        await csms.start_charging()
        await csms.ask(call.SetChargingProfile(1, default_profile(0)))
        await csms.status("SuspendedEVSE")
        await csms.ask(call.SetChargingProfile(1, default_profile(16)))
        await csms.status("Charging")

    async def test_a_schedule_moves_the_limit_by_itself(self, csms, module):
        profile = default_profile(40)
        steps = [{"start_period": 0, "limit": 40}, {"start_period": 2, "limit": 10}]
        profile["charging_schedule"]["charging_schedule_period"] = steps
        await csms.ask(call.SetChargingProfile(1, profile))
        await csms.start_charging()
        await until(lambda: module.limit_a == 40, "40 A")
        await until(lambda: module.limit_a == 10, "10 A after 2 s")

    async def test_a_tx_profile_needs_its_transaction_and_ends_with_it(self, csms, module):
        profile = default_profile(20, "TxProfile")
        assert (await csms.ask(call.SetChargingProfile(1, profile))).status == "Rejected"
        transaction_id = await csms.start_charging()
        await until(lambda: module.limit_a == 300, "the rated limit")
        other = default_profile(20, "TxProfile", transaction_id=transaction_id + 1)
        assert (await csms.ask(call.SetChargingProfile(1, other))).status == "Rejected"
        own = default_profile(20, "TxProfile", transaction_id=transaction_id)
        assert (await csms.ask(call.SetChargingProfile(1, own))).status == "Accepted"
        await until(lambda: module.limit_a == 20, "20 A")
        await csms.ask(call.RemoteStopTransaction(transaction_id))
        await until(lambda: module.limit_a == 300, "the rated limit again")

    async def test_composite_schedule(self, csms, module):
        await csms.ask(call.SetChargingProfile(0, default_profile(50, "ChargePointMaxProfile")))
        await csms.ask(call.SetChargingProfile(1, default_profile(80, charging_profile_id=2)))
        answer = await csms.ask(call.GetCompositeSchedule(1, 600, "W"))
        assert answer.status == "Accepted"
        assert is_utc(answer.schedule_start)
        assert answer.charging_schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 20000.0}]
        assert (await csms.ask(call.GetCompositeSchedule(9, 600))).status == "Rejected"

    async def test_cleared_profiles_no_longer_hold(self, csms, module):
        await csms.ask(call.SetChargingProfile(1, default_profile(16)))
        await until(lambda: module.limit_a == 16, "16 A")
        assert (await csms.ask(call.ClearChargingProfile(id=1))).status == "Accepted"
        await until(lambda: module.limit_a == 300, "the rated limit")
        assert (await csms.ask(call.ClearChargingProfile(id=1))).status == "Unknown"

    async def test_a_profile_that_makes_no_sense_is_rejected(self, csms, bench, module):
        answer = await csms.ask(call.SetChargingProfile(1, default_profile(16, stack_level=99)))
        assert answer.status == "Rejected"
        assert "profile_refused" in bench.records()


class TestOnTheBus:
    async def test_a_rogue_stop_suspends_until_the_next_command(self, csms, bench, module):
        await csms.ask(call.SetChargingProfile(1, default_profile(100)))
        await csms.start_charging()
        await until(lambda: bench.connector.reports_since_start is None, "the start to be confirmed")
        async with rogue_node(bench.bus_port) as send:
            send(Stop())
        await csms.status("SuspendedEVSE")
        counter, heard = module.counter, len(module.commands())
        await until(lambda: module.counter >= counter + 4, "four more reports")
        assert module.commands()[heard:] == []
        assert csms.statuses()[-1] == "SuspendedEVSE"
        assert "module_stopped_by_other" in bench.records()
        await csms.ask(call.SetChargingProfile(1, default_profile(100)))
        await csms.status("Charging")

    async def test_a_module_that_was_restarted_is_started_again(self, csms, bench, module):
        await csms.ask(call.SetChargingProfile(1, default_profile(100)))
        await csms.start_charging()
        await until(lambda: module.counter >= 6, "a counter to fall back from")
        module.die()
        module.is_silent = False
        await until(lambda: module.current_a == 100.0, "the module to charge again")

    async def test_a_module_back_from_silence_is_started_again(self, csms, bench, module):
        await csms.start_charging()
        await csms.status("Charging")
        module.die()
        await csms.status("SuspendedEVSE")
        module.is_silent = False
        await csms.status("Charging")
        await until(lambda: module.current_a == 300.0, "the module to charge again")

    async def test_a_fault_is_notified_and_charging_goes_on_after_it(self, csms, module):
        await csms.start_charging()
        await csms.status("Charging")
        module.faults = Faults.OVER_TEMPERATURE
        await csms.status("Faulted")
        fault = csms.all("StatusNotification")[-1]
        assert (fault["errorCode"], fault["info"]) == ("HighTemperature", "faults OVER_TEMPERATURE")
        module.faults = Faults.NONE
        await csms.status("Charging")

    async def test_a_vehicle_that_takes_nothing_suspends(self, csms, module):
        await csms.start_charging()
        module.is_limited = True
        await csms.status("SuspendedEV")

    async def test_a_keepalive_every_second(self, module):
        def keepalives():
            return [at_s for at_s, frame in module.heard if frame.can_id == 0x211]

        await until(lambda: len(keepalives()) >= 4, "4 keepalives")
        times_s = keepalives()
        assert 0.8 < median(b - a for a, b in itertools.pairwise(times_s)) < 1.2

    async def test_a_spoofed_reading_is_believed_and_recorded(self, csms, bench, module):
        async with rogue_node(bench.bus_port) as send:
            send(Current(777))
        await until(
            lambda: any(isinstance(event, Reading) and event.current_a == 777.0 for event in bench.events),
            "the spoofed reading",
        )

    async def test_a_malformed_frame_is_counted_and_changes_nothing(self, csms, bench, module):
        with open_bus(bench.bus_port) as bus:
            bus.send(can.Message(arbitration_id=0x7FF, data=b"\x01", is_extended_id=False))
            bus.send(can.Message(arbitration_id=0x303, data=b"\x01\x00\xff\xff", is_extended_id=False))
            await until(lambda: "frames_refused" in bench.records(), "the refusal")
        await csms.start_charging()

    async def test_every_frame_is_recorded_with_who_sent_it(self, bench, module):
        await until(lambda: module.counter > 1, "a report")
        seen = {(event.can_id, event.sent) for event in bench.events if isinstance(event, CanFrameSeen)}
        assert {(0x300, False), (0x302, False), (0x210, True), (0x211, True)} <= seen
        assert (0x210, False) not in seen


class TestTwoConnectors:
    @pytest_asyncio.fixture
    async def modules(self, csms, bench):
        ports = (bench.bus_port, bench.bus_port + 1)
        async with (
            bench.running(CONNECTORS="2"),
            bus_module(ports[0]) as first,
            bus_module(ports[1]) as second,
        ):
            await csms.status("Preparing", 2)
            yield first, second

    async def test_each_has_a_bus_and_a_transaction_of_its_own(self, csms, modules):
        first, second = modules
        await csms.start_charging("A", connector_id=1)
        transaction_id = await csms.start_charging("B", connector_id=2)
        await until(lambda: first.current_a == second.current_a == 300.0, "both to charge")
        await csms.ask(call.RemoteStopTransaction(transaction_id))
        await csms.status("Finishing", 2)
        await until(lambda: second.current_a == 0.0, "the second to stop")
        assert first.current_a == 300.0
        assert csms.statuses(1)[-1] == "Charging"

    async def test_a_rogue_stop_on_one_bus_leaves_the_other(self, csms, bench, modules):
        first, second = modules
        await csms.start_charging("A", connector_id=1)
        await csms.start_charging("B", connector_id=2)
        await until(lambda: first.current_a == second.current_a == 300.0, "both to charge")
        async with rogue_node(bench.bus_port + 1) as send:
            send(Stop())
        await csms.status("SuspendedEVSE", 2)
        assert first.current_a == 300.0
        assert csms.statuses(1)[-1] == "Charging"

    async def test_they_share_the_stations_limit(self, csms, modules):
        first, second = modules
        await csms.ask(call.SetChargingProfile(0, default_profile(100, "ChargePointMaxProfile")))
        await csms.start_charging("A", connector_id=1)
        await until(lambda: first.current_a == 100.0, "100 A for one")
        transaction_id = await csms.start_charging("B", connector_id=2)
        await until(lambda: first.current_a == second.current_a == 50.0, "50 A for each of two")
        await csms.ask(call.RemoteStopTransaction(transaction_id))
        await until(lambda: first.current_a == 100.0, "100 A for one again")


class TestOtherCommands:
    async def test_availability_waits_for_the_transaction(self, csms, module):
        transaction_id = await csms.start_charging()
        assert (await csms.ask(call.ChangeAvailability(1, "Inoperative"))).status == "Scheduled"
        await csms.ask(call.RemoteStopTransaction(transaction_id))
        await csms.status("Unavailable")
        assert (await csms.ask(call.RemoteStartTransaction("TAG"))).status == "Rejected"
        assert (await csms.ask(call.ChangeAvailability(1, "Operative"))).status == "Accepted"
        await csms.status("Preparing")

    async def test_the_whole_station_can_be_taken_out(self, csms, module):
        assert (await csms.ask(call.ChangeAvailability(0, "Inoperative"))).status == "Accepted"
        await csms.status("Unavailable", 0)
        await csms.status("Unavailable", 1)
        assert (await csms.ask(call.ChangeAvailability(7, "Inoperative"))).status == "Rejected"

    @pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
    async def test_reset_stops_and_boots_again(self, csms, module, kind, reason):
        await csms.start_charging()
        await csms.status("Charging")
        assert (await csms.ask(call.Reset(kind))).status == "Accepted"
        await until(lambda: len(csms.all("BootNotification")) == 2, "the second boot")
        await csms.status("Preparing")
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        assert [each["reason"] for each in csms.all("StopTransaction")] == [reason]
        assert module.current_a == 0.0

    async def test_what_the_csms_set_survives_a_reset(self, csms, bench, module):
        await csms.ask(call.ChangeConfiguration("MeterValueSampleInterval", "7"))
        await csms.ask(call.SetChargingProfile(1, default_profile(16)))
        await csms.ask(call.ChangeAvailability(1, "Inoperative"))
        await csms.ask(call.Reset("Hard"))
        await until(lambda: len(csms.all("BootNotification")) == 2, "the second boot")
        await csms.status("Unavailable")
        keys = (await csms.ask(call.GetConfiguration(["MeterValueSampleInterval"]))).configuration_key
        assert keys[0]["value"] == "7"
        assert bench.connector.limit_a == 16.0

    async def test_unlocking_ends_the_transaction(self, csms, module):
        await csms.start_charging()
        assert (await csms.ask(call.UnlockConnector(1))).status == "Unlocked"
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        assert csms.all("StopTransaction")[0]["reason"] == "UnlockCommand"
        assert (await csms.ask(call.UnlockConnector(2))).status == "NotSupported"

    async def test_configuration(self, csms, module):
        assert (await csms.ask(call.ChangeConfiguration("HeartbeatInterval", "1"))).status == "Accepted"
        await until(lambda: csms.all("Heartbeat"), "a heartbeat at once, not after the old interval")
        assert (await csms.ask(call.ChangeConfiguration("heartbeatinterval", "77"))).status == "Accepted"
        (told,) = (await csms.ask(call.GetConfiguration(["HeartbeatInterval"]))).configuration_key
        assert told["value"] == "77"
        assert (await csms.ask(call.ChangeConfiguration("NumberOfConnectors", "2"))).status == "Rejected"
        assert (await csms.ask(call.ChangeConfiguration("Colour", "blue"))).status == "NotSupported"
        assert (await csms.ask(call.GetConfiguration(["Colour"]))).unknown_key == ["Colour"]

    async def test_cache_can_be_cleared(self, csms, module):
        assert (await csms.ask(call.ClearCache())).status == "Accepted"

    @pytest.mark.parametrize(
        ("message", "action"),
        [
            ("BootNotification", "BootNotification"),
            ("Heartbeat", "Heartbeat"),
            ("StatusNotification", "StatusNotification"),
            ("MeterValues", "MeterValues"),
        ],
    )
    async def test_triggered_messages(self, csms, bench, module, message, action):
        await until(lambda: bench.station.outlets[0].last_reading, "a reading")
        await csms.ask(call.ChangeConfiguration("MeterValueSampleInterval", "0"))
        csms.received.clear()
        assert (await csms.ask(call.TriggerMessage(message, connector_id=1))).status == "Accepted"
        await until(lambda: csms.all(action), action)

    async def test_messages_that_cannot_be_triggered(self, csms, module):
        answer = await csms.ask(call.TriggerMessage("DiagnosticsStatusNotification"))
        assert answer.status == "NotImplemented"
        assert (await csms.ask(call.TriggerMessage("Heartbeat", connector_id=5))).status == "Rejected"

    async def test_the_driver_by_data_transfer(self, csms, module):
        async def drive(message_id, data='{"connector": 1, "id_tag": "TAG"}'):
            return (await csms.ask(call.DataTransfer("ChargeBench", message_id, data))).status

        assert await drive("PresentIdTag") == "Accepted"
        await csms.status("Charging")
        assert csms.all("Authorize") == [{"idTag": "TAG"}]
        assert await drive("PresentIdTag") == "Accepted"
        await csms.status("Finishing")
        await until(lambda: csms.all("StopTransaction"), "StopTransaction")
        stop = csms.all("StopTransaction")[0]
        assert (stop["reason"], stop["idTag"]) == ("Local", "TAG")
        assert await drive("Unplug") == "Accepted"
        await csms.status("Available")
        assert await drive("PlugIn") == "Accepted"
        await csms.status("Preparing")
        assert await drive("Sing") == "UnknownMessageId"
        assert await drive("PlugIn", "{]") == "Rejected"
        assert await drive("PlugIn", '{"connector": 9}') == "Rejected"
        assert (await csms.ask(call.DataTransfer("Acme"))).status == "UnknownVendorId"

    async def test_a_reservation_keeps_the_connector(self, csms, bench):
        expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        async with bench.running(CABLE_PLUGGED="false"):
            await csms.status("Available")
            assert (await csms.ask(call.ReserveNow(1, expiry, "TAG", 5))).status == "Accepted"
            await csms.status("Reserved")
            assert (await csms.ask(call.ReserveNow(1, expiry, "OTHER", 6))).status == "Occupied"
            assert (await csms.ask(call.RemoteStartTransaction("OTHER"))).status == "Rejected"
            assert (await csms.ask(call.CancelReservation(6))).status == "Rejected"
            assert (await csms.ask(call.CancelReservation(5))).status == "Accepted"
            await csms.status("Available")

    async def test_an_unsupported_action_is_answered_with_a_callerror(self, csms, module):
        with pytest.raises(ocpp.exceptions.NotSupportedError):
            await csms.ask(call.GetDiagnostics("ftp://127.0.0.1"))
        with pytest.raises(ocpp.exceptions.NotSupportedError):
            await csms.ask(call.GetLocalListVersion())

    async def test_a_reservation_with_a_broken_date_is_answered_with_a_callerror(self, csms, module):
        with pytest.raises(ocpp.exceptions.PropertyConstraintViolationError):
            await csms.ask(call.ReserveNow(1, "soon", "TAG", 5))


async def test_the_lease_asks_for_a_module_and_names_the_one_that_offers(csms, bench):
    """A charger on the backplane, played by this test."""
    leases = []
    async with BackplaneLink(int(bench.environ["CAN_BACKPLANE_PORT"])) as link:

        async def listen():
            async for datagram in link.datagrams():
                if isinstance(datagram, Lease):
                    leases.append(datagram)
                    is_ours = datagram.charger_id == "me"
                    link.send(Offer(charger_id="me", bus_port=datagram.bus_port, attached=is_ours))

        listener = asyncio.create_task(listen())
        async with bench.running():
            await until(lambda: "module_attached" in bench.records(), "the module to be attached")
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener
    assert (leases[0].charger_id, leases[0].bus_port) == (None, bench.bus_port)
    assert leases[-1].charger_id == "me"
