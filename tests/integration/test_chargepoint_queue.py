"""The queue of transaction messages on a real file."""

import asyncio

import pytest

from chargepoint.store import Store, StoreUnavailable
from chargepoint.transaction_queue import UNKNOWN_TRANSACTION_ID, TransactionQueue


@pytest.fixture
def open_queue(tmp_path):
    stores = []

    def opened(max_messages=100):
        while stores:  # as a process that is no more
            stores.pop().close()
        stores.append(Store(tmp_path / "state.sqlite"))
        return TransactionQueue(stores[-1], max_messages)

    yield opened
    for store in stores:
        store.close()


def take_all(queue):
    """Deliver everything; return (action, payload) in order."""
    taken = []
    while (queued := queue.head()) is not None:
        taken.append((queued.action, queued.payload))
        queue.delivered(queued)
    return taken


def charge(queue, local_id, meter_values=2):
    queue.append("StartTransaction", local_id, {"idTag": local_id})
    for number in range(meter_values):
        queue.append("MeterValues", local_id, {"n": number})
    queue.append("StopTransaction", local_id, {"meterStop": 9})


def test_messages_leave_in_order(open_queue):
    queue = open_queue()
    charge(queue, "a")
    charge(queue, "b", meter_values=0)
    actions = [action for action, _ in take_all(queue)]
    assert actions == [
        "StartTransaction",
        "MeterValues",
        "MeterValues",
        "StopTransaction",
        "StartTransaction",
        "StopTransaction",
    ]


def test_the_csmss_transaction_id_is_put_in(open_queue):
    queue = open_queue()
    charge(queue, "a")
    queue.delivered(queue.head(), transaction_id=77)
    assert [payload["transactionId"] for _, payload in take_all(queue)] == [77, 77, 77]


def test_everything_survives_a_restart_the_id_too(open_queue):
    queue = open_queue()
    charge(queue, "a")
    queue.delivered(queue.head(), transaction_id=77)
    queue = open_queue()
    assert len(queue) == 3
    assert take_all(queue) == [
        ("MeterValues", {"n": 0, "transactionId": 77}),
        ("MeterValues", {"n": 1, "transactionId": 77}),
        ("StopTransaction", {"meterStop": 9, "transactionId": 77}),
    ]


def test_a_start_that_was_given_up_leaves_a_stop_with_an_unknown_id(open_queue):
    queue = open_queue()
    charge(queue, "a", meter_values=1)
    queue.delivered(queue.head())
    assert take_all(queue) == [
        ("MeterValues", {"n": 0}),
        ("StopTransaction", {"meterStop": 9, "transactionId": UNKNOWN_TRANSACTION_ID}),
    ]


def test_when_full_the_oldest_meter_values_go_and_are_counted(open_queue):
    queue = open_queue(max_messages=4)
    charge(queue, "a", meter_values=6)
    assert (len(queue), queue.dropped) == (4, 4)
    assert [payload.get("n") for _, payload in take_all(queue)] == [None, 4, 5, None]


def test_meter_values_that_made_room_on_their_way_are_delivered_once(open_queue):
    queue = open_queue(max_messages=2)
    queue.append("MeterValues", "a", {"n": 0})
    sent = queue.head()
    queue.append("MeterValues", "a", {"n": 1})
    queue.append("MeterValues", "a", {"n": 2})
    queue.delivered(sent)
    assert (len(queue), queue.dropped) == (2, 1)
    assert [payload["n"] for _, payload in take_all(queue)] == [1, 2]
    assert len(queue) == len(open_queue()) == 0


def test_messages_of_several_and_of_another_process_are_told_apart(tmp_path):
    path = tmp_path / "state.sqlite"
    store = Store(path, gathers=True)
    for round_ in range(2):
        queues = [TransactionQueue(each, 100) for each in (store, store.scoped("b"))]
        for n in range(2):
            for queue in queues:
                queue.append("MeterValues", "a", {"n": n, "of": queues.index(queue), "round": round_})
        store.close()
        store = Store(path, gathers=True)
        queues = [TransactionQueue(each, 100) for each in (store, store.scoped("b"))]
        assert [len(queue) for queue in queues] == [2, 2]
        for of, queue in enumerate(queues):
            told = [payload for _, payload in take_all(queue)]
            assert told == [{"n": n, "of": of, "round": round_} for n in range(2)]
        store.commit()
    store.close()


def test_starts_and_stops_are_never_dropped(open_queue):
    queue = open_queue(max_messages=4)
    for number in range(10):
        charge(queue, str(number), meter_values=0)
    assert (len(queue), queue.dropped) == (20, 0)


def test_refusals_are_counted_over_a_restart(open_queue):
    queue = open_queue()
    charge(queue, "a")
    assert queue.refused(queue.head()) == 1
    queue = open_queue()
    assert queue.refused(queue.head()) == 2


