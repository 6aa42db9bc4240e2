"""What the detectors of swings stand on: turns, cadences, limits that were sent, onsets, when to tell."""

import math
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Reading
from detector_parts import RAMPS, Connector, at, command, limit, reading, start, stop
from memorybank.detector import Place
from memorybank.detectors.cadence import KEEP, Cadence
from memorybank.detectors.moments import added, currents, instants, none
from memorybank.detectors.onsets import Onset, Onsets
from memorybank.detectors.sent_limits import SentLimits
from memorybank.detectors.telling import Telling
from memorybank.detectors.zigzag import ZigZag

numbers = st.floats(-1e6, 1e6)


def test_turns_are_counted_beyond_the_gate() -> None:
    """Each extreme once, with its instant; what does not come back by the gate is none."""
    zigzag = ZigZag(gate_a=10.0, keep=8)
    turned = [zigzag.step(second, a) for second, a in enumerate([0, 50, 45, 50, 20, 25, 19, 60, 55])]
    assert [second for second, has in enumerate(turned) if has] == [4, 7]
    assert list(zigzag.turn_a) == [50.0, 19.0]
    assert list(zigzag.at_s) == [1.0, 6.0]


@given(st.lists(numbers, max_size=60), st.floats(0.1, 100))
def test_a_quiet_current_needs_no_step(series: list[float], gate_a: float) -> None:
    """Leaving out the steps that the zigzag calls quiet changes nothing."""
    all_steps, some_steps = ZigZag(gate_a, 10), ZigZag(gate_a, 10)
    for second, current_a in enumerate(series):
        all_steps.step(second, current_a)
        if not some_steps.quiet_from_a <= current_a <= some_steps.quiet_to_a:
            some_steps.step(second, current_a)
    assert all_steps.turn_a == some_steps.turn_a
    assert len(all_steps.turn_a) <= 10


@given(st.lists(numbers, max_size=60))
def test_turns_are_extremes_and_alternate(series: list[float]) -> None:
    """High, low, high: each apart from the one before by the gate at least."""
    zigzag = ZigZag(5.0, 100)
    for second, current_a in enumerate(series):
        zigzag.step(second, current_a)
    turns = list(zigzag.turn_a)
    assert all(abs(b - a) >= 5.0 - 1e-6 for a, b in pairwise(turns))
    assert all((b - a) * (c - b) < 0 for a, b, c in zip(turns, turns[1:], turns[2:], strict=False))


def test_moments_take_no_more_than_is_kept() -> None:
    """Whoever has none yet shares them, and is not changed by who has; the oldest is forgotten."""
    moments = none()
    for second in range(30):
        moments = added(moments, float(second), 100.0 + second, keep=9)
        kept = range(max(0, second - 8), second + 1)
        assert list(instants(moments)) == list(kept)
        assert list(currents(moments)) == [100.0 + each for each in kept]
        assert sys.getsizeof(moments) == sys.getsizeof(moments[:])
    assert not none()


def noted(*changes: tuple[float, float]) -> Cadence:
    cadence = Cadence(step_a=8.0, tolerance_s=0.5)
    for second, wish_a in changes:
        cadence.note(second, wish_a)
    return cadence


def test_a_regular_wish_has_a_run_and_a_period() -> None:
    """Up for 2 s of 8 s: each change adds to the run."""
    cadence = noted((0, 0), (3, 100), (5, 0), (11, 100), (13, 0), (19, 100))
    assert (cadence.run, cadence.period_s, cadence.since_s) == (5, pytest.approx(8.0), 3)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([(0, 0), (3, 100), (5, 0), (14, 100), (19, 0)], id="irregular"),
        pytest.param([(0, 16), (3, 22), (5, 16), (11, 22), (13, 16)], id="small"),
        pytest.param([(0, 0), (3, 40), (5, 60), (11, 80), (13, 100)], id="one-way"),
    ],
)
def test_what_is_no_cadence_has_no_run(changes: list[tuple[float, float]]) -> None:
    """Irregular, small, or only up."""
    assert noted(*changes).run < 4


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 400)), max_size=40))
def test_a_cadence_stays_bounded(changes: list[tuple[float, float]]) -> None:
    """Whatever is wished, in whatever order."""
    cadence = noted(*changes)
    assert len(cadence.at_s) == len(cadence.to_a) <= KEEP
    assert 0 <= cadence.run <= KEEP
    assert math.isfinite(cadence.period_s)


