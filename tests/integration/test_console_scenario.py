"""`chargebench scenario` as people type it, against a real CSMS with a charge point."""

import asyncio
import csv
import json
import signal
import sys
from datetime import datetime

import pytest

from console.scenario.__main__ import perform
from console_apis import MemoryBankApi
from console_parts import fluctuation
from contracts.events import ScenarioLabel
from csms_parts import ENROLMENT, TOKEN, charge_point, csms, until
from real_parts import free_port

A1 = "repeated-current-fluctuation"
FAST = ("--set", "low_s=0.1", "--set", "start_s=0.1", "--set", "charge_s=0.3", "--set", "pause_s=0.3")


class Typed:
    """The command line before a bench: `await typed("list")` gives status, output, complaints."""

    def __init__(self, capsys):
        self._capsys = capsys

    async def __call__(self, *line):
        self._capsys.readouterr()
        async with asyncio.timeout(60):
            status = await perform(list(line), "chargebench scenario")
        told = self._capsys.readouterr()
        return status, told.out, told.err


@pytest.fixture
def memorybank():
    """A MemoryBank that remembers nothing yet."""
    api = MemoryBankApi()
    api.start()
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture
async def bench(tmp_path, monkeypatch, memorybank):
    """A CSMS that the environment names beside the MemoryBank, in an empty folder of work."""
    async with csms(tmp_path / "state") as running:
        monkeypatch.setenv("CSMS_API_URL", f"http://127.0.0.1:{running.http_port}")
        monkeypatch.setenv("MEMORYBANK_API_URL", memorybank.url)
        monkeypatch.setenv("CHARGEBENCH_TOKEN", TOKEN)
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.chdir(tmp_path)
        yield running


@pytest.fixture
def typed(bench, capsys):
    return Typed(capsys)


async def test_the_catalogue_is_listed_and_told(bench, typed, tmp_path):
    status, out, _ = await typed("list", "current-fluct")
    assert (status, [line.split("\t")[:3] for line in out.splitlines()[1:]]) == (
        0,
        [["A1", A1, "anomaly"]],
    )
    status, out, _ = await typed("list", "--json")
    catalogue = [json.loads(line) for line in out.splitlines()]
    assert [one["number"] for one in catalogue][:2] == ["A1", "A2"]
    assert len(catalogue) > 30
    status, out, _ = await typed("show", A1)
    assert "high_a\t100\t0 … 300\tA\tThe upper limit" in out
    assert "truth: repeated-current-fluctuation, or stop-storm, or zero-energy-flood" in out


async def test_a_mix_is_shown_with_its_runs(bench, typed):
    status, out, _ = await typed("show", "attacks-and-life")
    assert (status, "order: drawn by their shares, until --count or --for ends it" in out) == (0, True)
    assert "pause before a run: 20 … 90 s" in out
    assert "benign-charging\t40\t600\t\n" in out
    assert f"{A1}\t7\t120\thigh_a=40 … 100" in out
    status, out, _ = await typed("show", "every-layer-in-turn")
    assert (status, "order: in turn, once" in out) == (0, True)
    assert "2\tcan-flood\t180\t\n" in out  # as long as the scenario says
    status, out, _ = await typed("show", "fleet-in-phase", "--json")
    assert (status, json.loads(out)["together"]) == (0, True)


