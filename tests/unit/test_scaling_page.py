"""docs/scaling.md: up to date, and the arithmetic behind it."""

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.knee.steps import Backlog, Step
from charger.settings import Settings as ChargerSettings
from chassis.publisher import FLUSH_PERIOD_S, LONGEST_PERIOD_S, period_s
from chassis.settings import read
from contracts.backplane import BUSES_PER_CHARGE_POINT, FIRST_BUS_PORT
from contracts.topics import PARTITIONS
from csms.settings import Settings
from csms.state.transactions import IDS_PER_REPLICA
from kubernetes_parts import OVERLAYS, Manifests
from memorybank.settings import Settings as MemoryBankSettings

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
        "stored": 10,
        "chargepoint_events": 6,
        "csms_events": 4,
        "calls": 2,
        "ocpp_bytes": 500,
        "chargepoint_us": 1400,
        "charger_us": 700,
        "csms_us": 1000,
        "memorybank_us": 200,
        "postgres_us": 100,
        "broker_us": 50,
        "message_us": 55,
        "alone_mb": 50,
        "chargepoint_mb": 30,
        "chargepoint_kb": 60,
        "charger_mb": 20,
        "charger_kb": 10,
        "lab_mb": 10,
        "csms_mb": 50,
        "csms_kb": 30,
        "memorybank_mb": 60,
        "memorybank_kb": 20,
        "disk_bytes": 900,
        "rollup_bytes_day": 1000,
        "provoked_bytes_day": 100_000_000,
        "wal_bytes": 1200,
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


@given(events_s=st.floats(0, 100_000))
def test_a_process_gathers_for_as_long_as_its_publisher_does(scaling, events_s: float):
    """The time at which the publisher comes to rest: what comes in it asks for it again."""
    assert (scaling.FLUSH_S, scaling.LONGEST_FLUSH_S) == (FLUSH_PERIOD_S, LONGEST_PERIOD_S)
    at_rest_s = scaling.flush_s(events_s)
    assert period_s(round(events_s * at_rest_s)) == pytest.approx(at_rest_s, abs=0.0002)


def test_a_pod_has_what_its_charger_and_its_ports_allow(scaling):
    capacity = next(one for one in dataclasses.fields(ChargerSettings) if one.name == "capacity")
    assert capacity.default == scaling.BUSES
    assert scaling.ON_ONE_NETWORK == (65_536 - FIRST_BUS_PORT) // BUSES_PER_CHARGE_POINT


def test_the_manifests_give_a_pod_what_its_charge_points_cost(scaling):
    """Processor and memory requested as measured; a limit with room for an outage, twice of it."""
    manifests = Manifests("production")
    pod = manifests.workload("chargepoint")
    many = int(manifests.environment(pod.container("chargepoint"), 1)["CHARGE_POINTS"])
    assert many == scaling.IN_POD <= min(scaling.pod_limits(scaling.loads()).values())
    for service in ("chargepoint", "charger"):
        resources = pod.container(service)["resources"]
        costs = {name: scaling.COSTS[f"{service}_{name}"].value for name in ("us", "mb", "kb")}
        assert float(resources["requests"]["cpu"].removesuffix("m")) >= many * costs["us"] / 1000, service
        memory_mb = costs["mb"] + many * costs["kb"] / 1000
        assert float(resources["requests"]["memory"].removesuffix("Mi")) >= memory_mb, service
        assert float(resources["limits"]["memory"].removesuffix("Mi")) >= 2 * memory_mb, service
    csms, each = manifests.workload("csms").container("csms")["resources"], pod.replicas * many
    memory_mb = scaling.COSTS["csms_mb"].value + each * scaling.COSTS["csms_kb"].value / 1000
    assert float(csms["limits"]["memory"].removesuffix("Mi")) >= 2 * memory_mb


