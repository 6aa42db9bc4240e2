"""What a service's tasks stand on: a steady beat and deadlines that say what was waited for."""

import asyncio

import pytest

from chassis import process


class Clock:
    """A loop's clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(process.asyncio, "get_running_loop", lambda: self)
        monkeypatch.setattr(process.asyncio, "sleep", self.sleep)

    def time(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


async def beats(clock: Clock, durations_s: list[float]) -> list[float]:
    """Return when each of the actions began that take so long."""
    began: list[float] = []

    def action() -> None:
        began.append(clock.now_s - 100.0)
        if len(began) > len(durations_s):
            raise StopIteration
        clock.now_s += durations_s[len(began) - 1]

    with pytest.raises(RuntimeError, match="StopIteration"):
        await process.every(1.0, action)
    return began


async def test_beat_does_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the action takes is no part of the period."""
    assert await beats(Clock(monkeypatch), [0.25, 0.5, 0.0, 0.75]) == [0.0, 1.0, 2.0, 3.0, 4.0]


async def test_late_beats_are_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await beats(Clock(monkeypatch), [3.5, 0.0, 0.0]) == [0.0, 3.5, 4.5, 5.5]


async def test_beat_ends_with_its_actions_failure() -> None:
    def action() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await process.every(0.01, action)


async def test_deadline_says_what_was_waited_for() -> None:
    with pytest.raises(TimeoutError, match=r"the broker: nothing within 0\.01 s"):
        async with process.deadline(0.01, "the broker"):
            await asyncio.Event().wait()


async def test_deadline_leaves_other_timeouts_alone() -> None:
    with pytest.raises(TimeoutError, match="of the peer"):
        async with process.deadline(60, "the broker"):
            raise TimeoutError("of the peer")


async def test_deadline_that_is_kept_is_not_noticed() -> None:
    async with process.deadline(60, "the broker"):
        await asyncio.sleep(0)


def test_clean_up_is_ended_before_the_container_engine_does_it() -> None:
    """Docker and Kubernetes send SIGKILL after 10 s and more."""
    assert process.SHUTDOWN_S < 10
