"""What so many charge points need of each part, computed from what one costs. Pure.

docs/generate_scaling.py writes the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

DAY_S = 86_400

SIZES = (10_000, 100_000, 1_000_000)
"""Charge points that the page computes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A measured figure, and where it comes from."""

    value: float
    unit: str
    what: str
    source: str


# The one table to change when something was measured anew. `make settings` writes the page from it.
COSTS: Mapping[str, Cost] = {
    "events": Cost(
        9.55,
        "1/s",
        "events of a charge point that are no readings (half of them provoked, as by default)",
        "[what is sent](benchmarks.md#what-is-sent): 11.6 and 7.5",
    ),
    "readings": Cost(2, "1/s", "readings of a charge point, by CAN and by OCPP", "the same"),
    "calls": Cost(
        1.7, "1/s", "OCPP calls of a charge point, each with an answer", "the same: 4.5 and 2.3 messages"
    ),
    "event_bytes": Cost(444, "B", "an event on disk, with its indexes", "[results](benchmarks.md#results)"),
    "reading_bytes": Cost(327, "B", "a reading on disk, with indexes and rollups", "the same"),
    "rollup_bytes_day": Cost(
        2_400_000, "B", "rollups over a minute and an hour, a charge point and day", "[memory](memory.md)"
    ),
    "ocpp_bytes": Cost(640, "B", "an OCPP message, as it is kept", "[memory](memory.md)"),
    "csms_us": Cost(
        400, "µs", "CSMS: a MeterValues with ten measurands; taken for every call", "before its fast path"
    ),
    "mqtt_us": Cost(7, "µs", "MemoryBank: an event's part of a message", "[results](benchmarks.md#results)"),
    "message_us": Cost(60, "µs", "MemoryBank: a whole message", "the same"),
    "copy_us": Cost(4, "µs", "MemoryBank: COPY of an event", "the same"),
    "detection_us": Cost(
        11, "µs", "MemoryBank: decoding and 20 detectors, an event", "the same, on a busy machine"
    ),
    "postgres_us": Cost(9, "µs", "PostgreSQL: an event, rollups included", "the same"),
    "broker_us": Cost(
        3.6, "µs", "broker: an event in small messages", "the same; the embedded broker, not Mosquitto"
    ),
    "batch": Cost(8, "events", "in an MQTT message, from a process with many charge points", "the same"),
    "chargepoint_mb": Cost(47, "MB", "a charge point as a process of its own", "resident memory of one"),
}

# What is no measurement: bounds that stand in the code, and judgements, named as such on the page.
CSMS_REPLICAS = 21
"""OCPP's transaction ids are signed 32-bit integers, and each CSMS has 100 million of them."""
PARTITIONS = 16
"""contracts.topics: no more MemoryBanks than that."""
BUSY = 0.7
"""Share of a core that is planned with; what is left takes bursts and the work after an outage."""
PRIMARY_CORES = 32
"""PostgreSQL's machine: one primary writes."""


@dataclass(frozen=True, slots=True)
class Loads:
    """What one charge point costs each part, cores in seconds of processor time a second."""

    csms: float
    memorybank: float
    memorybank_alone: float
    """Where every event comes in a message of its own."""
    postgres: float
    broker: float
    events: float
    """Everything that is stored, readings included, a second."""
    disk_bytes_s: float
    ocpp_bytes_s: float


def loads(costs: Mapping[str, Cost] = COSTS, slower: float = 1.0) -> Loads:
    """Return the loads of one charge point that does everything `slower` times as seldom as at 1 Hz."""
    of = {name: cost.value for name, cost in costs.items()}
    events, readings, calls = of["events"] / slower, of["readings"] / slower, of["calls"] / slower
    stored = events + readings
    return Loads(
        csms=calls * of["csms_us"] * 1e-6,
        memorybank=stored * (of["mqtt_us"] + of["copy_us"] + of["detection_us"]) * 1e-6,
        memorybank_alone=stored * (of["message_us"] + of["copy_us"] + of["detection_us"]) * 1e-6,
        postgres=stored * of["postgres_us"] * 1e-6,
        broker=stored * of["broker_us"] * 1e-6,
        events=stored,
        disk_bytes_s=events * of["event_bytes"] + readings * of["reading_bytes"],
        ocpp_bytes_s=2 * calls * of["ocpp_bytes"],
    )


def limits(load: Loads) -> dict[str, int]:
    """Return how many charge points each part of one bench can take at most."""
    return {
        "CSMS": int(CSMS_REPLICAS * BUSY / load.csms),
        "MemoryBank": int(PARTITIONS * BUSY / load.memorybank),
        "PostgreSQL": int(PRIMARY_CORES * BUSY / load.postgres),
        "broker": int(BUSY / load.broker),
    }


@dataclass(frozen=True, slots=True)
class Need:
    """What a number of charge points needs: `benches` side by side, and the sum of all."""

    charge_points: int
    benches: int
    csms: int
    memorybanks: int
    postgres_cores: int
    broker_cores: float
    events_s: float
    messages_s: float
    disk_bytes_day: float
    rollups_bytes_day: float
    ocpp_bytes_s: float
    connections_each_csms: int
    processes_gb: float


def need(
    charge_points: int, costs: Mapping[str, Cost] = COSTS, *, slower: float = 1.0, brokers: int = 1
) -> Need:
    """Return what `charge_points` need; `brokers` is how many nodes a bench's broker has."""
    load = loads(costs, slower)
    most = limits(load)
    most["broker"] *= brokers
    benches = ceil(charge_points / min(most.values()))
    each = ceil(charge_points / benches)
    csms, memorybanks = ceil(each * load.csms / BUSY), ceil(each * load.memorybank / BUSY)
    return Need(
        charge_points=charge_points,
        benches=benches,
        csms=benches * csms,
        memorybanks=benches * memorybanks,
        postgres_cores=benches * ceil(each * load.postgres / BUSY),
        broker_cores=charge_points * load.broker,
        events_s=charge_points * load.events,
        messages_s=charge_points * load.events / costs["batch"].value,
        disk_bytes_day=charge_points * load.disk_bytes_s * DAY_S,
        rollups_bytes_day=charge_points * costs["rollup_bytes_day"].value,
        ocpp_bytes_s=charge_points * load.ocpp_bytes_s,
        connections_each_csms=ceil(each / csms),
        processes_gb=charge_points * costs["chargepoint_mb"].value / 1000,
    )
