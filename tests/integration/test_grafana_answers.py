"""What the panels say of a run that is known: the right numbers, lanes and waves."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from msgspec import structs

import recorded_run
from contracts.events import FLEET as ALL
from grafana_frames import check_annotation, check_panel, check_variable
from grafana_memory import (
    DASHBOARDS,
    EVERYONE,
    LENGTHS,
    RUN,
    chosen,
    fleet,
    frame_of,
    live,
    numbers,
    opened,
    panel_named,
    remembered,
    rows_of,
)
from grafana_sql import Range
from memorybank import baselines
from memorybank.baselines import BY_NAME, Summary
from memorybank.learning import Version
from memorybank.store import Store
from memorybank.work import Work
from recorded_run import ATTACKED, IDLE, LOST, QUOTED

FLEET, LIVE = DASHBOARDS["fleet-overview"], DASHBOARDS["charge-point-live"]
EXPLORER, SESSIONS = DASHBOARDS["anomaly-explorer"], DASHBOARDS["sessions-and-energy"]
PATTERNS, PIPELINE = DASHBOARDS["learned-patterns"], DASHBOARDS["pipeline-health"]
WAVEFORM = "Waveform of the chosen anomaly, and of earlier ones like it"


@pytest.fixture(scope="module")
def memory(_shared_postgres):
    with remembered(*_shared_postgres) as memory:
        yield memory


@pytest.fixture
def judged(postgres):
    """Four anomalies of 10 s: 59 s and 61 s after a run's end, in a benign run, where nothing ran."""
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    end = datetime.now(UTC)
    with psycopg.connect(postgres.writer_url) as connection:
        for seq, (name, anomaly, late_s) in enumerate(
            [("CP-1", "wear", 59), ("CP-2", "wear", 61), ("CP-3", None, 0), ("CP-4", "nothing ran", 0)]
        ):
            run_ended_at = end - timedelta(minutes=20)
            for offset, phase in ((timedelta(minutes=10), "started"), (timedelta(0), "ended")):
                if name != "CP-4":
                    connection.execute(
                        "INSERT INTO truth.labels"
                        " VALUES (%s, %s, 1, %s, 'cycle', %s, %s, ARRAY[%s], '{}', 1)",
                        (run_ended_at - offset, 2 * seq + (phase == "ended"), name, anomaly, phase, name),
                    )
            started_at = run_ended_at + timedelta(seconds=late_s)
            connection.execute(
                "INSERT INTO memory.anomalies VALUES (gen_random_uuid(), %s, 1, 'wear', 'info', 'closed',"
                " %s, %s, %s, %s, 9, 8, 100, '{}', 'nine of eight')",
                (name, started_at, *3 * [started_at + timedelta(seconds=10)]),
            )
    with opened(postgres, end) as memory:
        yield memory


def test_the_base_scenario_is_annotated_to_the_end_of_the_range_while_it_goes_on(memory):
    (critical,) = [one for one in LIVE["annotations"]["list"] if one["name"] == "Critical anomalies"]
    frame = check_annotation(memory.grafana, critical, memory.last(LENGTHS["5 min"]), live("attacked"))
    begins, ends, texts, tags = frame.fields
    assert begins.values[0] < memory.end - timedelta(minutes=5)
    assert ends.values == [memory.end]
    assert "current reversed" in texts.values[0]
    assert tags.values == ["repeated-current-fluctuation,critical"]


def test_what_overlaps_is_one_region(memory):
    """Of a fleet a hundred regions over each other would hide the curve."""
    for name, text, in_a_month in (
        ("Critical anomalies", "2 anomalies on CP-1, CP-3", 1),
        ("Ground truth", "repeated-current-fluctuation on CP-1, CP-3", 2),
        ("Benign scenarios", "benign-charging on CP-2, CP-4", 1),
    ):
        (annotation,) = [one for one in FLEET["annotations"]["list"] if one["name"] == name]
        frame = check_annotation(memory.grafana, annotation, memory.last(RUN), fleet("all"))
        assert frame.fields[2].values == [text]
        month = check_annotation(
            memory.grafana, annotation, memory.last(LENGTHS["30 days"]), fleet("several")
        )
        assert month.rows == in_a_month


