"""What `chargebench scenario` makes of runs: rows, comparisons, labels, detections beside the truth."""

import csv
import io
import json
import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from chassis.screen import Screen
from console.answers import Scenario, ScenarioRun
from console.scenario import __main__ as listing
from console.scenario import comparison, detected, export, words
from console.scenario.arguments import parse
from console.scenario.place import NoSuchThing, find
from console.top.place import NoSuchPlace
from console_parts import fluctuation
from contracts.events import FLEET

BEGAN = datetime.now(UTC) - timedelta(minutes=5)
NOW = BEGAN + timedelta(minutes=5)
SCENARIO = Scenario(
    name="repeated-current-fluctuation",
    number="A1",
    anomaly="repeated-current-fluctuation",
    accepted=["stop-storm"],
)


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def run(**more) -> ScenarioRun:
    values = {
        "run_id": "3f2a0000-1",
        "scenario": SCENARIO.name,
        "state": "stopped",
        "anomaly": SCENARIO.anomaly,
        "charge_point_ids": ["CP-1"],
        "parameters": {"high_a": 100.0},
        "started_at": BEGAN,
        "ended_at": after(60),
        "first_command_at": after(1),
        "last_command_at": after(59),
        "physical_started_at": after(4),
        "physical_ended_at": after(58),
    }
    return ScenarioRun(**{**values, **more})


def told(kind: str, at_s: float, charge_point_id: str = "CP-1"):
    """An anomaly that began at `at_s` and was detected 10 s later."""
    return fluctuation(
        charge_point_id, kind=kind, started_at=after(at_s), detected_at=after(at_s + 10), updated_at=NOW
    )


@pytest.mark.parametrize(
    ("anomalies", "changes", "verdict"),
    [
        ([told("repeated-current-fluctuation", 4)], {}, "found"),
        ([told("stop-storm", 4)], {}, "found"),
        ([told("can-flood", 4)], {}, "found under another name"),
        ([], {}, "missed"),
        ([], {"state": "running", "ended_at": None}, "not yet"),
        ([told("can-flood", 4)], {"anomaly": None}, "false alarm"),
        ([], {"anomaly": None}, "nothing, rightly"),
        ([told("stop-storm", 4, FLEET)], {"charge_point_ids": ["CP-1", "CP-2"]}, "found"),
        ([told("stop-storm", 4, FLEET)], {}, "missed"),
        ([told("stop-storm", 4, "CP-2"), told("stop-storm", -1), told("stop-storm", 121)], {}, "missed"),
    ],
)
def test_what_was_detected_is_judged_by_the_truth(anomalies, changes, verdict):
    assert detected.found(run(**changes), SCENARIO, anomalies, [], NOW).verdict == verdict


def test_delays_count_from_the_command_and_from_the_physical_start():
    found = detected.found(run(), SCENARIO, [told("stop-storm", 30), told("can-flood", 4)], [], NOW)
    assert [(one.kind, one.after_command_s, one.after_physical_s) for one in found.detections] == [
        ("can-flood", 13.0, 10.0),
        ("stop-storm", 39.0, 36.0),
    ]
    assert detected.first(found).kind == "stop-storm"


FLOOD = run(
    run_id="91bc0000-1",
    scenario="can-flood",
    anomaly="can-flood",
    started_at=after(60.1),
    ended_at=after(90),
    first_command_at=after(60.2),
)


@pytest.mark.parametrize(
    ("changes", "began_s", "verdict"),
    [
        ({"anomaly": None}, 80, "nothing, rightly"),  # the run that replaced it provoked that
        ({"anomaly": None}, 60.15, "false alarm"),  # nothing was commanded yet
        ({"anomaly": None, "started_at": after(95), "ended_at": after(200)}, 96, "nothing, rightly"),
        ({}, 80, "missed"),
        ({}, 30, "found under another name"),
        ({"ended_at": None, "state": "running"}, 80, "found under another name"),  # both at one time
    ],
)
def test_what_another_run_provoked_is_not_the_runs(changes, began_s, verdict):
    one = run(**changes)
    found = detected.found(one, SCENARIO, [told("can-flood", began_s)], [FLOOD, one], NOW)
    assert found.verdict == verdict
    elsewhere = run(run_id=FLOOD.run_id, anomaly="can-flood", charge_point_ids=["CP-9"])
    alone = detected.found(one, SCENARIO, [told("can-flood", began_s)], [elsewhere, one], NOW)
    assert alone.verdict == ("false alarm" if one.anomaly is None else "found under another name")


