"""Five minutes of the base scenario with five charge points: what every panel shows. `make soak`."""

import time
from collections.abc import Iterator

import pytest

from bench_process import BenchProcess, started_bench
from grafana_run import NOT_LEARNED_YET, empty_panels

RUN_S = 300.0


@pytest.fixture
def bench() -> Iterator[BenchProcess]:
    with started_bench(5) as running:
        running.wait_whole(60)
        yield running


@pytest.mark.soak
def test_every_panel_shows_five_minutes_or_says_in_words_why_not(bench: BenchProcess) -> None:
    """Of an attacked and of a benign charge point first, and of all."""
    time.sleep(RUN_S)  # the run's length is what was asked for
    names = [f"CP-{number}" for number in range(1, 6)]
    nothing_wrong = {
        "Set aside, newest": "Nothing was set aside in this time range",
        "Lost, number by number": "Nothing was lost in this time range",
    }
    assert empty_panels(bench, names) == {
        "pipeline-health": nothing_wrong,
        "learned-patterns": NOT_LEARNED_YET,
    }
    # Whether a benign one has no anomaly is the detectors' business; that its panels say so is ours.
    of_a_benign_one = empty_panels(bench, ["CP-2", *names])
    print("without data, with CP-2 chosen:")
    for dashboard, panels in of_a_benign_one.items():
        for title, words in panels.items():
            print(f"  {dashboard}: {title}: {words}")
    assert all(len(words.split()) >= 2 for panels in of_a_benign_one.values() for words in panels.values())
    for told in bench.query(
        "SELECT charge_point_id, severity, detected_at, explanation FROM dash.anomalies ORDER BY 1, 3"
    ):
        print(" ", *told)
