"""Which detectors run: found by themselves, turned off and set by a TOML file, wrong ones refused by name."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from chassis.settings import SettingsError, read
from contracts.events import Event, Reading
from memorybank.detector import AnyDetector, Layer, Place, Scope, Sign
from memorybank.detector_configuration import LAYERS, configured, digest, load, overridden
from memorybank.detectors import found
from memorybank.settings import Settings

NEEDED = {
    "DATABASE_URL": "postgresql://w@h/d",
    "DATABASE_READER_URL": "postgresql://r@h/d",
    "MQTT_HOST": "h",
}


@dataclass(frozen=True, slots=True)
class Steady:
    """A detector with a threshold of every type."""

    gate_a: float = 5.0
    times: int = 3
    both_ways: bool = True
    floor_c: float = -40.0
    slack_s: float = 0.0
    periods_s: tuple[float, ...] = (4.0, 8.0)
    rated_a: float = 300.0
    name: ClassVar[str] = "steady"
    layer: ClassVar[Layer] = "residual"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading,)

    def __post_init__(self) -> None:
        if self.gate_a >= self.rated_a:
            raise ValueError("gate_a must be below rated_a")

    def start(self, place: Place) -> Place:
        return place

    def step(self, _state: Place, _event: Any) -> Sign | None:
        return None

    def tick(self, _state: Place, _now: datetime) -> Sign | None:
        return None


@dataclass(frozen=True, slots=True)
class Other(Steady):
    """Another, of another layer."""

    name: ClassVar[str] = "other"
    layer: ClassVar[Layer] = "fleet"


BOTH: tuple[AnyDetector, ...] = (Steady(), Other())


def test_every_detector_is_found_once_and_well_formed() -> None:
    """A name, a layer, a scope, types of events, and a start that works."""
    detectors = found()
    names = [detector.name for detector in detectors]
    assert "reversals" in names
    assert len(set(names)) == len(names)
    for detector in detectors:
        assert detector.layer in LAYERS
        assert detector.takes
        assert all(issubclass(kind, Event) for kind in detector.takes)
        detector.start(Place("CP-1", 1))


def test_what_is_not_said_stays() -> None:
    assert configured("", BOTH) == BOTH
    assert load("", BOTH) == BOTH


def test_a_file_sets_thresholds_and_turns_off(tmp_path: Path) -> None:
    """Whole numbers are numbers too; lists are tuples."""
    path = tmp_path / "detectors.toml"
    path.write_text(
        "[steady]\ngate_a = 7\nperiods_s = [4, 16.0]\nboth_ways = false\nfloor_c = -10\nslack_s = 0\n"
        "[other]\nenabled = false\n"
    )
    wanted = Steady(gate_a=7.0, periods_s=(4.0, 16.0), both_ways=False, floor_c=-10.0)
    assert load(str(path), BOTH) == (wanted,)


def test_a_layer_is_off_when_it_is_not_named() -> None:
    assert configured('layers = ["fleet"]', BOTH) == (Other(),)
    assert configured("layers = []", BOTH) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[steady]\ngate_a = \n", "detectors.toml: .*line 2"),
        ("[stedy]\n", r"\[stedy\]: no detector; there are steady, other"),
        ("[steady]\ngate = 5\n", r"steady\.gate: no such threshold; there are gate_a, times"),
        ("[steady]\ngate_a = '5'\n", r"steady\.gate_a: a number, not '5'"),
        ("[steady]\ngate_a = nan\n", r"steady\.gate_a: a number, not nan"),
        ("[steady]\ngate_a = 0\n", r"steady\.gate_a: above 0, not 0"),
        ("[steady]\nfloor_c = 1\n", r"steady\.floor_c: below 0, not 1"),
        ("[steady]\nslack_s = -1\n", r"steady\.slack_s: 0 or more, not -1"),
        ("[steady]\ntimes = 3.5\n", r"steady\.times: a whole number, not 3\.5"),
        ("[steady]\ntimes = true\n", r"steady\.times: a whole number, not True"),
        ("[steady]\nboth_ways = 1\n", r"steady\.both_ways: true or false, not 1"),
        ("[steady]\nperiods_s = 4\n", r"steady\.periods_s: a list, not 4"),
        ("[steady]\nperiods_s = [4, 0]\n", r"steady\.periods_s: a list, each above 0, not \[4, 0\]"),
        ("[steady]\nenabled = 'no'\n", r"steady\.enabled: true or false"),
        ("[steady]\ngate_a = 400\n", r"steady: gate_a must be below rated_a"),
        ("steady = 3\n", r"write it as a table, \[steady\]"),
        ("layers = ['consistent']\n", "layers: a list of consistency, residual, periodicity, fleet"),
        ("layers = 'fleet'\n", "layers: a list of"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as error:
        configured(text, BOTH, "detectors.toml")
    assert str(error.value).startswith("detectors.toml: ")


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"steady\.gate: .*other\.times: "):
        configured("[steady]\ngate = 5\n[other]\ntimes = 0\n", BOTH)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml.*No such file"):
        load(str(tmp_path / "missing.toml"), BOTH)


def test_the_digest_is_of_the_values_alone() -> None:
    """Whatever the order; another threshold or a detector less is another configuration."""
    assert digest(BOTH) == digest(reversed(BOTH))
    assert len({digest(BOTH), digest(BOTH[:1]), digest((Steady(times=4), Other()))}) == 3


def test_settings_go_before_the_file(tmp_path: Path) -> None:
    """RATED_CURRENT_A is every detector's `rated_a`; what is not given leaves the file's word."""
    path = tmp_path / "detectors.toml"
    path.write_text("[reversals]\ngate_a = 7\nrated_a = 50\n")
    given = {"DETECTOR_SETTINGS": str(path), "RATED_CURRENT_A": "125", "REVERSAL_THRESHOLD": "12"}
    (reversals,) = [d for d in read(Settings, NEEDED | given).detectors() if d.name == "reversals"]
    assert (reversals.gate_a, reversals.threshold, reversals.rated_a) == (7.0, 12, 125.0)  # type: ignore[attr-defined]
    assert overridden(BOTH, {("*", "rated_a"): 32.0})[1] == Other(rated_a=32.0)
    with pytest.raises(SettingsError, match="gate_a must be below"):
        overridden(BOTH, {("*", "rated_a"): 4.0})


def test_a_wrong_file_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "detectors.toml"
    path.write_text("[reversals]\ngate = 7\n")
    with pytest.raises(SettingsError, match=r"detectors\.toml: reversals\.gate: no such threshold"):
        read(Settings, NEEDED | {"DETECTOR_SETTINGS": str(path)})