def volume_bytes(manifests):
    """What the manifests ask for PostgreSQL's rows and indexes."""
    for cluster in manifests.named("Cluster").values():
        assert "walStorage" in cluster["spec"]
        size = cluster["spec"]["storage"]["size"]
        break
    else:
        (claim,) = manifests.workload("postgres").spec["volumeClaimTemplates"]
        size = claim["spec"]["resources"]["requests"]["storage"]
    return int(size.removesuffix("Gi")) * 2**30


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_retention_leaves_fits_on_the_volume_of_the_manifests(scaling, overlay):
    """What never goes fits in RETENTION_GB, were half provoked; a fifth of the volume is room beside that."""
    manifests = Manifests(overlay)
    pod, memorybank = manifests.workload("chargepoint"), manifests.workload("memorybank")
    each = int(manifests.environment(pod.container("chargepoint"), 1)["CHARGE_POINTS"])
    environ = manifests.environment(memorybank.container("memorybank"), 1)
    assert {"RETENTION_SPAN", "RETENTION_GB", "RETENTION_ROLLUP_DAYS"} <= environ.keys()
    settings = read(MemoryBankSettings, environ)
    left = scaling.kept(pod.replicas * each, 1, settings.retention_rollup_days)
    rows = left.rows / {"day": 1, "hour": 24}[settings.retention_span]
    provoked = scaling.COSTS["provoked_bytes_day"].value / (scaling.COSTS["disk_bytes"].value * 86_400)
    most = settings.retention_gb * 1e9
    assert provoked * rows + left.rollups <= most
    between_passes = pod.replicas * each * scaling.COSTS["disk_bytes"].value * 600
    assert most + between_passes <= 0.8 * volume_bytes(manifests)


def test_what_one_charge_point_costs(scaling, costs):
    load = scaling.loads(costs)
    assert load.chargepoint == pytest.approx(0.0014)
    assert load.memorybank == pytest.approx(0.0002)
    assert load.memorybank_alone == pytest.approx(0.00075)  # 55 µs more for each of 10 events
    assert load.disk_bytes_s == 900
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


def test_where_a_pod_ends(scaling, costs):
    """By the time of its charge points; where they are slow, by what its charger serves."""
    limits = scaling.pod_limits(scaling.loads(costs))
    assert list(limits.values()) == [pytest.approx(500, abs=1), pytest.approx(1000, abs=1)]
    assert min(scaling.pod_limits(scaling.loads(costs, slower=10)).values()) == 1000


def test_what_many_need(scaling, costs):
    """19,960 are two benches, by the broker; each has 15 CSMSs (14.3), 3 MemoryBanks (2.9), 2 cores (1.4)."""
    many = scaling.need(19_960, costs)
    assert (many.benches, many.csms, many.memorybanks, many.postgres_cores) == (2, 30, 6, 4)
    assert (many.pods, many.in_each_pod, many.connections_each_csms) == (40, 499, 666)
    assert many.chargepoint_cores == pytest.approx(27.944)
    assert many.charger_cores == pytest.approx(13.972)
    assert many.broker_cores == pytest.approx(0.998)
    assert many.pods_gb == pytest.approx(40 * 0.060 + 19_960 * 0.000_070)
    assert many.csms_gb == pytest.approx(30 * 0.050 + 19_960 * 0.000_030)
    assert many.memorybanks_gb == pytest.approx(6 * 0.060 + 19_960 * 0.000_020)
    assert many.processes_gb == pytest.approx(998)
    assert many.stored_s == pytest.approx(199_600)
    assert many.messages_s == pytest.approx(40 * 16 / 0.14274 + 30 * 16 / 0.13627, rel=1e-4)
    assert many.disk_bytes_day == pytest.approx(19_960 * 900 * 86_400)
    assert many.rollups_bytes_day == 19_960_000


def test_few_events_of_a_process_are_a_message_each(scaling, costs):
    """Ten charge points in one pod, at one CSMS: 60 and 40 events a second."""
    assert scaling.need(10, costs).messages_s == pytest.approx(100)


def test_more_brokers_move_the_limit_to_the_next_part(scaling, costs):
    assert scaling.need(28_000, costs, brokers=4).benches == 2  # 14,700 by the CSMSs
    assert scaling.need(29_500, costs, brokers=4).benches == 3


