"""Waiting for one: what was set or put is seen, now or later; a cancelled waiter leaves no trace."""

import asyncio

import pytest

from chassis.waiting import Mailbox, Signal


async def begun(work) -> asyncio.Task:
    """Return a task that has come to its first wait."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    return task


async def test_who_waits_is_woken() -> None:
    signal = Signal()
    waiting = await begun(signal.wait())
    assert not waiting.done()
    signal.set()
    signal.set()
    async with asyncio.timeout(5):
        await waiting


async def test_what_was_set_before_is_not_waited_for_until_cleared() -> None:
    signal = Signal()
    signal.set()
    async with asyncio.timeout(5):
        await signal.wait()
        await signal.wait()
    signal.clear()
    waiting = await begun(signal.wait())
    assert not waiting.done()
    waiting.cancel()


async def test_after_a_cancelled_waiter_another_is_woken() -> None:
    signal = Signal()
    cancelled = await begun(signal.wait())
    cancelled.cancel()
    signal.set()  # before the cancelled one had its turn
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    signal.clear()
    waiting = await begun(signal.wait())
    signal.set()
    async with asyncio.timeout(5):
        await waiting


async def test_a_second_waiter_is_refused() -> None:
    signal = Signal()
    waiting = await begun(signal.wait())
    with pytest.raises(RuntimeError, match="waits for this already"):
        await signal.wait()
    signal.set()
    async with asyncio.timeout(5):
        await waiting


async def test_items_are_taken_in_order_by_who_waits_and_by_who_comes_later() -> None:
    mailbox: Mailbox[int] = Mailbox(3)
    waiting = await begun(mailbox.take())
    assert all(mailbox.put(item) for item in (1, 2, 3))
    async with asyncio.timeout(5):
        assert [await waiting, await mailbox.take(), await mailbox.take()] == [1, 2, 3]


async def test_a_full_mailbox_takes_nothing_until_there_is_room() -> None:
    mailbox: Mailbox[int] = Mailbox(2)
    assert [mailbox.put(item) for item in (1, 2, 3)] == [True, True, False]
    async with asyncio.timeout(5):
        assert await mailbox.take() == 1
        assert mailbox.put(4)
        assert [await mailbox.take(), await mailbox.take()] == [2, 4]


async def test_what_a_cancelled_taker_did_not_take_stays() -> None:
    mailbox: Mailbox[int] = Mailbox(2)
    cancelled = await begun(mailbox.take())
    mailbox.put(1)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    async with asyncio.timeout(5):
        assert await mailbox.take() == 1
