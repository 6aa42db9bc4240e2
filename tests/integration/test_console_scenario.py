"""`chargebench scenario` as people type it, against a real CSMS with a charge point."""

import asyncio
import csv
import json
import os
import signal
import sys
from contextlib import asynccontextmanager

from console_apis import MemoryBankApi
from contracts.events import ScenarioLabel
from csms_parts import ENROLMENT, TOKEN, charge_point, csms, until
from real_parts import free_port

A1 = "repeated-current-fluctuation"
FAST = ("--set", "low_s=0.1", "--set", "start_s=0.1", "--set", "charge_s=0.3", "--set", "pause_s=0.3")


class Typed:
    """The command line before a bench: `await typed("list")` gives status, output, complaints."""

    def __init__(self, environ, cwd):
        self._environ = {**os.environ, "COLUMNS": "160", **environ}
        self._cwd = cwd

    async def started(self, *line):
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "chargebench", "scenario", *line),
            stdout=-1,
            stderr=-1,
            env=self._environ,
            cwd=self._cwd,
        )

    async def __call__(self, *line):
        process = await self.started(*line)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def bench_and_typed(tmp_path, **environ):
    memorybank = MemoryBankApi()
    memorybank.start()
    try:
        async with csms(tmp_path) as bench:
            places = {
                "CSMS_API_URL": f"http://127.0.0.1:{bench.http_port}",
                "CHARGEBENCH_TOKEN": TOKEN,
                "MEMORYBANK_API_URL": memorybank.url,
            }
            yield bench, Typed({**places, **environ}, tmp_path)
    finally:
        memorybank.stop()


async def test_the_catalogue_is_listed_and_told(tmp_path):
    async with bench_and_typed(tmp_path) as (_, typed):
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


async def test_a_run_ends_in_time_is_listed_compared_and_exported_with_its_label(tmp_path):
    async with (
        bench_and_typed(tmp_path) as (bench, typed),
        charge_point(bench, "CP-1", ENROLMENT) as foreign,
    ):
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


async def test_ctrl_c_stops_the_run_and_undoes_what_it_did(tmp_path):
    async with (
        bench_and_typed(tmp_path) as (bench, typed),
        charge_point(bench, "CP-1", ENROLMENT) as foreign,
    ):
        process = await typed.started("run", A1, "--on", "CP-1", *FAST[:4], "--set", "charge_s=60")
        await until(lambda: foreign.transaction_id is not None, "the transaction", timeout_s=30)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            out, _ = await process.communicate()
        assert process.returncode == 130
        assert b"stopped by request; what it did is undone" in out
        assert foreign.transaction_id is None
        assert foreign.actions[-1] == "ClearChargingProfile"


async def test_one_command_stops_everything(tmp_path):
    async with (
        bench_and_typed(tmp_path) as (bench, typed),
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


async def test_what_cannot_be_done_is_told_in_one_line(tmp_path):
    complaints = [
        (["run", "can-flod", "--on", "CP-1"], "there is no scenario 'can-flod'; do you mean can-flood"),
        (["run", A1, "--on", "CP-9"], "never seen: CP-9"),
        (["run", A1, "--on", "CP-1", "--set", "high_a=999"], "high_a: 999 is not in 0 … 300 A"),
        (["run", A1, "--on", "CP-1", "--set", "hi=1"], f"hi: {A1} has no such parameter"),
        (["stop", "ffff"], "there is no run 'ffff'"),
        (["runs", "--url", "nonsense"], "'nonsense' is no address"),
    ]
    async with bench_and_typed(tmp_path) as (bench, typed), charge_point(bench, "CP-1", ENROLMENT):
        answers = await asyncio.gather(*(typed(*line) for line, _ in complaints))
    for (line, complaint), (status, out, err) in zip(complaints, answers, strict=True):
        assert (status, out) == (2, "")
        (said,) = err.splitlines()
        assert said.startswith(f"chargebench scenario {line[0]}: ")
        assert complaint in said


async def test_a_csms_that_is_away_and_a_wrong_token_are_told(tmp_path):
    async with bench_and_typed(tmp_path, CHARGEBENCH_TOKEN="guess") as (_, typed):
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