def test_the_charge_points_to_choose_are_all_that_were_seen(memory):
    (variable,) = [one for one in FLEET["templating"]["list"] if one["name"] == "charge_point"]
    assert set(check_variable(memory.grafana, variable, {})) == {*EVERYONE, ALL}


def test_the_connectors_to_choose_are_those_of_the_charge_point(memory):
    (variable,) = [one for one in LIVE["templating"]["list"] if one["name"] == "connector"]
    assert check_variable(memory.grafana, variable, {"charge_point": QUOTED}) == ["1", "2"]


def test_the_numbers_of_the_fleet_are_right(memory):
    everyone = fleet("all")
    assert numbers(memory, FLEET, "Online", everyone) == {"online": len(EVERYONE) - 1, "known": len(EVERYONE)}
    assert numbers(memory, FLEET, "Charging", everyone)["connectors"] == len(EVERYONE) + 1
    assert numbers(memory, FLEET, "Open anomalies", everyone) == {
        "critical": len(ATTACKED),
        "warning": 0,
        "info": 0,
    }
    age = numbers(memory, FLEET, "Age of readings", everyone)
    assert 0 <= age["newest"] <= age["oldest"]


def test_what_never_sent_a_reading_has_no_age(memory):
    """0 s would say the opposite."""
    (_, faulted) = rows_of(frame_of(memory, FLEET, "Charge points", {"charge_point": [QUOTED]}))
    assert faulted["reading_age_s"] is None
    nobody = frame_of(memory, FLEET, "Age of readings", {"charge_point": ["CP-never-seen"]})
    assert nobody.rows == 0
    assert frame_of(memory, LIVE, "Age of reading", live("quoted")).rows == 0


def test_the_states_show_the_lost_connection_and_the_fault(memory):
    panel = panel_named(FLEET, "States")
    chosen = {"charge_point": [LOST, QUOTED]}
    frame = check_panel(memory.grafana, panel, memory.last(LENGTHS["5 min"]), chosen)
    last = {
        (lane.labels["charge_point_id"], lane.labels["connector"]): lane.values[-1]
        for lane in frame.fields[1:]
    }
    assert last == {(LOST, "1"): 0, (QUOTED, "1"): 1, (QUOTED, "2"): 9}


def test_of_many_charge_points_nineteen_are_drawn_and_the_others_as_one(memory):
    panel = panel_named(FLEET, "Power by charge point")
    frame = check_panel(memory.grafana, panel, memory.last(LENGTHS["5 min"]), fleet("all"))
    names = {one.labels["charge_point_id"] for one in frame.fields[1:]}
    assert len(names) == 20
    assert {"CP-1", "CP-2", "CP-3", "CP-4", "all others"} <= names


def test_the_current_swings_from_zero_to_its_peak(memory):
    panel = panel_named(LIVE, "Current")
    frame = check_panel(memory.grafana, panel, memory.last(LENGTHS["5 min"]), live("attacked"))
    series = {one.name: [value for value in one.values if value is not None] for one in frame.fields[1:]}
    assert min(series["current"]) == 0
    assert max(series["current"]) > 85
    assert set(series["limit"]) == {0, 100}
    assert all(10 < mean < 40 for mean in series["mean of 60 s"])
    assert min(series["band, low"]) == 0
    assert min(series["band, high"]) > 50


def test_the_mean_looks_back_before_the_range(memory):
    """Its first point is no cold start."""
    panel = panel_named(LIVE, "Current")
    frame = check_panel(memory.grafana, panel, memory.last(timedelta(minutes=1)), live("attacked"))
    mean = next(one for one in frame.fields if one.name == "mean of 60 s")
    assert 10 < mean.values[0] < 40


def test_the_lanes_show_status_and_verdict(memory):
    panel = panel_named(LIVE, "Status and verdict")
    frame = check_panel(memory.grafana, panel, memory.last(RUN), live("attacked"))
    lanes = {one.name: [value for value in one.values if value is not None] for one in frame.fields[1:]}
    assert {3, 6} <= set(lanes["status"])
    assert lanes["verdict"][0] == 0
    assert lanes["verdict"][-1] == 3


