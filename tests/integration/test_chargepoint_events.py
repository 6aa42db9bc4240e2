"""What the charge point's process tells the MemoryBank, through a real broker."""

import pytest_asyncio
from ocpp.v16 import call

from chargepoint_parts import ChargePointProcess, ForeignCsms, bus_module, udp_port, until
from chassis.mqtt import MqttLink, MqttSettings
from contracts import topics
from contracts.events import CanFrameSeen, Committed, Reading, SystemEvent, decode_batch, encode


@pytest_asyncio.fixture
async def heard(broker):
    """Every (source, event) that a charge point published, committed as the MemoryBank does."""
    events, committed = [], {}

    def keep(delivery):
        batch = decode_batch(delivery.payload)
        known = committed.get(batch.source, batch.committed)
        if batch.first_seq == known + 1:
            events.extend((batch.source, event) for event in batch.events)
            committed[batch.source] = batch.last_seq
        delivery.ack()
        word = Committed(boot=batch.boot, seq=committed.get(batch.source, known))
        link.publish(topics.committed_topic(batch.source), encode(word), retain=True)

    settings = MqttSettings(broker.host, broker.port, "memorybank", broker.password)
    subscriptions = ((topics.ALL_EVENTS, 1),)
    async with MqttLink(settings, "test", subscriptions=subscriptions, on_message=keep) as link:
        await until(lambda: link.connected, "the broker")
        yield events


async def test_frames_readings_and_facts_are_published(broker, heard, tmp_path):
    csms, port = ForeignCsms(), udp_port()
    await csms.start()
    environ = {
        "CHARGE_POINT_ID": "CP-1",
        "CSMS_URL": f"ws://127.0.0.1:{csms.port}",
        "CAN_INTERFACE": "127.0.0.1",
        "CAN_PORT": str(port),
        "CAN_BACKPLANE_PORT": str(udp_port()),
        "STATE_DIRECTORY": str(tmp_path),
        **broker.environ("chargepoint"),
    }
    process = ChargePointProcess(environ)
    process.start()
    try:
        async with bus_module(port):
            await csms.status("Preparing")
            transaction_id = await csms.start_charging()
            await until(
                lambda: [
                    event
                    for _, event in heard
                    if isinstance(event, Reading) and event.transaction_id == transaction_id
                ],
                "a reading of the transaction",
            )
            await csms.ask(call.RemoteStopTransaction(transaction_id))
        assert process.stop() == 0
    finally:
        process.process.kill()
        process.process.wait(10)
        await csms.stop()
    assert {source for source, _ in heard} == {
        topics.Source("chargepoint:CP-1", "events", topics.partition_of("CP-1")).id
    }
    events = [event for _, event in heard]
    assert {event.charge_point_id for event in events} == {"CP-1"}
    names = [event.name for event in events if isinstance(event, SystemEvent)]
    assert {"service_started", "csms_connected", "module_heard"} <= set(names)
    seen = {(event.can_id, event.sent) for event in events if isinstance(event, CanFrameSeen)}
    assert {(0x200, True), (0x210, True), (0x211, True), (0x300, False), (0x302, False)} <= seen
    reading = next(event for event in events if isinstance(event, Reading) and event.transaction_id)
    assert (reading.origin, reading.commanded_a, reading.current_a) == ("can", 300.0, 300.0)
