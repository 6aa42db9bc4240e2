"""Who the charge points of one process are, what each keeps for itself, and how they go through the door."""

import asyncio
import sqlite3

import pytest

from chargepoint.door import Door, Passage
from chargepoint.settings import LEAST_QUEUED, Settings, find_places
from chargepoint.store import Store
from chargepoint.transaction_queue import TransactionQueue
from chassis.numbered import on_from
from chassis.settings import SettingsError, read


def places(**environ):
    return find_places(read(Settings, {"CAN_INTERFACE": "127.0.0.1", **environ}))


def test_they_are_numbered_on_from_the_first_and_each_has_the_bus_of_its_number():
    found = places(CHARGE_POINT_ID="CP-7", CHARGE_POINTS="3", CONNECTORS="2")
    assert [place.charge_point_id for place in found] == ["CP-7", "CP-8", "CP-9"]
    assert [place.buses for place in found] == [(20024, 20025), (20028, 20029), (20032, 20033)]


def test_a_replica_that_is_told_its_number_asks_nobody_for_it():
    """As a pod, whose buses are its own."""
    found = places(CHARGE_POINT_REPLICA="3", CHARGE_POINTS="2", CHARGE_POINT_PREFIX="EU", CAN_PORT="20000")
    assert [place.charge_point_id for place in found] == ["EU-5", "EU-6"]
    assert [place.buses for place in found] == [(20000,), (20004,)]
    assert [place.charge_point_id for place in places(CHARGE_POINT_REPLICA="3")] == ["CP-3"]


def test_an_explicit_identity_wins_over_a_number():
    assert [one.charge_point_id for one in places(CHARGE_POINT_ID="CP-9", CHARGE_POINT_REPLICA="3")] == [
        "CP-9"
    ]


def test_where_can_port_says_the_first_bus_the_others_follow():
    found = places(CHARGE_POINT_ID="north1", CHARGE_POINTS="2", CAN_PORT="5000")
    assert [place.buses for place in found] == [(5000,), (5004,)]


def test_one_alone_needs_no_number():
    assert on_from("station", 1) == ("station",)


@pytest.mark.parametrize("first", ["station", "CP-0", "CP-01", "CP-100000"])
def test_many_need_a_number_to_count_from(first):
    with pytest.raises(SettingsError, match="does not end in a number"):
        on_from(first, 2)


def test_many_have_no_socketcan():
    with pytest.raises(SettingsError, match="CAN_SOCKETCAN"):
        places(CHARGE_POINT_ID="CP-1", CHARGE_POINTS="2", CAN_SOCKETCAN="can0")


@pytest.mark.parametrize(("count", "each"), [(1, 50_000), (10, 5000), (1000, LEAST_QUEUED)])
def test_they_share_the_bound_of_the_queue(count, each):
    assert read(Settings, {"CHARGE_POINTS": str(count)}).queued_each == each


def test_each_remembers_under_names_of_its_own_and_the_first_as_one_alone(tmp_path):
    store = Store(tmp_path / "state.sqlite")
    second = store.scoped("CP-2")
    store.save("operative", False)
    second.save("operative", True)
    first_queue, second_queue = TransactionQueue(store, 2), TransactionQueue(second, 2)
    second_queue.append("MeterValues", "b", {"n": 1})
    for number in range(3):
        first_queue.append("MeterValues", "a", {"n": number})
    assert (first_queue.dropped, second_queue.dropped) == (1, 0)
    store.close()
    again = Store(tmp_path / "state.sqlite")
    assert again.load("operative", bool, default=True) is False
    assert again.scoped("CP-2").load("operative", bool, default=False) is True
    queues = TransactionQueue(again, 2), TransactionQueue(again.scoped("CP-2"), 2)
    assert [len(queue) for queue in queues] == [2, 1]
    assert [queue.head().payload["n"] for queue in queues] == [1, 1]
    assert TransactionQueue(again.scoped("CP-3"), 2).head() is None
    again.close()


def test_an_older_versions_queue_is_the_first_ones(tmp_path):
    with sqlite3.connect(tmp_path / "state.sqlite") as old:
        old.executescript("""
            CREATE TABLE messages (
              id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, local_id TEXT NOT NULL,
              payload TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0);
            CREATE INDEX droppable ON messages (id) WHERE action = 'MeterValues';
            INSERT INTO messages (action, local_id, payload)
              VALUES ('StartTransaction', 'a', '{"idTag": "x"}');
        """)
    old.close()
    store = Store(tmp_path / "state.sqlite")
    queued = TransactionQueue(store, 100).head()
    assert (queued.action, queued.payload) == ("StartTransaction", {"idTag": "x"})
    store.close()


async def test_so_many_are_in_the_door_at_once_and_who_is_through_lets_the_next_one_in():
    door, inside, most = Door(2), 0, 0

    async def one(*, fails):
        nonlocal inside, most
        async with Passage(door) as passage:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            if fails:
                raise OSError("refused")
            passage.through()
            passage.through()

    async with asyncio.timeout(60):
        await asyncio.gather(*(one(fails=number % 3 == 0) for number in range(20)), return_exceptions=True)
        assert most == 2
        async with Passage(door), Passage(door):
            pass
    assert door.places._value == 2