def test_the_swing_carries_the_score_from_the_detection_on(memory):
    panel = panel_named(LIVE, "Swing, residual, score and threshold")
    frame = check_panel(memory.grafana, panel, memory.last(RUN), live("attacked"))
    swing, residual, score, threshold = frame.fields[1:]
    assert score.values[5] is None
    assert score.values[-1] >= threshold.values[-1] > 0
    assert swing.values[-1] > 85
    assert min(residual.values) < -10
    assert max(residual.values) > 40


def test_precision_and_recall_are_of_what_the_scenarios_say(memory):
    """CP-1 and CP-3 are provoked and found; the run of 20 days ago is another one."""
    everyone = chosen(memory, "anomaly-explorer", "all")
    assert numbers(memory, EXPLORER, "Precision", everyone) == {"precision": 1.0, "true": 2, "false": 0}
    assert numbers(memory, EXPLORER, "Recall", everyone) == {"recall": 1.0, "found": 2, "missed": 0}
    month = LENGTHS["30 days"]
    assert numbers(memory, EXPLORER, "Recall", everyone, month) == {"recall": 1.0, "found": 4, "missed": 0}
    delay = numbers(memory, EXPLORER, "Detection delay", everyone)
    assert 8 < delay["median"] < 30  # two periods of 8 s, by the commands


def test_an_anomaly_where_nothing_was_provoked_is_false_and_a_run_without_one_is_missed(judged):
    """Seen at the edges: an anomaly 59 s after a run's end is its own, one 61 s after it is not."""
    everyone = {"charge_point": ["CP-1", "CP-2", "CP-3", "CP-4"], "anomaly": ""}
    hour = timedelta(hours=1)
    assert numbers(judged, EXPLORER, "Precision", everyone, hour) == {
        "precision": 0.25,
        "true": 1,
        "false": 3,
    }
    assert numbers(judged, EXPLORER, "Recall", everyone, hour) == {"recall": 0.5, "found": 1, "missed": 1}
    told = rows_of(frame_of(judged, EXPLORER, "Anomalies", everyone, hour))
    assert {row["charge_point_id"]: row["judgement"] for row in told} == {
        "CP-1": "true alarm",
        "CP-2": "false alarm",
        "CP-3": "false alarm",
        "CP-4": "false alarm",
    }
    runs = rows_of(frame_of(judged, EXPLORER, "Runs of scenarios", everyone, hour))
    assert {row["charge_point_id"]: (row["judgement"], row["delay_s"]) for row in runs} == {
        "CP-1": ("found", 669),
        "CP-2": ("missed", None),
        "CP-3": ("false alarm", None),
    }


def test_truth_and_verdict_stand_side_by_side(memory):
    everyone = chosen(memory, "anomaly-explorer", "all")
    frame = frame_of(memory, EXPLORER, "Truth and verdict", everyone, RUN)
    lanes = {(lane.labels["charge_point_id"], lane.labels["lane"]): lane.values for lane in frame.fields[1:]}
    assert lanes.keys() >= {(name, lane) for name in ("CP-1", "CP-2") for lane in ("truth", "verdict")}
    assert len(lanes) == 20
    seen = {key: {code for code in codes if code is not None} for key, codes in lanes.items()}
    assert {6} <= seen["CP-1", "truth"] <= {4, 6}  # the run ended with the range
    assert seen["CP-1", "verdict"] == {0, 3}
    assert (seen["CP-2", "truth"], seen["CP-2", "verdict"]) == ({5}, {0})
    assert seen[IDLE[0], "truth"] == {4}