def test_a_cluster_of_brokers_gains_only_where_the_broker_is_the_least(scaling):
    page = importlib.import_module("generate_scaling")
    gains = page.cluster({"CSMS": 50_000, "MemoryBank": 45_000, "broker": 20_000})
    assert gains == "With 4, a bench holds 45,000, and the MemoryBank is next."
    assert (
        page.cluster({"CSMS": 30_000, "broker": 10_000})
        == "With 4, a bench holds 30,000, and the CSMS is next."
    )
    assert page.cluster({"CSMS": 90_000, "broker": 10_000}).startswith(
        "With 4, a bench holds 40,000, and the broker"
    )
    nothing = page.cluster({"CSMS": 43_000, "broker": 44_000})
    assert nothing == "At these costs it gains nothing: the CSMS is the least already, with 43,000."


def test_the_table_is_printed_for_other_numbers(scaling, capsys):
    """The page's own columns for the page's sizes, so the same table; the page stays as it is."""
    page = importlib.import_module("generate_scaling")
    before = (DOCS / "scaling.md").read_bytes()
    assert page.main(["--for", *(str(size) for size in scaling.SIZES)]) == 0
    assert capsys.readouterr().out in before.decode()
    assert page.main(["--for", "5000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "|  | 5,000 |"
    assert f"| disk a day | {5000 * scaling.COSTS['disk_bytes'].value * 86_400 / 1e12:.3g} TB |" in lines
    assert (DOCS / "scaling.md").read_bytes() == before


@pytest.mark.parametrize("wrong", ["0", "-5", "many", "5.5", "1000000001"])
def test_what_is_no_number_of_charge_points_is_refused(scaling, capsys, wrong):
    page = importlib.import_module("generate_scaling")
    with pytest.raises(SystemExit, match="2"):
        page.main(["--for", wrong])
    assert wrong in capsys.readouterr().err


def test_what_stays_on_disk(scaling, costs):
    """Of ten charge points three days of rows, for two that were asked for, and a month more of rollups."""
    left = scaling.kept(10, 2, 100, costs)
    assert left.rows == pytest.approx(3 * 10 * (900 * 86_400 - 1000))
    assert left.rollups == 131 * 10 * 1000
    assert left.bytes == left.rows + left.rollups


def test_the_table_can_be_filled_from_a_knee(scaling):
    """From the largest number that was held; memory by what lies between it and the smallest."""

    def step(count, *, held=True):
        cpu = dict.fromkeys(("chargepoint", "charger", "csms", "memorybank"), count * 0.001)
        return dataclasses.asdict(
            Step(
                charge_points=count,
                readings_a_second=count * 2.0,
                events_a_second=count * 9.0,
                cpu={**cpu, "postgres": count * 0.0005, "broker": count * 0.0001},
                memory_mb=dict.fromkeys(cpu, 30 + count * 0.05) | {"lab": 29.0},
                backlogs={
                    "outbox of chargepoint": Backlog(before=0, after=0, a_second=count * 6.0),
                    "outbox of csms": Backlog(before=0, after=0, a_second=count * 3.0),
                },
                database_bytes_a_second=count * 4000.0,
                wal_bytes_a_second=count * 6000.0,
            )
        ) | {"held": held}

    measure = importlib.import_module("measure_scaling")
    found = measure.measured([step(100), step(800, held=False), step(400)])
    assert found.keys() <= scaling.COSTS.keys()
    assert {name: round(value, 6) for name, value in found.items()} == {
        "stored": 9, "chargepoint_events": 6, "csms_events": 3, "disk_bytes": 4000, "wal_bytes": 6000,
        "lab_mb": 29,
        "chargepoint_us": 1000, "charger_us": 1000, "csms_us": 1000, "memorybank_us": 1000,
        "postgres_us": 500, "broker_us": 100, "chargepoint_kb": 50, "chargepoint_mb": 30,
        "charger_kb": 50, "charger_mb": 30, "csms_kb": 50, "csms_mb": 30,
        "memorybank_kb": 50, "memorybank_mb": 30,
    }  # fmt: skip
    with pytest.raises(ValueError, match="two numbers"):
        measure.measured([step(100), step(200, held=False)])
