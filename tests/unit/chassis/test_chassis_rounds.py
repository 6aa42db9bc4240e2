"""What many do once a period: everyone's turn comes, spread over the period."""

import asyncio
import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.rounds import SLOTS, Rounds, slots_due


@given(st.integers(0, 10**6), st.integers(-1, 5 * SLOTS))
def test_what_is_due_ends_now_and_is_a_period_at_most(due: int, later: int) -> None:
    slots = slots_due(due, due + later)
    assert slots[-1] == max(due, due + later)
    assert len({slot % SLOTS for slot in slots}) == len(slots) == min(max(later, 0) + 1, SLOTS)


@given(st.integers(0, 10**6), st.lists(st.integers(0, SLOTS - 1), max_size=50))
def test_no_turn_is_left_out_or_comes_twice_while_nothing_is_a_period_late(due: int, late: list[int]) -> None:
    begun, done = due, []
    for each in late:
        slots = slots_due(due, due + each)
        done += slots
        due = slots[-1] + 1
    assert done == list(range(begun, due))


async def _run_until(rounds: Rounds, condition: asyncio.Event) -> None:
    task = asyncio.create_task(rounds.run())
    waiting = asyncio.create_task(condition.wait())
    await asyncio.wait([task, waiting], timeout=60, return_when=asyncio.FIRST_COMPLETED)
    for each in (task, waiting):
        each.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if not task.cancelled() and task.done():
        await task


async def test_everyone_has_turns_and_no_two_of_twenty_in_one_slot() -> None:
    rounds, turns, enough = Rounds(0.2), Counter(), asyncio.Event()

    def turn(number: int) -> None:
        turns[number] += 1
        if len(turns) == SLOTS and min(turns.values()) >= 2:
            enough.set()

    with contextlib.ExitStack() as stack:
        for number in range(SLOTS):
            stack.enter_context(rounds.joined(lambda number=number: turn(number)))
        assert [len(slot) for slot in rounds._slots] == [1] * SLOTS
        await _run_until(rounds, enough)
    assert enough.is_set()
    assert [len(slot) for slot in rounds._slots] == [0] * SLOTS


async def test_what_a_turn_raises_ends_the_rounds() -> None:
    rounds = Rounds(0.1)

    def broken() -> None:
        raise ValueError("a bug of ours")

    with rounds.joined(broken), pytest.raises(ValueError, match="a bug"):
        async with asyncio.timeout(60):
            await rounds.run()