def test_what_is_of_the_fleet_is_judged_by_the_runs_of_several_charge_points(postgres):
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    end = datetime.now(UTC)
    began_at = end - timedelta(minutes=20)
    with psycopg.connect(postgres.writer_url) as connection:
        for seq, (run, places) in enumerate([("both", ["CP-1", "CP-2"]), ("one", ["CP-3"])]):
            at = began_at + seq * timedelta(minutes=10)
            for late, phase in ((timedelta(0), "started"), (timedelta(minutes=2), "ended")):
                connection.execute(
                    "INSERT INTO truth.labels VALUES (%s, %s, 1, %s, 'step', 'mass-step', %s, %s, '{}', 1)",
                    (at + late, 2 * seq + (phase == "ended"), run, phase, places),
                )
            connection.execute(
                "INSERT INTO memory.anomalies VALUES (gen_random_uuid(), %s, 0, 'step', 'info', 'closed',"
                " %s, %s, %s, %s, 9, 8, 100, '{}', 'two of two')",
                (ALL, at + timedelta(minutes=1), *3 * [at + timedelta(minutes=1, seconds=10)]),
            )
    with opened(postgres, end) as memory:
        everything, hour = {"charge_point": ["CP-1", "CP-2", "CP-3", ALL]}, timedelta(hours=1)
        precision = numbers(memory, EXPLORER, "Precision", everything, hour)
        assert precision == {"precision": 0.5, "true": 1, "false": 1}
        recall = numbers(memory, EXPLORER, "Recall", everything, hour)
        assert (recall["found"], recall["missed"]) == (2, 1)
        told = rows_of(frame_of(memory, EXPLORER, "Anomalies", everything, hour))
        assert sorted(row["judgement"] for row in told) == ["false alarm", "true alarm"]
        runs = rows_of(frame_of(memory, EXPLORER, "Runs of scenarios", everything, hour))
        assert {row["charge_point_id"]: row["judgement"] for row in runs} == {
            "CP-1": "found",
            "CP-2": "found",
            "CP-3": "missed",
        }
        lanes = frame_of(memory, EXPLORER, "Truth and verdict", everything, hour).fields[1:]
        assert {(ALL, "verdict")} <= {(lane.labels["charge_point_id"], lane.labels["lane"]) for lane in lanes}


def test_the_waveform_of_an_anomaly_stands_under_those_before_it(memory):
    """The one of 20 days ago is moved so that both begin together."""
    variables = chosen(memory, "anomaly-explorer", "one")
    frame = frame_of(memory, EXPLORER, WAVEFORM, variables, timedelta(minutes=12))
    names = [one.name for one in frame.fields[1:]]
    assert names[1:] == ["chosen"]
    assert re.fullmatch(f"{memory.end - timedelta(days=20):%Y-%m-%d} ..:..:..", names[0])
    for series in frame.fields[1:]:
        known = [value for value in series.values if value is not None]
        assert min(known) == 0
        assert max(known) > 85
    # From the first swing of both on, the two lie upon each other.
    both = [pair for pair in zip(*(one.values for one in frame.fields[1:]), strict=True) if None not in pair]
    assert sum(abs(one - other) for one, other in both[-60:]) / 60 < 15


def test_no_waveform_is_drawn_where_the_anomaly_chosen_is_out_of_range(memory):
    variables = chosen(memory, "anomaly-explorer", "one")
    long_before = memory.end - timedelta(days=10)
    span = Range(long_before - timedelta(minutes=5), long_before, live=False)
    frame = check_panel(memory.grafana, panel_named(EXPLORER, WAVEFORM), span, variables)
    assert not frame.rows


def test_sessions_are_counted_by_day_hour_and_length(memory):
    everyone, month = fleet("all"), LENGTHS["30 days"]
    begun = numbers(memory, SESSIONS, "Sessions", everyone, month)["begun"]
    assert begun > 100
    cells = frame_of(memory, SESSIONS, "Start hours", everyone, month).fields[1:]
    assert [one.name for one in cells] == [f"{hour:02d}:00" for hour in range(24)]
    assert sum(sum(one.values) for one in cells) == begun
    per_day = frame_of(memory, SESSIONS, "Sessions per day", everyone, month)
    assert sum(value for one in per_day.fields[1:] for value in one.values if value is not None) == begun
    reasons = rows_of(frame_of(memory, SESSIONS, "Stop reasons", everyone, month))
    assert {row["reason"] for row in reasons} == {"Remote", "still running"}
    assert sum(row["sessions"] for row in reasons) == begun
    durations = rows_of(frame_of(memory, SESSIONS, "Durations", everyone, month))
    assert durations[0]["length"] == "under 10 s"