def test_limits_that_were_sent_lead_as_ocpp_has_it() -> None:
    """The highest level counts, the station's own on top; what was refused or cleared does not."""
    limits = SentLimits()
    limits.note(limit(0, 63.0), 400.0)
    assert limits.limit_a == 63.0
    limits.note(limit(1, 6.0, level=5), 400.0)
    assert limits.limit_a == 6.0
    limits.note(command(2, "ClearChargingProfile", id=6), 400.0)
    assert limits.limit_a == 63.0
    limits.note(command(3, "ClearChargingProfile"), 400.0)
    assert limits.limit_a is None


@pytest.mark.parametrize(
    ("voltage_v", "limit_a"), [(400.0, 10.0), (0.0, pytest.approx(26.7, abs=0.1)), (230.0, 5.8)]
)
def test_watts_become_amperes(voltage_v: float, limit_a: float) -> None:
    """Of direct current, of alternating current in three phases."""
    sent = limit(0, 4000.0)
    sent.parameters["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"] = "W"
    limits = SentLimits()
    limits.note(sent, voltage_v)
    assert limits.limit_a == pytest.approx(limit_a, abs=0.1)


@given(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=3), max_size=3))
def test_nonsense_is_no_profile(parameters: dict[str, object]) -> None:
    """Commands carry what a foreign CSMS put into them."""
    limits = SentLimits()
    assert limits.note(command(0, "SetChargingProfile", csChargingProfiles=parameters), 400.0) is None
    assert limits.limit_a is None


def onsets_of(connector: Connector, *commands: object) -> list[Onset]:
    onsets = Onsets()
    found = []
    for event in connector.run(commands, 60):  # type: ignore[arg-type]
        onset = onsets.reading(event) if isinstance(event, Reading) else onsets.command(event)  # type: ignore[arg-type, func-returns-value]
        found += [onset] if onset else []
    return found


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("seed", range(5))
def test_a_movement_has_one_onset_near_its_command(ramp: object, seed: int) -> None:
    """Both ramp laws: one for the start, one for the stop, within two seconds, each with its command."""
    found = onsets_of(Connector(ramp=ramp, seed=seed), limit(1, 100.0), start(20), stop(40))  # type: ignore[arg-type]
    assert [(onset.direction, onset.is_whole) for onset in found] == [(1, True), (-1, True)]
    for onset, second in zip(found, (20, 40), strict=True):
        assert onset.command_s == at(second).timestamp()
        assert 0.0 <= onset.at_s - at(second).timestamp() <= 2.1


def test_a_taper_and_noise_have_no_onset() -> None:
    """1 A a second is a vehicle's taper."""
    found = onsets_of(Connector(takes_a=lambda second: max(5.0, 60.0 - second)), start(1))
    assert [onset.direction for onset in found] == [1]


def test_a_gap_hides_when_a_current_moved() -> None:
    """Except where it was nothing before: an idle connector may be silent."""
    onsets = Onsets()
    onsets.reading(reading(0, 0.0))
    assert onsets.reading(reading(600, 32.0)) is not None
    assert onsets.reading(reading(1200, 0.0)) is None


def test_the_sum_follows_every_reading() -> None:
    """What is late does not count twice."""
    onsets = Onsets()
    for second, watts in ((0, 0.0), (1, 5000.0), (2, 7000.0), (1, 100.0)):
        onsets.reading(reading(second, watts / 400, power_w=watts))
        onsets.reading(reading(second, 10.0, power_w=1000.0, charge_point_id="CP-2"))
    assert onsets.total_w == 8000.0


def test_what_lasts_is_told_every_ten_seconds() -> None:
    """And since when: anew after a minute of calm."""
    telling = Telling()
    told = [second for second in range(100, 131) if telling.is_due(second, 95.0)]
    assert told == [100, 110, 120, 130]
    assert telling.is_due(131 + 61, 191.0)
    assert telling.since_s == 191.0


def test_detectors_of_a_place_share_a_core() -> None:
    """One of its kind, which takes each event once, whoever gives it again; another place has its own."""
    place = Place("CP-1", 1)
    onsets, limits = place.core(Onsets), place.core(SentLimits)
    assert place.core(Onsets) is onsets
    assert place.core(SentLimits) is limits
    assert Place("CP-1", 1).core(Onsets) is not onsets
    rest, rise = reading(0, 0.0, power_w=0.0), reading(1, 30.0, power_w=9000.0)
    assert onsets.reading(rest) is None
    onset = onsets.reading(rise)
    assert onset is not None
    assert onsets.reading(rise) is onset
    assert onsets.total_w == 9000.0