async def test_waiting_for_a_message_and_for_none(open_queue):
    queue = open_queue()
    waiting = asyncio.create_task(queue.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    charge(queue, "a", meter_values=0)
    async with asyncio.timeout(1):
        assert (await waiting).action == "StartTransaction"
        emptied = asyncio.create_task(queue.emptied())
        await asyncio.sleep(0)
        take_all(queue)
        await emptied


def test_what_is_saved_together_is_lost_together(open_queue):
    queue = open_queue()
    store = queue._store
    with pytest.raises(RuntimeError), store.atomically():  # noqa: PT012
        queue.append("StartTransaction", "a", {})
        store.save("connector/1", {"charging": True})
        raise RuntimeError("the power went")
    queue = open_queue()
    assert len(queue) == 0
    assert queue._store.load("connector/1", dict, {}) == {}


def test_what_an_older_version_left_unreadable_is_left_out(open_queue):
    store = open_queue()._store
    store.save("configuration", ["no", "mapping"])
    assert store.load("configuration", dict[str, str], {"default": "1"}) == {"default": "1"}


def test_two_processes_cannot_share_the_file(open_queue, tmp_path):
    open_queue()
    with pytest.raises(StoreUnavailable, match=r"state\.sqlite: database is locked"):
        Store(tmp_path / "state.sqlite", wait_s=0.05)


def test_a_broken_file_is_put_aside(tmp_path):
    (tmp_path / "state.sqlite").write_bytes(b"no database" * 100)
    store = Store(tmp_path / "state.sqlite")
    assert store.load("operative", bool, default=True) is True
    store.close()
    assert (tmp_path / "state.sqlite.broken").exists()


def killed(store):
    """Close the file as a killed process would: what is not committed is gone."""
    store.db.close()


def test_what_may_wait_is_kept_by_the_next_commit_and_by_what_may_not_wait(tmp_path):
    store = Store(tmp_path / "state.sqlite", gathers=True)
    for name, keep in (("committed", store.commit), ("with another", lambda: store.save("operative", False))):
        with store.atomically(soon=True):
            store.save(name, 1)
        keep()
    with store.atomically(soon=True):
        store.save("waiting", 1)
    assert store.load("waiting", int, 0) == 1
    killed(store)
    store = Store(tmp_path / "state.sqlite")
    names = ("committed", "with another", "operative", "waiting")
    assert [store.load(name, int | bool, 9) for name in names] == [1, 1, False, 9]
    with store.atomically(soon=True):
        store.save("waiting", 2)  # nobody gathers, so it does not wait
    killed(store)
    store = Store(tmp_path / "state.sqlite")
    assert store.load("waiting", int, 0) == 2
    store.close()


def test_inside_of_what_may_wait_something_that_may_not_keeps_all(tmp_path):
    store = Store(tmp_path / "state.sqlite", gathers=True)
    with store.atomically(soon=True):
        store.save("waiting", 1)
        with store.atomically():
            store.save("urgent", 1)
    killed(store)
    store = Store(tmp_path / "state.sqlite")
    assert [store.load(name, int, 0) for name in ("waiting", "urgent")] == [1, 1]
    store.close()


def test_what_breaks_takes_nothing_along_that_waits(tmp_path):
    store = Store(tmp_path / "state.sqlite", gathers=True)
    with store.atomically(soon=True):
        store.save("waiting", 1)
    with pytest.raises(RuntimeError), store.atomically(soon=True):  # noqa: PT012
        store.save("broken", 1)
        raise RuntimeError("a bug")
    store.close()
    store = Store(tmp_path / "state.sqlite")
    assert [store.load(name, int, 0) for name in ("waiting", "broken")] == [1, 0]
    store.close()


@pytest.mark.parametrize("looks", [False, True])
def test_what_is_read_inside_is_undone_with_the_rest(tmp_path, looks):
    store = Store(tmp_path / "state.sqlite", gathers=True)
    with store.atomically(soon=True):
        store.save("waiting", 1)
    with pytest.raises(RuntimeError), store.atomically(soon=True):  # noqa: PT012
        store.save("waiting", 2)
        if looks:  # which writes it
            assert store.load("waiting", int, 0) == 2
        store.save("waiting", 3)
        raise RuntimeError("a bug")
    assert store.load("waiting", int, 0) == 1
    with store.atomically(soon=True):
        store.save("waiting", 4)
    store.close()
    store = Store(tmp_path / "state.sqlite")
    assert store.load("waiting", int, 0) == 4
    store.close()


async def test_meter_values_are_told_once_they_are_kept_and_starts_at_once(tmp_path):
    store = Store(tmp_path / "state.sqlite", gathers=True)
    queue = TransactionQueue(store, 100)
    queue.append("StartTransaction", "a", {"idTag": "a"})
    async with asyncio.timeout(5):
        start = await queue.next()
        queue.append("MeterValues", "a", {"n": 0})
        queue.delivered(start, transaction_id=7)
        queue.append("MeterValues", "a", {"n": 1})
        waiting = asyncio.create_task(queue.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        store.commit()
        first = await waiting
        queue.delivered(first)
        second = await queue.next()
        queue.delivered(second)
    assert [one.payload for one in (first, second)] == [{"n": n, "transactionId": 7} for n in (0, 1)]
    killed(store)  # with both answers on their way to the disk: they are sent again
    store = Store(tmp_path / "state.sqlite")
    assert [payload["n"] for _, payload in take_all(TransactionQueue(store, 100))] == [0, 1]
    store.close()