def test_a_pattern_that_was_seen_again_is_recognised(memory):
    assert numbers(memory, PATTERNS, "Patterns", live("attacked")) == {"patterns": 1, "anomalies": 2}
    assert numbers(memory, PATTERNS, "Recognised", live("attacked")) == {"recognised": 0.5}
    most = numbers(memory, PATTERNS, "The cycle seen most often", live("attacked"))
    assert 7 < most["period"] < 9
    assert most["amplitude"] > 80
    (threshold,) = rows_of(frame_of(memory, PATTERNS, "Thresholds in use", live("attacked")))
    assert (threshold["threshold"], threshold["anomalies"]) == (1, 2)


def test_what_is_usual_stands_beside_the_fleet(postgres):
    """And the version that learned it."""
    end = datetime.now(UTC)
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    limit, summary = BY_NAME["commanded_a", "charging"], Summary(histogram={})
    summary.add(limit, 80.0)
    own = baselines.first(limit, "CP-1", 1, summary, end)
    changed = [own, structs.replace(own, charge_point_id=ALL, connector=0, mean=64.0)]
    learned = Version(number=3, at=end, sessions=1, changed=changed, proposals=[])
    asyncio.run(learn(postgres.writer_url, learned))
    of_cp_1 = {"charge_point": "CP-1", "connector": "1"}
    with opened(postgres, end) as memory:
        (usual,) = rows_of(frame_of(memory, PATTERNS, "What is usual of clean sessions", of_cp_1))
        (version,) = rows_of(frame_of(memory, PATTERNS, "Versions of what is learned", of_cp_1))
    assert (usual["metric"], usual["mean"], usual["fleet_mean"]) == ("commanded_a", 80.0, 64.0)
    assert (usual["sessions"], usual["held"]) == (1, "no")
    assert (version["version"], version["sessions"], version["changed"]) == (3, 1, 2)


async def learn(url, version):
    store = Store(url)
    await store.load()
    await store.save(Work(learned=version))
    await store.aclose()


def test_the_baseline_has_the_mean_and_the_band_of_the_hour(memory):
    frame = frame_of(memory, PATTERNS, "Current and its learned band", live("attacked"))
    series = {one.name: one.values for one in frame.fields[1:]}
    assert all(10 < mean < 40 for mean in series["learned mean"])
    assert set(series["band, low"]) == {0}
    assert all(high > 50 for high in series["band, high"])


def test_the_pipeline_says_how_much_and_how_late(memory):
    frame = frame_of(memory, PIPELINE, "Stored per second, over time", fleet("all"))
    rates = {one.name: one.values for one in frame.fields[1:]}
    assert all(
        0 < messages <= events + readings for messages, events, readings in zip(*rates.values(), strict=True)
    )
    frame = frame_of(memory, PIPELINE, "Lag over time", fleet("all"))
    lags = {one.name: one.values for one in frame.fields[1:]}
    assert all(0.1 < p50 <= p95 <= p99 < 3 for p50, p95, p99 in zip(*lags.values(), strict=True))
    assert numbers(memory, PIPELINE, "Lost", fleet("all")) == {"in this range": 0, "ever": 0}


def test_what_was_lost_or_set_aside_is_told(postgres):
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    with psycopg.connect(postgres.writer_url) as connection:
        connection.execute(
            "INSERT INTO memory.sources (source, boot, committed_seq, gaps, duplicates)"
            " VALUES ('csms:csms-1/events/03', gen_random_uuid(), 9, 3, 2)"
        )
        connection.execute("INSERT INTO memory.gaps SELECT source_no, 2, 4, now() FROM memory.sources")
        connection.execute(
            "INSERT INTO memory.poison (topic, reason, payload, digest) VALUES ('t', 'no batch', '', 'x')"
        )
    with opened(postgres, datetime.now(UTC)) as memory:
        nobody = fleet("none")
        assert numbers(memory, PIPELINE, "Lost", nobody) == {"in this range": 3, "ever": 3}
        assert numbers(memory, PIPELINE, "Arrived again", nobody) == {"in this range": 0, "ever": 2}
        assert numbers(memory, PIPELINE, "Set aside", nobody) == {"messages": 1}
        (gap,) = rows_of(frame_of(memory, PIPELINE, "Lost, number by number", nobody))
        assert (gap["source"], gap["first_seq"], gap["last_seq"]) == ("csms:csms-1/events/03", "2", "4")
        (reason,) = rows_of(frame_of(memory, PIPELINE, "Set aside, newest", nobody))
        assert reason["reason"] == "no batch"
