"""A drift for days: found each day, and not learned, even where nobody tells of it."""

from pathlib import Path

import pytest

from csms import scenario_file
from lab.score import learned, report
from lab.score.learned import Course
from memorybank.baselines import CORRIDOR
from memorybank.detectors.stealth_drift import DETECTOR

DRIFT = scenario_file.load_directory(Path(__file__).parents[3] / "scenarios")[0]["stealth-drift"]


@pytest.fixture(scope="module")
def section():
    """Five hours of charging take some seconds: fewer sessions would leave the memory young."""
    return learned.lived(DRIFT, Course(drifting_days=2, session_s=640.0), (DETECTOR,))


def test_every_run_is_found_on_every_day(section):
    found = [(day["events"], day["detected"], day["named"]) for day in section["days"]]
    assert found == [(3, 3, 3), (3, 3, 3)]
    first, last = (day["delay_from_command_s"]["median"] for day in section["days"])
    assert first == pytest.approx(last, abs=15)


def test_nothing_of_it_is_learned(section):
    assert (section["learned_sessions"], section["refused_sessions"]) == (21, 6)
    assert {metric["moved_sd"] for metric in section["metrics"]} == {0.0}


def test_untold_it_pulls_and_is_bounded(section):
    """It would be learned where the learning had no bounds: there is something to be bounded."""
    (limit,) = [metric for metric in section["metrics"] if metric["metric"] == "commanded_a"]
    assert limit["untold_recent_mean"] < limit["mean_before"]
    assert -1.1 * CORRIDOR < limit["untold_moved_sd"] < 0


def test_the_report_tells_it(section):
    words = report.learning_words(section)
    assert "6 of 6 runs were found, 3 of 3 on day 2" in words
