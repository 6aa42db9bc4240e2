"""Mixes and sequences over the HTTP API, on charge points: bounded, the same by seed, stopped and undone."""

import asyncio

import pytest

from csms_parts import ENROLMENT, charge_point, csms, until

ENTRY = """
[[runs]]
scenario = "repeated-current-fluctuation"
lasts_s = {lasts_s}
parameters = {{ low_s = 0.1, start_s = 0.1, charge_s = 0.2, pause_s = 0.1, high_a = {high_a} }}
"""
HEAD = 'name = "quick"\ntitle = "t"\ndescription = "d"\npause_s = 0.1\n'


def quick(*entries: str, more: str = "") -> str:
    return HEAD + more + "".join(entries)


SHORT = ENTRY.format(lasts_s=1.5, high_a="{ from = 20, to = 90 }")
LONG = ENTRY.format(lasts_s=600, high_a=40)


@pytest.fixture
async def bench(tmp_path):
    async with csms(tmp_path) as running:
        yield running


async def start(bench, *ids, toml=None, **more):
    body = {"charge_point_ids": list(ids), **({} if toml is None else {"toml": toml}), **more}
    return await bench.http.post("/api/mix-runs", json=body)


async def runs_of(bench, started):
    mix_run_id = started.json()["mix_run_id"]
    return (await bench.http.get("/api/scenario-runs", params={"mix_run_id": mix_run_id})).json()


async def ended(bench, started):
    """Return the mix's run once it has ended."""
    async with asyncio.timeout(40):
        while True:
            told = (await bench.http.get(f"/api/mix-runs/{started.json()['mix_run_id']}")).json()
            if told["state"] != "running":
                return told
            await asyncio.sleep(0.05)


async def test_one_seed_lives_the_same_runs_at_each_charge_point(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as first, charge_point(bench, "CP-2", ENROLMENT):
        mix = quick(SHORT, ENTRY.format(lasts_s=1, high_a=11))
        lived = []
        for _ in range(2):
            started = await start(bench, "CP-1", "CP-2", toml=mix, seed=5, count=2)
            assert started.status_code == 201, started.text
            told = await ended(bench, started)
            assert (told["state"], told["runs"], told["reason"]) == ("finished", 4, None)
            lived.append(await runs_of(bench, started))
        facts = [
            sorted((run["charge_point_ids"], run["seed"], run["parameters"]["high_a"]) for run in runs)
            for runs in lived
        ]
        assert facts[0] == facts[1]
        assert len({run["run_id"] for runs in lived for run in runs}) == 8
        assert {run["state"] for runs in lived for run in runs} == {"finished"}
        await until(lambda: first.transaction_id is None, "the end of the last transaction")
        assert first.actions[-1] == "ClearChargingProfile"


async def test_a_sequence_ends_after_one_round_and_a_time_ends_any(bench):
    async with charge_point(bench, "CP-1", ENROLMENT):
        entries = [ENTRY.format(lasts_s=1, high_a=high_a) for high_a in (10, 20)]
        started = await start(bench, "CP-1", toml=quick(*entries, more='order = "sequence"\n'))
        assert (await ended(bench, started))["state"] == "finished"
        assert [run["parameters"]["high_a"] for run in await runs_of(bench, started)] == [20, 10]
        started = await start(bench, "CP-1", toml=quick(LONG), lasts_s=1.5)
        assert (await ended(bench, started))["state"] == "finished"
        (run,) = await runs_of(bench, started)
        assert run["reason"] == "its time is over"


async def test_a_mix_is_stopped_alone_and_with_everything(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as first, charge_point(bench, "CP-2", ENROLMENT):
        started = await start(bench, "CP-1", toml=quick(LONG), count=100)
        await until(lambda: first.transaction_id is not None, "a transaction")
        stopped = await bench.http.delete(f"/api/mix-runs/{started.json()['mix_run_id']}")
        assert (stopped.json()["state"], stopped.json()["reason"]) == ("stopped", "stopped by request")
        assert first.transaction_id is None
        (run,) = await runs_of(bench, started)
        assert (run["state"], run["reason"]) == ("stopped", "its mix was stopped")
        started = await start(bench, "CP-1", "CP-2", toml=quick(LONG), count=100)
        await until(lambda: first.transaction_id is not None, "a transaction")
        answer = (await bench.http.post("/api/stop-all")).json()
        assert answer["stopped_runs"] == 2
        assert (await ended(bench, started))["reason"] == "stopped with all"
        assert {run["state"] for run in await runs_of(bench, started)} == {"stopped"}
        again = await bench.http.delete(f"/api/mix-runs/{started.json()['mix_run_id']}")
        assert again.status_code == 404


async def test_charge_points_that_are_busy_are_left_or_taken(bench):
    async with charge_point(bench, "CP-1", ENROLMENT):
        first = await start(bench, "CP-1", toml=quick(LONG), count=9)
        second = await start(bench, "CP-1", toml=quick(LONG), count=9)
        assert (second.status_code, second.json()["detail"]) == (409, "quick runs on CP-1")
        second = await start(bench, "CP-1", toml=quick(LONG), count=9, replace=True)
        assert second.status_code == 201
        assert (await ended(bench, first))["reason"] == "another mix was started"
        taken = {"scenario": "benign-charging", "charge_point_ids": ["CP-1"], "replace": True}
        assert (await bench.http.post("/api/scenario-runs", json=taken)).status_code == 201
        told = await ended(bench, second)
        assert (told["state"], told["reason"]) == ("failed", "benign-charging runs on CP-1")


async def test_what_is_wrong_is_refused(bench):
    async with charge_point(bench, "CP-1", ENROLMENT), charge_point(bench, "FOREIGN"):
        for ids, more, status, complaint in (
            (["CP-1"], {"mix": "attacks-and-life"}, 422, "give count or lasts_s"),
            (["CP-1"], {"mix": "nonsense"}, 404, "there is no mix 'nonsense'; there are attacks-and-life"),
            (
                ["CP-1"],
                {"toml": quick("[[runs]]\nscenario = 7\n"), "file_name": "my.toml"},
                422,
                "my.toml: runs[0]",
            ),
            (["CP-9"], {"toml": quick(SHORT), "count": 1}, 404, "never seen: CP-9"),
            (["FOREIGN"], {"toml": quick(SHORT), "count": 1}, 403, "neither enrolled"),
            (["CP-1"], {}, 422, "give either mix"),
        ):
            refused = await start(bench, *ids, **more)
            assert (refused.status_code, complaint in refused.text) == (status, True), refused.text
        assert (await bench.http.get("/api/mix-runs")).json() == []


async def test_mixes_are_listed_and_outlive_no_process(tmp_path):
    async with csms(tmp_path) as bench, charge_point(bench, "CP-1", ENROLMENT):
        names = [mix["name"] for mix in (await bench.http.get("/api/mixes")).json()]
        assert names == ["attacks-and-life", "every-layer-in-turn", "fleet-in-phase"]
        await start(bench, "CP-1", toml=quick(LONG), count=9)
    async with csms(tmp_path) as bench:
        (told,) = (await bench.http.get("/api/mix-runs")).json()
        assert (told["state"], told["reason"]) == ("stopped", "the CSMS was stopped")