async def test_a_run_ends_in_time_is_listed_compared_and_exported_with_its_label(bench, typed, tmp_path):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        line = ("run", A1, "--on", "CP-1", *FAST, "--set", "high_a=63", "--seed", "7", "--for", "4")
        status, out, err = await typed(*line)
        assert (status, "finished: its time is over" in out) == (0, True)
        assert f"{A1} on CP-1: running" in err
        assert set(foreign.limits) == {0, 63}
        assert foreign.actions[-1] == "ClearChargingProfile"
        status, out, _ = await typed("run", A1, "--all", *FAST, "--for", "3", "--json")
        begun, ended = map(json.loads, out.splitlines())
        assert (begun["run_id"], begun["state"], ended["state"]) == (ended["run_id"], "running", "finished")

        status, out, _ = await typed("runs", "--on", "CP-1")
        ids = [row.split("\t")[0] for row in out.splitlines()[1:]]
        assert (len(ids), ids[0]) == (2, ended["run_id"][:8])
        status, out, err = await typed("compare", *ids)
        compared = {row.split("\t")[0]: row.split("\t")[1:] for row in out.splitlines()}
        assert compared["high_a"] == ["100", "63"]
        assert compared["verdict"] == ["missed", "missed"]

        status, out, _ = await typed("export", "runs.csv")
        assert (status, out) == (0, "2 runs with their labels in runs.csv\n")
        with (tmp_path / "runs.csv").open(encoding="utf-8") as file:
            exported = {row["run_id"]: row for row in csv.DictReader(file)}
        status, out, _ = await typed("export", "-", ids[1])
        (alone,) = json.loads(out)
        ends = {label.run_id: label for label in bench.events(ScenarioLabel) if label.phase == "ended"}
        assert exported.keys() == ends.keys()
        label = ends[alone["run_id"]]
        assert (alone["anomaly"], alone["seed"], alone["parameters"]) == (label.anomaly, 7, label.parameters)
        assert exported[alone["run_id"]]["last_command_at"] == alone["last_command_at"]
        assert alone["last_command_at"] == label.at.isoformat().replace("+00:00", "Z")


async def test_what_a_run_provoked_is_not_told_of_the_one_that_it_replaced(bench, typed, memorybank):
    async with charge_point(bench, "CP-1", ENROLMENT):
        status, out, _ = await typed("run", "benign-charging", "--on", "CP-1", "--detach", "--json")
        assert status == 0
        benign = json.loads(out.splitlines()[0])
        status, out, _ = await typed("run", A1, "--on", "CP-1", *FAST, "--replace", "--for", "2", "--json")
        assert status == 0
        over = json.loads(out.splitlines()[-1])
        at = datetime.fromisoformat(over["last_command_at"])
        memorybank.anomalies.append(fluctuation("CP-1", kind=A1, started_at=at, detected_at=at))
        status, out, _ = await typed("compare", benign["run_id"], over["run_id"])
        compared = {row.split("\t")[0]: row.split("\t")[1:] for row in out.splitlines()}
        assert (status, compared["verdict"], compared["detections"]) == (
            0,
            ["nothing, rightly", "found"],
            ["0", "1"],
        )


MIX = """
name = "mine"
title = "t"
description = "d"
pause_s = 0.1
[[runs]]
scenario = "repeated-current-fluctuation"
lasts_s = 1
parameters = { low_s = 0.1, start_s = 0.1, charge_s = 0.2, pause_s = 0.1 }
"""


async def test_a_mix_and_a_sequence_run_to_their_ends(bench, typed, tmp_path):
    (tmp_path / "mine.toml").write_text(MIX, encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(MIX.replace("lasts_s = 1", "lasts_s = 0"), encoding="utf-8")
    async with charge_point(bench, "CP-1", ENROLMENT):
        status, out, _ = await typed(
            "run", "--mix", "mine.toml", "--on", "CP-1", "--count", "2", "--seed", "3"
        )
        assert (status, out.endswith(" finished: mine\n")) == (0, True)
        line = ("run", A1, "benign-charging", "--on", "CP-1", "--set", "high_a=70", "--for", "2", "--json")
        status, out, _ = await typed(*line)
        assert (status, json.loads(out.splitlines()[-1])["state"]) == (0, "finished")
        runs = (await bench.http.get("/api/scenario-runs", params={"limit": 9})).json()
        assert [run["scenario"] for run in runs] == [A1] * 3
        assert runs[0]["parameters"]["high_a"] == 70
        answers = [
            await one
            for one in (
                typed("run", "--mix", "wrong.toml", "--on", "CP-1", "--count", "1"),
                typed("run", "--mix", "nowhere.toml", "--on", "CP-1", "--count", "1"),
                typed("run", A1, "benign-charging", "--on", "CP-1", "--set", "hi=1"),
                typed("list", "--mixes"),
            )
        ]
    assert [status for status, _, _ in answers] == [2, 2, 2, 0]
    said = [err for _, _, err in answers]
    assert "wrong.toml: runs[0].lasts_s: Expected `float` > 0.0 (line 8)" in said[0]
    assert "nowhere.toml: No such file or directory; by name there are attacks-and-life, " in said[1]
    assert "hi: none of these scenarios has such a parameter" in said[2]
    assert "attacks-and-life\trandom\t10\tAttacks among life" in answers[3][1]


async def test_ctrl_c_stops_the_run_and_undoes_what_it_did(bench, typed, tmp_path):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        line = ("run", A1, "--on", "CP-1", *FAST[:4], "--set", "charge_s=60")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "chargebench", "scenario", *line), stdout=-1, stderr=-1
        )
        await until(lambda: foreign.transaction_id is not None, "the transaction")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            out, _ = await process.communicate()
        assert process.returncode == 130
        assert b"stopped by request; what it did is undone" in out
        assert foreign.transaction_id is None
        assert foreign.actions[-1] == "ClearChargingProfile"


