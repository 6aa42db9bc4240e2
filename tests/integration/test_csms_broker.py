"""What the CSMS publishes, as it arrives over a real broker."""

from chassis.mqtt import MqttLink, MqttSettings
from contracts import topics
from contracts.events import Committed, ScenarioLabel, TransactionStarted, decode_batch, encode
from csms_parts import ENROLMENT, charge_point, csms, until


async def test_events_and_ground_truth_arrive_each_on_its_channel(tmp_path, broker):
    arrived = {"events": [], "truth": []}

    def take(delivery):
        batch = decode_batch(delivery.payload)
        source = topics.source_from_topic(delivery.topic)
        assert source.name == "csms:csms-0"
        arrived[source.channel] += batch.events
        word = Committed(boot=batch.boot, seq=batch.last_seq)
        listening.publish(topics.committed_topic(batch.source), encode(word), retain=True)
        delivery.ack()

    memorybank, ours = (
        MqttSettings(broker.host, broker.port, account, broker.password) for account in ("memorybank", "csms")
    )
    listening = MqttLink(
        memorybank,
        "listener",
        subscriptions=((topics.ALL_EVENTS, 1), (topics.ALL_TRUTH, 1)),
        on_message=take,
    )
    async with listening:
        await until(lambda: listening.connected)
        async with csms(tmp_path, mqtt=ours, scenario_plan="default") as bench:
            async with charge_point(bench, "CP-8", ENROLMENT) as foreign:
                await until(lambda: foreign.transaction_id is not None)
                await until(lambda: any(isinstance(event, TransactionStarted) for event in arrived["events"]))
                await until(lambda: any(isinstance(event, ScenarioLabel) for event in arrived["truth"]))
            assert (await bench.http.get("/healthz")).json()["publisher"] == {"connected": True, "dropped": 0}
    assert all(isinstance(event, ScenarioLabel) for event in arrived["truth"])
    assert not any(isinstance(event, ScenarioLabel) for event in arrived["events"])
