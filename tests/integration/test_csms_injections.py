"""Steps that inject: ordered through a broker, told in the truth, withdrawn at the end."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from chassis.mqtt import MqttSettings
from chassis.performer import CannotInject, Performer
from contracts.events import ScenarioLabel
from contracts.injections import MeterGain
from contracts.topics import injections_topic
from csms_parts import ENROLMENT, charge_point, csms, until

SCENARIO = "meter-scaling"
FAST = {"before_s": 20, "duration_s": 10}


def account(broker, user):
    return MqttSettings(host=broker.host, port=broker.port, user=user, password=broker.password)


@pytest.fixture
async def bench(tmp_path, broker):
    async with csms(tmp_path, mqtt=account(broker, "csms")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """The preparation of every scenario is sixty seconds of plain charging."""
    from csms.scenario_driver import ScenarioDriver  # noqa: PLC0415

    async def at_once(self, seconds):
        await asyncio.sleep(min(seconds, 0.3))

    monkeypatch.setattr(ScenarioDriver, "_wait", at_once)


@asynccontextmanager
async def performing(broker, performed, *, reason=""):
    """Sit at CP-1 as the charge point does."""

    @asynccontextmanager
    async def perform(order):
        if reason:
            raise CannotInject(reason)
        performed.append(order)
        try:
            yield
        finally:
            performed.append(None)

    topic, places = injections_topic("CP-1"), frozenset({"charge_point"})
    async with Performer(account(broker, "chargepoint"), "performer", topic, places, perform) as performer:
        await until(lambda: performer.connected, "the broker")
        yield performer


async def start(bench):
    body = {"scenario": SCENARIO, "charge_point_ids": ["CP-1"], "parameters": FAST, "seed": 7}
    answer = await bench.http.post("/api/scenario-runs", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["run_id"]


async def test_an_injection_is_ordered_labelled_and_withdrawn(bench, broker):
    performed = []
    async with performing(broker, performed), charge_point(bench, "CP-1", ENROLMENT):
        run_id = await start(bench)
        await until(lambda: performed, "the injection")
        assert performed[0].injection == MeterGain(gain=0.45)
        assert performed[0].seconds == FAST["duration_s"]
        await bench.http.delete(f"/api/scenario-runs/{run_id}")
        await until(lambda: performed[-1] is None, "the withdrawal")
        await until(lambda: len(bench.events(ScenarioLabel)) == 2, "both labels")
    started, ended = bench.events(ScenarioLabel)
    assert (started.anomaly, started.phase, ended.phase) == (SCENARIO, "started", "ended")
    assert started.at <= ended.physical_started_at <= ended.physical_ended_at


async def test_where_nobody_can_the_run_says_why(bench, broker):
    async with performing(broker, [], reason="the meter is sealed"), charge_point(bench, "CP-1", ENROLMENT):
        await start(bench)

        async def reason():
            (run,) = (await bench.http.get("/api/scenario-runs")).json()
            return run["reason"] or ""

        async with asyncio.timeout(20):
            while "the meter is sealed" not in await reason():  # noqa: ASYNC110 - nobody wakes us
                await asyncio.sleep(0.05)
        assert "CP-1: meter_gain cannot be injected: the meter is sealed" in await reason()
