"""False and recorded readings on the bus, beside a module's and in its place; losses and ramps are none."""

import heapq
import random
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from charger.ramp import Ramp
from contracts import can_frames
from contracts.events import CanFrameSeen, Event
from detector_parts import RAMPS, START_AT, at, frame_seen, module_frames, told
from memorybank.detectors.reading_replay import ReadingReplay
from memorybank.detectors.reading_spoof import ReadingSpoof


def merged(*streams: Iterable[CanFrameSeen]) -> Iterator[CanFrameSeen]:
    return heapq.merge(*streams, key=lambda event: event.at)


def steady(seconds: range, current_a: float = 80.0) -> list[tuple[float, float]]:
    return [(float(second), current_a) for second in seconds]


def spoofed(begin_s: int, end_s: int, current_a: float, every_s: float = 1.0) -> Iterator[CanFrameSeen]:
    second = begin_s + 0.43
    while second < end_s:
        yield frame_seen(second, can_frames.reading(current_a))
        second += every_s


def ramped(ramp: Ramp) -> Iterator[tuple[float, float]]:
    """Up and down every 20 s."""
    current_a = 0.0
    for step in range(6000):
        current_a = ramp.moved(current_a, 120.0 if step // 200 % 2 else 3.0, 0.1)
        if step % 10 == 0:
            yield step / 10, current_a


@pytest.mark.parametrize(
    ("false_a", "every_s", "within_s"), [(0.0, 1.0, 6), (160.0, 1.0, 6), (82.0, 1.0, 6), (0.0, 3.0, 10)]
)
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_false_readings_beside_the_true_ones_are_spoofed(
    false_a: float, every_s: float, within_s: float, loss: float
) -> None:
    """A constant, a double, one that is nearly right: within seconds, and not named a replay."""
    frames = list(merged(module_frames(steady(range(90)), loss=loss), spoofed(60, 90, false_a, every_s)))
    found = told(ReadingSpoof(), frames)
    assert 60 < found[0].second <= 60 + within_s + 3 * (loss > 0)
    assert {told.sign.kind for told in found} == {"can-reading-spoof"}
    assert found[-1].sign.deviation == pytest.approx(abs(false_a - 80.0), abs=3.0) or abs(false_a - 80.0) < 5
    assert found[0].sign.severity == ("critical" if abs(false_a - 80) > 150 else "warning")
    assert told(ReadingReplay(), frames) == []
    after = list(merged(module_frames(steady(range(150)), loss=loss), spoofed(60, 90, false_a, every_s)))
    assert told(ReadingSpoof(), after)[-1].second <= 110


def test_false_readings_of_an_idle_module_are_seen_by_their_rate() -> None:
    """Nothing differs, there are only too many."""
    frames = merged(module_frames(steady(range(60), 0.0)), spoofed(30, 60, 0.0))
    found = told(ReadingSpoof(), frames)
    assert 30 < found[0].second <= 40
    assert "0x300 comes" in found[0].sign.explanation


def test_false_readings_in_place_of_a_silent_module() -> None:
    """0x301 comes no more, 0x300 does."""
    frames = merged(module_frames(steady(range(60))), spoofed(60, 90, 80.0))
    found = told(ReadingSpoof(), frames)
    assert 60 < found[0].second <= 70


def test_a_plain_module_may_be_spoofed_too() -> None:
    """One that has no 0x301 is known by its rate alone."""
    true = [frame_seen(float(second), can_frames.reading(50.0)) for second in range(60)]
    assert told(ReadingSpoof(), true) == []
    assert told(ReadingSpoof(), merged(true, spoofed(30, 60, 50.0)))


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("detector", [ReadingSpoof(), ReadingReplay()])
def test_a_module_on_its_ramps_is_believed(
    detector: ReadingSpoof | ReadingReplay, ramp: Ramp, loss: float
) -> None:
    """Ten minutes of swings, frames lost one by one."""
    assert told(detector, module_frames(ramped(ramp), loss=loss)) == []


@pytest.mark.parametrize("noise_a", [0.06, 0.3])
def test_hours_of_noise_never_repeat(noise_a: float) -> None:
    """A steady current on a good sensor."""
    frames = module_frames(steady(range(4 * 3600), 32.0), noise_a=noise_a)
    assert told(ReadingReplay(), frames) == []


def test_a_sensor_without_noise_repeats_itself() -> None:
    """Which is no replay."""
    assert told(ReadingReplay(), module_frames(steady(range(900)), noise_a=0.0)) == []


def test_a_late_host_bunches_frames() -> None:
    """Three seconds of frames at once, again and again: no more than a module sends."""
    seconds = [(second if second % 10 > 2 else second // 10 * 10 + 2.9, 50.0) for second in range(300)]
    frames = list(module_frames(seconds))
    assert told(ReadingSpoof(), frames) == []
    assert told(ReadingReplay(), frames) == []


def replayed(record: list[CanFrameSeen], begin_s: float, end_s: float) -> Iterator[CanFrameSeen]:
    """Return the record's frames again and again."""
    first, length_s = record[0].at, (record[-1].at - record[0].at).total_seconds() + 1.0
    loop_s = begin_s
    while loop_s < end_s:
        for frame in record:
            yield structs.replace(frame, at=at(loop_s) + (frame.at - first))
        loop_s += length_s


def test_a_replay_beside_the_module_doubles_its_frames() -> None:
    """All of them, so it is not a mere spoof."""
    true = list(module_frames(steady(range(120))))
    record = [frame for frame in true if frame.at < START_AT + timedelta(seconds=30)]
    frames = list(merged(true, replayed(record, 60.4, 120.0)))
    found = told(ReadingReplay(), frames)
    assert 60 < found[0].second <= 68
    after = merged(module_frames(steady(range(200))), replayed(record, 60.4, 120.0))
    assert told(ReadingReplay(), after)[-1].second <= 140
    assert told(ReadingSpoof(), frames) == []


@pytest.mark.parametrize("length_s", [15, 60, 300])
def test_a_replay_in_place_of_the_module_repeats_itself(length_s: int) -> None:
    """Known as soon as ten values came again."""
    record = list(module_frames(steady(range(length_s))))
    found = told(ReadingReplay(), replayed(record, 0.0, 2.0 * length_s + 30))
    assert length_s < found[0].second <= length_s + 18
    assert found[0].sign.pattern["before"] == length_s
    assert "12 values of 0x301 in a row came in the same order" in found[0].sign.explanation


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-1e4, 1e8),
            st.sampled_from([0x200, 0x210, 0x300, 0x301, 0x302, 0x7FF]),
            st.binary(max_size=8),
        ),
        max_size=60,
    ),
    st.integers(1, 60),
)
def test_no_frames_break_them(frames: list[tuple[float, int, bytes]], repeats: int) -> None:
    """Whatever arrives, in whatever order: the same frames give the same signs."""
    events: list[Event] = [
        CanFrameSeen(at=at(second), charge_point_id="CP-1", connector=1, can_id=can_id, data=data.hex())
        for second, can_id, data in frames * min(repeats, 20)
    ]
    for detector in (ReadingSpoof(), ReadingReplay()):
        assert told(detector, events) == told(detector, events)


def test_the_history_is_bounded() -> None:
    """However long it runs."""
    detector = ReadingReplay(remembered=50)
    state = detector.start(None)  # type: ignore[arg-type]
    rng = random.Random(1)
    for second in range(200):
        for frame in module_frames([(float(second), rng.uniform(10, 50))]):
            detector.step(state, frame)
    assert len(state.history) == 67
