"""What the consumer leaves to its source is acknowledged too, and in the order in which it came."""

import pytest

from chassis.mqtt import Delivery, MqttSettings
from memorybank.mqtt_consumer import Consumer
from memorybank.share import Share


@pytest.fixture
async def consumer():
    return Consumer(MqttSettings(port=1), Share.parse("1/1"), max_bytes=250, on_connected=lambda: None)


async def test_brokers_hear_acknowledgements_in_the_order_in_which_they_sent(consumer):
    """rumqttd ends the connection of a client that acknowledges out of turn, and sends everything again."""
    acknowledged = []
    for number in range(5):  # the third and the fourth do not fit
        size = 100 if number != 4 else 10
        consumer._take_in(Delivery("t", b"x" * size, lambda number=number: acknowledged.append(number)))
    assert (consumer.dropped, consumer.waiting_messages, consumer.waiting_bytes) == (2, 3, 210)
    assert acknowledged == []
    while consumer.waiting_messages:
        for delivery in await consumer.take(10, 1000, 1.0):
            delivery.ack()
    assert acknowledged == [0, 1, 2, 3, 4]


async def test_a_last_message_that_was_left_is_acknowledged_as_well(consumer):
    acknowledged = []
    for number in range(4):
        consumer._take_in(Delivery("t", b"x" * 100, lambda number=number: acknowledged.append(number)))
    for _ in range(2):
        for delivery in await consumer.take(10, 1000, 0.01):
            delivery.ack()
    assert acknowledged == [0, 1, 2, 3]