def test_what_a_run_provoked_right_after_another_is_its_own():
    found = detected.found(FLOOD, None, [told("can-flood", 80)], [FLOOD, run(anomaly=None), run()], NOW)
    assert found.verdict == "found"
    assert detected.first(found).after_command_s == 29.8


def test_runs_stand_side_by_side_and_what_differs_is_marked():
    other = run(run_id="91bc0000-1", parameters={"high_a": 63.0}, physical_started_at=None)
    finds = [detected.found(one, SCENARIO, [told("stop-storm", 4)], [], NOW) for one in (run(), other)]
    rows = {row["fact"]: row for row in comparison.rows([run(), other], finds, NOW)}
    assert (rows["high_a"]["3f2a0000-1"], rows["high_a"]["91bc0000-1"]) == ("100", "63")
    assert rows["high_a"]["differs"] == comparison.DIFFERS
    assert rows["scenario"]["differs"] == ""
    assert rows["effect shows after"] == {
        "fact": "effect shows after",
        "3f2a0000-1": "3.0 s",
        "91bc0000-1": None,
        "differs": comparison.DIFFERS,
    }
    assert rows["after first command"]["3f2a0000-1"] == "13.0 s"
    assert rows["verdict"]["91bc0000-1"] == "found"


def test_parameters_that_only_one_run_has_stand_among_the_others():
    other = run(run_id="91bc0000-1", parameters={"duration_s": 30.0})
    finds = [detected.found(one, SCENARIO, [], [], NOW) for one in (run(), other)]
    names = [row["fact"] for row in comparison.rows([run(), other], finds, NOW)]
    assert names[3:7] == ["seed", "high_a", "duration_s", "started (UTC)"]


def test_a_label_is_the_same_in_both_forms():
    row = words.label_row(run(charge_point_ids=["CP-1", "CP-2"]), SCENARIO)
    (read,) = json.loads(export.text([row], "json"))
    assert (read["anomaly"], read["accepted"], read["number"]) == (SCENARIO.anomaly, ["stop-storm"], "A1")
    (line,) = csv.DictReader(io.StringIO(export.text([row], "csv")))
    assert line.keys() == read.keys()
    assert line["charge_point_ids"] == "CP-1 CP-2"
    assert json.loads(line["parameters"]) == read["parameters"] == {"high_a": 100.0}
    assert datetime.fromisoformat(line["physical_started_at"]) == after(4)


@pytest.mark.parametrize(
    ("line", "form"),
    [
        (["runs.csv"], "csv"),
        (["runs.JSON"], "json"),
        (["-"], "json"),
        (["-", "--format", "csv"], "csv"),
        (["runs.txt", "--format", "csv"], "csv"),
    ],
)
def test_an_export_has_the_form_of_its_name_or_the_one_asked_for(line, form):
    assert parse(["export", *line], "chargebench scenario").format == form


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "running", "ended_at": None, "cycles": 1}, "running for 300 s, 1 cycle"),
        ({"state": "finished", "cycles": 2}, "finished after 60 s, 2 cycles"),
    ],
)
def test_a_run_tells_how_it_fares(changes, said):
    assert words.run_line(run(**changes), NOW) == f"{SCENARIO.name} on CP-1: {said}"


def test_nothing_is_an_empty_file():
    assert (export.text([], "csv"), export.text([], "json")) == ("", "[]\n")


