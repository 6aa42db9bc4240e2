"""Which verdicts of foreign detectors are taken, and how much of one is kept."""

from typing import cast

from chassis.mqtt import Delivery, MqttSettings
from contracts import topics
from contracts.verdicts import MAX_VERDICT_BYTES
from memorybank import verdicts as verdicts_module
from memorybank.share import Share
from memorybank.store import Store
from memorybank.verdicts import BURST, Allowance, Verdicts


class Saved:
    """Takes verdicts as the store does, at once."""

    def __init__(self):
        self.reasons = []

    async def save_verdicts(self, verdicts, poison, heard_at):
        self.reasons += [one.reason for one in poison]


def verdicts_of(share="1/1"):
    saved = Saved()
    return Verdicts(MqttSettings(port=1), Share.parse(share), cast(Store, saved)), saved


def delivery(charge_point_id="CP-1", payload=b"", qos=1, ack=lambda: None):
    return Delivery(topics.verdicts_topic("mine", charge_point_id), payload, ack, qos)


def test_an_allowance_is_refilled_by_the_second_up_to_its_burst():
    allowance = Allowance(left=1.5, refilled_s=100.0)
    assert allowance.take(100.0)
    assert not allowance.take(100.4)
    assert allowance.take(101.0)
    allowance.take(1e9)
    assert allowance.left == BURST - 1


async def test_anothers_share_is_neither_taken_nor_counted():
    """Each of several MemoryBanks hears all verdicts, and stores those of its charge points."""
    one, _ = verdicts_of("1/2")
    other, _ = verdicts_of("2/2")
    for number in range(10):
        for each in (one, other):
            each._take_in(delivery(f"CP-{number}", qos=0))
    assert len(one._waiting) + len(other._waiting) == 10
    assert one._waiting
    assert other._waiting
    assert set(one.by_outcome.values()) == set(other.by_outcome.values()) == {0}


async def test_what_is_refused_is_acknowledged_in_its_turn(monkeypatch):
    """rumqttd ends the connection of a client that acknowledges out of turn."""
    monkeypatch.setattr(verdicts_module, "BURST", 2)
    verdicts, _ = verdicts_of()
    acknowledged = []
    for number in range(4):
        verdicts._take_in(delivery(ack=lambda number=number: acknowledged.append(number)))
    assert acknowledged == []
    await verdicts._save_some()
    assert acknowledged == [0, 1, 2, 3]
    assert (verdicts.by_outcome["malformed"], verdicts.by_outcome["too_often"]) == (2, 2)


async def test_what_waits_is_bounded_where_the_broker_does_not(monkeypatch):
    monkeypatch.setattr(verdicts_module, "_MOST_WAITING", 3)
    verdicts, _ = verdicts_of()
    for _ in range(5):
        verdicts._take_in(delivery(qos=0))
    assert len(verdicts._waiting) == 3
    assert verdicts.by_outcome["overflowed"] == 2


async def test_of_a_message_that_is_too_long_little_is_kept():
    verdicts, saved = verdicts_of()
    verdicts._take_in(delivery(payload=b"x" * 1_000_000))
    (kept,) = verdicts._waiting
    assert len(kept.payload) == MAX_VERDICT_BYTES + 1
    await verdicts._save_some()
    assert saved.reasons == [f"{MAX_VERDICT_BYTES + 1} bytes or more, {MAX_VERDICT_BYTES} are allowed"]
