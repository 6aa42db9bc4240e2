"""Scenarios as charge points see them: commands in order and in time, failures, absences, an end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from itertools import pairwise
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest

from contracts.events import CommandSent, ScenarioLabel, TransactionEnded, encode_event
from csms_parts import ENROLMENT, charge_point, csms, until, websocket
from real_parts import free_port

CYCLE = ["SetChargingProfile", "SetChargingProfile", "RemoteStartTransaction", "RemoteStopTransaction"]
A1 = "repeated-current-fluctuation"
FAST = {"low_s": 0.1, "start_s": 0.1, "charge_s": 0.3, "pause_s": 0.3}


@pytest.fixture
async def bench(tmp_path):
    async with csms(tmp_path) as running:
        yield running


async def start(bench, *ids, scenario=A1, parameters=FAST, **more):
    body = {"scenario": scenario, "charge_point_ids": list(ids), "parameters": parameters, **more}
    return await bench.http.post("/api/scenario-runs", json=body)


async def runs(bench):
    return (await bench.http.get("/api/scenario-runs")).json()


def scenario_actions(foreign):
    return [action for action in foreign.actions if action != "GetConfiguration"]


async def test_the_default_plan_lives_the_base_scenario_in_its_own_time(tmp_path):
    """0 A, 2 s, 100 A, 1 s, start, 2 s, stop, 3 s, and again, seen at the charge point."""
    async with (
        csms(tmp_path, scenario_plan="default") as bench,
        charge_point(bench, "CP-1", ENROLMENT) as foreign,
    ):
        await until(lambda: len(scenario_actions(foreign)) >= 6, "one cycle and a half")
        steps = [(at_s, action) for at_s, action, _ in foreign.commands if action != "GetConfiguration"]
        assert [action for _, action in steps[:6]] == [*CYCLE, *CYCLE[:2]]
        assert foreign.limits[:4] == [0, 100, 0, 100]
        gaps_s = [later - earlier for (earlier, _), (later, _) in pairwise(steps)][:5]
        for gap_s, nominal_s in zip(gaps_s, [2, 1, 2, 3, 2], strict=True):
            assert nominal_s - 0.05 <= gap_s <= nominal_s + 1
        purposes = {
            payload["cs_charging_profiles"]["charging_profile_purpose"]
            for _, action, payload in foreign.commands
            if action == "SetChargingProfile"
        }
        assert purposes == {"TxDefaultProfile"}
        (known,) = (await bench.http.get("/api/charge-points")).json()
        assert known["scenario"] == A1


async def test_even_numbers_charge_benignly_within_seconds(tmp_path):
    async with (
        csms(tmp_path, scenario_plan="default") as bench,
        charge_point(bench, "CP-2", ENROLMENT) as foreign,
    ):
        await until(lambda: foreign.transaction_id is not None, "the session")
        assert scenario_actions(foreign) == ["SetChargingProfile", "RemoteStartTransaction"]
        assert foreign.limits == [63]
        (label,) = bench.events(ScenarioLabel)
        assert (label.anomaly, label.scenario) == (None, "benign-charging")


async def test_the_plan_keeps_from_foreign_charge_points(tmp_path):
    async with (
        csms(tmp_path, scenario_plan="default", scenario_allow_list=("CP-3",)) as bench,
        charge_point(bench, "CP-1") as foreign,
        charge_point(bench, "CP-3") as listed,
        charge_point(bench, "CP-9", ENROLMENT) as own,
    ):
        await until(lambda: own.commands)
        assert foreign.commands == []
        assert listed.commands == []
        assert [run["charge_point_ids"] for run in await runs(bench)] == [["CP-9"]]


async def test_a_run_cycles_and_its_stop_undoes_what_it_did(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        answer = await start(bench, "CP-1", parameters={**FAST, "charge_s": 60})
        assert answer.status_code == 201
        run = answer.json()
        assert (run["state"], run["scenario"], run["ended_at"]) == ("running", A1, None)
        await until(lambda: foreign.transaction_id is not None, "the session")
        stopped = (await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")).json()
        assert (stopped["state"], stopped["reason"]) == ("stopped", "stopped by request")
        assert foreign.transaction_id is None
        # The stop, and the one profile that both limits were.
        assert foreign.actions[-2:] == ["RemoteStopTransaction", "ClearChargingProfile"]
        assert foreign.commands[-1][2] == {
            "id": foreign.commands[1][2]["cs_charging_profiles"]["charging_profile_id"]
        }
        assert (await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")).status_code == 404
        (known,) = (await bench.http.get("/api/charge-points")).json()
        assert known["scenario"] is None


async def test_cycles_are_counted_and_no_command_comes_between_them(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        await start(bench, "CP-1")
        await until(lambda: len(scenario_actions(foreign)) >= 12, "three cycles")
        assert scenario_actions(foreign)[:12] == CYCLE * 3
        (run,) = await runs(bench)
        assert run["cycles"] >= 2
        assert run["reason"] is None


async def test_labels_tell_first_and_last_command_and_only_on_the_truth_channel(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        run = (await start(bench, "CP-1", seed=5)).json()
        await until(lambda: len(scenario_actions(foreign)) >= 4)
        await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")
    started, ended = bench.events(ScenarioLabel)
    assert (started.phase, ended.phase) == ("started", "ended")
    assert (started.run_id, started.seed, started.charge_point_ids) == (run["run_id"], 5, ["CP-1"])
    assert started.parameters == {**FAST, "low_a": 0, "high_a": 100}
    commands = [event for event in bench.events(CommandSent) if event.command != "GetConfiguration"]
    assert abs((commands[0].at - started.at).total_seconds()) < 0.5
    assert commands[3].at <= ended.at
    # Detectors read every other event: none of them may give the scenario away.
    for event in bench.events():
        if not isinstance(event, ScenarioLabel):
            text = encode_event(event).decode()
            assert run["run_id"] not in text
            assert A1 not in text


async def test_only_enrolled_or_listed_charge_points_are_targets(tmp_path):
    async with (
        csms(tmp_path, scenario_allow_list=("LISTED",)) as bench,
        charge_point(bench, "FOREIGN") as foreign,
        charge_point(bench, "LISTED") as listed,
    ):
        refused = await start(bench, "FOREIGN", "LISTED")
        assert refused.status_code == 403
        assert refused.json()["detail"] == "neither enrolled nor in SCENARIO_ALLOW_LIST: FOREIGN"
        assert (await start(bench, "LISTED")).status_code == 201
        await until(lambda: len(scenario_actions(listed)) >= 4, "a cycle")
        assert foreign.commands == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"scenario": "nonsense"}, 404),
        ({"charge_point_ids": ["CP-1", "nobody"]}, 404),
        ({"charge_point_ids": []}, 422),
        ({"parameters": {"high_a": 301}}, 422),
        ({"parameters": {"volume": 11}}, 422),
        ({"parameters": {"high_a": "much"}}, 422),
        ({"seed": -1}, 422),
        ({"colour": "red"}, 422),
    ],
)
async def test_a_wrong_start_is_refused(bench, changes, status):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        body = {"scenario": A1, "charge_point_ids": ["CP-1"], **changes}
        answer = await bench.http.post("/api/scenario-runs", json=body)
        assert answer.status_code == status
        assert answer.json()["detail"]
        assert foreign.commands == []


async def test_a_charge_point_is_in_one_scenario_unless_replaced(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        first = (await start(bench, "CP-1")).json()
        assert (await start(bench, "CP-1", scenario="benign-charging", parameters={})).status_code == 409
        await until(lambda: foreign.commands)
        second = await start(bench, "CP-1", scenario="benign-charging", parameters={}, replace=True)
        assert second.status_code == 201
        states = {run["run_id"]: run["state"] for run in await runs(bench)}
        assert states == {first["run_id"]: "stopped", second.json()["run_id"]: "running"}
        await until(lambda: 63 in foreign.limits, "the other scenario")


async def test_stop_all_stops_every_run_and_transaction_and_nothing_starts_again(tmp_path):
    async with csms(tmp_path, scenario_plan="default") as bench:
        async with (
            charge_point(bench, "CP-2", ENROLMENT) as two,
            charge_point(bench, "CP-4", ENROLMENT) as four,
            charge_point(bench, "FOREIGN") as foreign,
        ):
            await foreign.start()
            await until(lambda: two.transaction_id and four.transaction_id, "both sessions")
            answer = (await bench.http.post("/api/stop-all")).json()
            assert answer == {"stopped_runs": 2, "stopped_transactions": 2}
            assert (two.transaction_id, four.transaction_id) == (None, None)
            assert foreign.transaction_id is not None
        async with charge_point(bench, "CP-2", ENROLMENT), charge_point(bench, "CP-6", ENROLMENT):
            assert {run["state"] for run in await runs(bench)} == {"stopped"}


async def test_a_person_who_stops_a_run_keeps_the_plan_away_until_a_restart(tmp_path):
    async with csms(tmp_path, scenario_plan="default") as bench:
        async with charge_point(bench, "CP-2", ENROLMENT):
            (run,) = await runs(bench)
            await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")
        async with charge_point(bench, "CP-2", ENROLMENT):
            assert [entry["state"] for entry in await runs(bench)] == ["stopped"]
    async with csms(tmp_path, scenario_plan="default") as bench, charge_point(bench, "CP-2", ENROLMENT):
        assert [entry["state"] for entry in await runs(bench)] == ["running", "stopped"]


async def test_a_rejected_command_leads_back_to_a_safe_start(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        foreign.rejects = {"RemoteStopTransaction"}
        await start(bench, "CP-1")
        await until(lambda: "RemoteStopTransaction" in foreign.actions, "the stop that is rejected")
        await until(lambda: bench.csms.runner.run_at("CP-1").reason, "the note")
        assert bench.csms.runner.run_at("CP-1").reason == "CP-1: RemoteStopTransaction: Rejected"
        foreign.rejects = set()
        await until(lambda: bench.csms.runner.run_at("CP-1").cycles > 0, "a cycle after all")
        # The transaction was stopped before the cycle began again.
        assert "RemoteStopTransaction RemoteStopTransaction SetChargingProfile" in " ".join(foreign.actions)


async def test_a_transaction_that_its_charge_point_does_not_know_is_ended_here(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        run = (await start(bench, "CP-1", parameters={**FAST, "charge_s": 60})).json()
        await until(lambda: foreign.transaction_id is not None)
        foreign.transaction_id = None  # it lost its memory
        await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")
    (ended,) = bench.events(TransactionEnded)
    assert ended.reason == "Stale"


async def test_a_run_waits_for_a_charge_point_that_is_away_and_goes_on(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        await start(bench, "CP-1", parameters={**FAST, "charge_s": 1})
        await until(lambda: foreign.transaction_id is not None)
        left = foreign.transaction_id
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        foreign.transaction_id = left  # it charged on meanwhile
        await until(lambda: scenario_actions(foreign)[:5] == ["RemoteStopTransaction", *CYCLE])
        assert [run["state"] for run in await runs(bench)] == ["running"]


async def test_a_session_that_ends_by_itself_is_followed_by_the_next(tmp_path):
    """A long benign wait must not leave a restarted charge point idle."""
    async with (
        csms(tmp_path, scenario_plan="default") as bench,
        charge_point(bench, "CP-8", ENROLMENT) as foreign,
    ):
        await until(lambda: foreign.transaction_id is not None)
        await foreign.stop(reason="PowerLoss")
        await until(lambda: foreign.actions.count("RemoteStartTransaction") == 2, "the next session")


async def test_what_could_not_be_undone_is_undone_when_the_charge_point_returns(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        run = (await start(bench, "CP-1", parameters={**FAST, "charge_s": 60})).json()
        await until(lambda: foreign.transaction_id is not None)
        left = foreign.transaction_id
    await until(lambda: bench.csms.connections.get("CP-1") is None)
    assert (await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")).json()["state"] == "stopped"
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        foreign.transaction_id = left
        await until(lambda: foreign.actions == ["RemoteStopTransaction", "ClearChargingProfile"])
        await until(lambda: bench.csms.state.runs.intervention("CP-1") is None)


async def test_a_charge_point_that_comes_and_goes_is_restored_once(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        run = (await start(bench, "CP-1", parameters={**FAST, "charge_s": 60})).json()
        await until(lambda: foreign.transaction_id is not None)
        left = foreign.transaction_id
    await until(lambda: bench.csms.connections.get("CP-1") is None)
    await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")
    for _ in range(5):
        async with websocket(bench, "CP-1", ENROLMENT):
            await until(lambda: bench.csms.connections.get("CP-1"))
    assert len([task for task in asyncio.all_tasks() if task.get_name() == "restore"]) == 1
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        foreign.transaction_id = left
        await until(lambda: bench.csms.state.runs.intervention("CP-1") is None)
        assert foreign.actions == ["RemoteStopTransaction", "ClearChargingProfile"]


async def test_a_charge_point_that_returns_while_others_are_restored_is_restored_too(bench):
    async with charge_point(bench, "CP-2", ENROLMENT) as slow:
        async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
            run = (await start(bench, "CP-1", "CP-2", parameters={**FAST, "charge_s": 60})).json()
            await until(lambda: foreign.transaction_id is not None and slow.transaction_id is not None)
            left = foreign.transaction_id
        await until(lambda: bench.csms.connections.get("CP-1") is None)
        slow.stop = AsyncMock()  # it accepts to stop and does not
        stopping = asyncio.create_task(bench.http.delete(f"/api/scenario-runs/{run['run_id']}"))
        await until(lambda: "RemoteStopTransaction" in slow.actions)
        async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
            foreign.transaction_id = left
            await stopping
            await until(lambda: bench.csms.state.runs.intervention("CP-1") is None)
            assert foreign.actions == ["RemoteStopTransaction", "ClearChargingProfile"]


async def test_a_start_that_is_late_is_still_undone(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        foreign.starts_after_s = 1.0
        run = (await start(bench, "CP-1", parameters={**FAST, "charge_s": 60})).json()
        await until(lambda: "RemoteStartTransaction" in foreign.actions)
        await bench.http.delete(f"/api/scenario-runs/{run['run_id']}")
        assert foreign.actions[-2:] == ["RemoteStopTransaction", "ClearChargingProfile"]
        assert foreign.transaction_id is None


async def test_a_charge_point_that_takes_only_watts_gets_watts(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        foreign.rate_unit = "Power"
        await start(bench, "CP-1")
        await until(lambda: len(foreign.limits) >= 2)
        assert foreign.limits[:2] == [0, 40_000]


async def test_a_scenario_with_an_end_finishes_and_restores(tmp_path):
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    (scenarios / "twice.toml").write_text(
        'name = "twice"\ntitle = "t"\ndescription = "d"\nimitates = "i"\nsource = "s"\nanomaly = "none"\n'
        'repeat = 2\nsteps = [{do = "set_charging_profile", limit_a = 8}, {do = "wait", seconds = 0.1}]\n'
    )
    (scenarios / "broken.toml").write_text("repeat = ")
    async with (
        csms(tmp_path / "state", scenario_directory=str(scenarios)) as bench,
        charge_point(bench, "CP-1", ENROLMENT) as foreign,
    ):
        assert [entry["name"] for entry in (await bench.http.get("/api/scenarios")).json()] == ["twice"]
        await start(bench, "CP-1", scenario="twice", parameters={})
        await until(lambda: bench.csms.runner.run_at("CP-1") is None, "its end")
        (run,) = await runs(bench)
        assert (run["state"], run["cycles"]) == ("finished", 2)
        assert scenario_actions(foreign) == ["SetChargingProfile"] * 2 + ["ClearChargingProfile"]


async def test_several_charge_points_share_a_run(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as one, charge_point(bench, "CP-2", ENROLMENT) as two:
        await start(bench, "CP-1", "CP-2", "CP-1")
        await until(lambda: one.limits and two.limits)
        (run,) = await runs(bench)
        assert run["charge_point_ids"] == ["CP-1", "CP-2"]
        answer = (await bench.http.post("/api/stop-all")).json()
        assert answer["stopped_runs"] == 1
        assert [label.charge_point_ids for label in bench.events(ScenarioLabel)] == [["CP-1", "CP-2"]] * 2


@asynccontextmanager
async def csms_process(directory):
    """Run `python -m csms` as its container does; yields its ports and how to kill it."""
    ocpp_port, http_port = free_port(), free_port()
    environ = {
        **os.environ,
        "STATE_DIRECTORY": str(directory),
        "OCPP_PORT": str(ocpp_port),
        "CSMS_HTTP_PORT": str(http_port),
        "ENROLMENT_PASSWORD": ENROLMENT,
        "MQTT_PORT": "1",
    }
    command = [sys.executable, "-W", "error", "-m", "csms"]
    process = subprocess.Popen(command, env=environ)  # noqa: ASYNC220 - quick, and it outlives no loop
    try:
        await until(lambda: _answers(ocpp_port), "the process")
        yield SimpleNamespace(url=f"ws://127.0.0.1:{ocpp_port}", process=process)
    finally:
        process.kill()
        process.wait(10)


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_killed_csms_ends_its_label_and_begins_again_by_itself(tmp_path):
    async with csms_process(tmp_path) as process, charge_point(process, "CP-2", ENROLMENT) as foreign:
        await until(lambda: foreign.transaction_id is not None, "the session")
        left = foreign.transaction_id
        await asyncio.sleep(0.2)  # two flushes: the label has its number
        process.process.send_signal(signal.SIGKILL)
        process.process.wait(10)
    async with csms(tmp_path, scenario_plan="default") as bench:
        assert [label.phase for label in bench.events(ScenarioLabel)] == ["started", "ended"]
        assert [(run["state"], run["reason"]) for run in await runs(bench)] == [
            ("failed", "the CSMS died during the run")
        ]
        async with charge_point(bench, "CP-2", ENROLMENT) as foreign:
            foreign.transaction_id = left
            await until(lambda: foreign.transaction_id not in (None, left), "the next session")
            assert scenario_actions(foreign) == [
                "RemoteStopTransaction",
                "SetChargingProfile",
                "RemoteStartTransaction",
            ]


async def test_a_csms_that_is_ended_undoes_what_its_scenarios_did_and_ends_cleanly(tmp_path):
    async with csms_process(tmp_path) as process, charge_point(process, "CP-2", ENROLMENT) as foreign:
        await until(lambda: foreign.transaction_id is not None, "the session")
        process.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.process.wait, 10) == 0
        assert foreign.transaction_id is None
        assert foreign.actions[-2:] == ["RemoteStopTransaction", "ClearChargingProfile"]
    async with csms(tmp_path) as bench:
        assert [label.phase for label in bench.events(ScenarioLabel)] == ["started", "ended"]
        assert [run["state"] for run in json.loads((await bench.http.get("/api/scenario-runs")).text)] == [
            "stopped"
        ]