def test_a_sequence_that_is_typed_is_the_text_of_a_mix():
    other = Scenario(name="mass-step", together=True, parameters={"limit_a": {}})
    text = words.sequence_text([Scenario(name="a", parameters={"high_a": {}}), other], {"high_a": 63.0}, 5.0)
    assert tomllib.loads(text) == {
        "name": "sequence",
        "title": "a mass-step",
        "description": "As typed",
        "order": "sequence",
        "together": True,
        "pause_s": 5.0,
        "runs": [
            {"scenario": "a", "parameters": {"high_a": 63.0}},
            {"scenario": "mass-step", "parameters": {}},
        ],
    }
    with pytest.raises(NoSuchThing, match="low_a: none of these"):
        words.sequence_text([other], {"low_a": 1.0}, 5.0)


def test_the_catalogue_is_in_order():
    numbers = ["H2", "A10", "", "A9", "H1"]
    ordered = sorted(
        (Scenario(name=f"n{n}", number=number) for n, number in enumerate(numbers)), key=words.order
    )
    assert [scenario.number for scenario in ordered] == ["A9", "A10", "H1", "H2", ""]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (["run", "can-flood"], "--on --all is required"),
        (["run", "--all"], "name scenarios, or a mix with --mix"),
        (["run", "can-flood", "--all", "--mix", "m"], "name scenarios, or a mix with --mix"),
        (["run", "--mix", "m", "--all", "--set", "a=1"], "a mix says its parameters itself"),
        (["run", "can-flood", "--all", "--count", "2"], "--for ends one"),
        (["run", "can-flood", "--on", "CP-1", "--set", "high_a"], "'high_a' is not like high_a=63"),
        (["run", "can-flood", "--on", "CP-1", "--set", "high_a=nan"], "is not like high_a=63"),
        (["run", "can-flood", "--on", "CP-1,"], "holds an empty name"),
        (["run", "can-flood", "--all", "--seed", "-1"], "--seed"),
        (["run", "can-flood", "--all", "--for", "0"], "is no number of seconds above 0"),
        (["runs", "--since", "soon"], "'soon' is no time: 2026"),
        (["export", "runs.txt"], "'runs.txt' does not end in .json, .csv; or name a --format"),
        (["export", "runs"], "'runs' does not end in .json, .csv"),
        (["explode"], "invalid choice: 'explode'"),
    ],
)
def test_nonsense_is_one_line_and_status_2(line, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(line, "chargebench scenario")
    assert ended.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert complaint in said


def test_the_bench_is_found_by_its_folder_else_by_the_environment(tmp_path):
    home = tmp_path / ".chargebench"
    named = {"CSMS_API_URL": "http://csms:9001", "CHARGEBENCH_TOKEN": "named"}
    place = find(None, None, named, tmp_path)
    assert (place.csms, place.memorybank, place.token) == (
        "http://csms:9001",
        "http://127.0.0.1:9002",
        "named",
    )
    assert find("http://other:1", None, named, tmp_path).csms == "http://other:1"
    home.mkdir()
    (home / "bench.json").write_text(
        '{"csms_api": "http://127.0.0.1:1", "memorybank_api": "http://127.0.0.1:2"}'
    )
    (home / "token").write_text("its own\n")
    place = find(None, None, named, tmp_path)
    assert (place.csms, place.memorybank, place.token) == (
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
        "its own",
    )
    assert "its own" not in repr(place)
    with pytest.raises(NoSuchPlace, match="no bench runs in"):
        find(None, tmp_path / "nowhere", {}, tmp_path)


def test_80_columns_hold_all_that_is_told_of_runs(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    runs = [run(seed=7, reason="its time is over", cycles=29), run(run_id="91bc0000-1", parameters={})]
    file = io.StringIO()
    screen = Screen(Console(file=file, width=80, force_terminal=True, color_system=None))
    listing.show_runs(screen, runs, NOW)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for told in (SCENARIO.name, "stopped", ", 60 s", "29 cycles", "seed 7", "high_a=100; its time is over"):
        assert told in text
    assert "left out" not in text