async def test_one_command_stops_everything(bench, typed, tmp_path):
    async with (
        charge_point(bench, "CP-1", ENROLMENT),
        charge_point(bench, "CP-2", ENROLMENT) as foreign,
    ):
        for name in ("CP-1", "CP-2"):
            status, out, _ = await typed("run", A1, "--on", name, *FAST, "--detach")
            assert (status, f"{A1} on {name}" in out) == (0, True)
        status, out, _ = await typed("stop")
        assert (status, out.startswith("stopped 2 runs")) == (0, True)
        await until(lambda: foreign.transaction_id is None, "the end of the transaction")
        status, out, _ = await typed("runs", "--json")
        assert {json.loads(line)["state"] for line in out.splitlines()} == {"stopped"}


async def test_what_cannot_be_done_is_told_in_one_line(bench, typed, tmp_path):
    complaints = [
        (["run", "can-flod", "--on", "CP-1"], "there is no scenario 'can-flod'; do you mean can-flood"),
        (["run", A1, "--on", "CP-9"], "never seen: CP-9"),
        (["run", A1, "--on", "CP-1", "--set", "high_a=999"], "high_a: 999 is not in 0 … 300 A"),
        (["run", A1, "--on", "CP-1", "--set", "hi=1"], f"hi: {A1} has no such parameter"),
        (["run", A1, "--on", "CP-2"], f"{A1} runs on CP-2; --replace stops it first"),
        (["run", A1, "--on", "CP-1", "--for", "1e9"], "--for: Input should be less than or equal to 2592000"),
        (["run", "fleet-in-phase", "--on", "CP-1"], "but a mix: --mix fleet-in-phase"),
        (
            ["run", "--mix", "attack", "--on", "CP-1"],
            "there is no mix 'attack'; there are attacks-and-life, ",
        ),
        (
            ["run", "--mix", "attacks-and-life", "--on", "CP-1"],
            "attacks-and-life is drawn at random, without an end: give --count or --for",
        ),
        (["show", "attack-and-life"], "no scenario or mix 'attack-and-life'; do you mean attacks-and-life"),
        (["stop", "ffff"], "there is no run 'ffff'"),
        (["runs", "--url", "nonsense"], "'nonsense' is no address"),
    ]
    async with charge_point(bench, "CP-1", ENROLMENT), charge_point(bench, "CP-2", ENROLMENT):
        status, _, _ = await typed("run", A1, "--on", "CP-2", *FAST, "--detach")
        assert status == 0
        answers = [await typed(*line) for line, _ in complaints]
    for (line, complaint), (status, out, err) in zip(complaints, answers, strict=True):
        assert (status, out) == (2, "")
        (said,) = err.splitlines()
        assert said.startswith(f"chargebench scenario {line[0]}: ")
        assert complaint in said


async def test_a_csms_that_is_away_and_a_wrong_token_are_told(typed, monkeypatch):
    monkeypatch.setenv("CHARGEBENCH_TOKEN", "guess")
    status, _, err = await typed("stop")
    assert (status, "must carry the start-up token; the token is in $CHARGEBENCH_TOKEN" in err) == (
        2,
        True,
    )
    away = f"http://127.0.0.1:{free_port()}"
    status, _, err = await typed("list", "--url", away)
    assert (status, err) == (
        2,
        f"chargebench scenario list: The CSMS does not answer at {away}: no connection.\n",
    )
