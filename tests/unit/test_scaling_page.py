"""docs/scaling.md: up to date, and the arithmetic behind it."""

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest

from contracts.topics import PARTITIONS
from csms.settings import Settings
from csms.state.transactions import IDS_PER_REPLICA

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def scaling():
    sys.path.insert(0, str(DOCS))
    try:
        yield importlib.import_module("scaling")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture
def costs(scaling):
    """Round figures, so that results can be checked by hand: ten events stored a second."""
    values = {
        "events": 8,
        "readings": 2,
        "calls": 2,
        "event_bytes": 100,
        "reading_bytes": 50,
        "csms_us": 500,
        "mqtt_us": 5,
        "message_us": 60,
        "copy_us": 5,
        "detection_us": 10,
        "postgres_us": 10,
        "broker_us": 5,
        "batch": 10,
        "ocpp_bytes": 500,
        "rollup_bytes_day": 1000,
        "chargepoint_mb": 50,
    }
    assert values.keys() == scaling.COSTS.keys()
    return {
        name: dataclasses.replace(cost, value=float(values[name])) for name, cost in scaling.COSTS.items()
    }


def test_the_page_is_up_to_date(scaling):
    """`make settings` writes it anew."""
    page = importlib.import_module("generate_scaling")
    assert (DOCS / "scaling.md").read_text(encoding="utf-8") == page.page()


def test_the_bounds_are_those_of_the_code(scaling):
    assert scaling.PARTITIONS == PARTITIONS
    assert scaling.CSMS_REPLICAS * IDS_PER_REPLICA < 2**31 < (scaling.CSMS_REPLICAS + 1) * IDS_PER_REPLICA
    replica = next(one for one in dataclasses.fields(Settings) if one.name == "replica")
    assert replica.metadata["check"](scaling.CSMS_REPLICAS - 1) is None
    assert replica.metadata["check"](scaling.CSMS_REPLICAS) is not None


def test_what_one_charge_point_costs(scaling, costs):
    load = scaling.loads(costs)
    assert load.csms == pytest.approx(0.001)  # 2 calls of 500 µs
    assert load.memorybank == pytest.approx(0.0002)  # 10 events of 20 µs
    assert load.memorybank_alone == pytest.approx(0.00075)
    assert load.postgres == pytest.approx(0.0001)
    assert load.broker == pytest.approx(0.00005)
    assert load.disk_bytes_s == 8 * 100 + 2 * 50
    assert load.ocpp_bytes_s == 2 * 2 * 500  # a call and its answer


def test_a_tenth_of_the_rate_is_a_tenth_of_everything(scaling, costs):
    fast, slow = scaling.loads(costs), scaling.loads(costs, slower=10)
    for field in dataclasses.fields(fast):
        assert getattr(fast, field.name) == pytest.approx(10 * getattr(slow, field.name)), field.name


def test_where_each_part_ends(scaling, costs):
    """At 70 % of a core: 21 CSMSs, 16 MemoryBanks, 32 cores of PostgreSQL, one broker."""
    assert {
        part: pytest.approx(most, abs=1) for part, most in scaling.limits(scaling.loads(costs)).items()
    } == {
        "CSMS": 14_700,
        "MemoryBank": 56_000,
        "PostgreSQL": 224_000,
        "broker": 14_000,
    }


def test_what_many_need(scaling, costs):
    """20,000 are two benches, by the broker; each has 15 CSMSs (14.3), 3 MemoryBanks (2.9), 2 cores (1.4)."""
    many = scaling.need(20_000, costs)
    assert (many.benches, many.csms, many.memorybanks, many.postgres_cores) == (2, 30, 6, 4)
    assert many.connections_each_csms == 667
    assert many.broker_cores == pytest.approx(1.0)
    assert many.events_s == pytest.approx(200_000)
    assert many.messages_s == pytest.approx(20_000)
    assert many.disk_bytes_day == pytest.approx(20_000 * 900 * 86_400)
    assert many.rollups_bytes_day == 20_000_000
    assert many.processes_gb == pytest.approx(1000)


def test_more_brokers_move_the_limit_to_the_next_part(scaling, costs):
    assert scaling.need(28_000, costs, brokers=4).benches == 2  # 14,700 by the CSMSs
    assert scaling.need(29_500, costs, brokers=4).benches == 3
