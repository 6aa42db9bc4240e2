"""What so many charge points need of each part, computed from what one costs. Pure.

docs/generate_scaling.py writes the page; docs/measure_scaling.py says what `make bench-knee` has measured.
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


KNEE = "`make bench-knee`, 1,000 charge points"
"""Where most of the table comes from: the whole chain, the dearest of five runs (docs/performance.md)."""

# The one table to change when something was measured anew. `make settings` writes the page from it.
COSTS: Mapping[str, Cost] = {
    "stored": Cost(9.0, "1/s", "events of a charge point that are stored, its two readings included", KNEE),
    "chargepoint_events": Cost(6.0, "1/s", "of these what the charge point publishes", KNEE),
    "csms_events": Cost(3.05, "1/s", "of these what its CSMS publishes", KNEE),
    "calls": Cost(
        1.15,
        "1/s",
        "OCPP calls of a charge point, each with an answer",
        "[what is sent](benchmarks.md#what-is-sent)",
    ),
    "ocpp_bytes": Cost(640, "B", "an OCPP message, as it is kept", "[memory](memory.md)"),
    "chargepoint_us": Cost(611, "µs", "processor time of a charge point's second: the charge point", KNEE),
    "charger_us": Cost(218, "µs", "… its charger module", KNEE),
    "csms_us": Cost(377, "µs", "… the CSMS: with a MeterValues of ten samples", KNEE),
    "memorybank_us": Cost(260, "µs", "… the MemoryBank: MQTT, 20 detectors, COPY", KNEE),
    "postgres_us": Cost(240, "µs", "… PostgreSQL, rollups included", KNEE),
    "broker_us": Cost(12, "µs", "… the broker", f"{KNEE}; the embedded broker, not Mosquitto"),
    "message_us": Cost(
        11.5,
        "µs",
        "MemoryBank: a message received and acknowledged, whatever is in it",
        "[decisions](decisions.md#paho-is-given-a-socket-of-ours)",
    ),
    "alone_mb": Cost(
        54.3,
        "MB",
        "a charge point and its module as processes of their own",
        "[results](benchmarks.md#results)",
    ),
    "chargepoint_mb": Cost(31.0, "MB", "memory of a process of charge points", KNEE),
    "chargepoint_kb": Cost(64.4, "kB", "… and of each charge point in it", KNEE),
    "charger_mb": Cost(23.2, "MB", "memory of a charger's process", KNEE),
    "charger_kb": Cost(7.1, "kB", "… and of each module in it", KNEE),
    "lab_mb": Cost(30, "MB", "memory of an injector, one in each pod", KNEE),
    "csms_mb": Cost(48.2, "MB", "memory of a CSMS", KNEE),
    "csms_kb": Cost(35.1, "kB", "… and of each charge point that it holds", KNEE),
    "memorybank_mb": Cost(58.5, "MB", "memory of a MemoryBank", KNEE),
    "memorybank_kb": Cost(23.0, "kB", "… and of each charge point of its share", KNEE),
    "disk_bytes": Cost(4200, "B/s", "disk of a charge point, indexes and rollups included", KNEE),
    "rollup_bytes_day": Cost(
        2_400_000, "B", "of these a day rollups over a minute and an hour", "[memory](memory.md)"
    ),
    "provoked_bytes_day": Cost(
        433_200_000,
        "B",
        "disk of a charge point's day where half are provoked; of 8, so rather too much",
        "[memory](memory.md#what-it-costs)",
    ),
    "wal_bytes": Cost(6700, "B/s", "write-ahead log of a charge point, written and used again", KNEE),
}

# What is no measurement: bounds that stand in the code, and judgements, named as such on the page.
CSMS_REPLICAS = 21
"""OCPP's transaction ids are signed 32-bit integers, and each CSMS has 100 million of them."""
PARTITIONS = 16
"""contracts.topics: no more MemoryBanks than that."""
FLUSH_S, LONGEST_FLUSH_S = 0.1, 0.25
"""chassis.publisher: for so long a process gathers its events; the more come, the longer (`flush_s`)."""
BUSES = 1000
"""CHARGER_CAPACITY: what a charger serves on request."""
IN_POD = 250
"""deploy/kubernetes/fleet: charge points in a pod."""
ON_ONE_NETWORK = 11_384
"""Charge points on one CAN network, by their ports."""
BUSY = 0.7
"""Share of a core that is planned with; what is left takes bursts and the work after an outage."""
PRIMARY_CORES = 32
"""PostgreSQL's machine: one primary writes."""
MONTH_DAYS = 31
"""Rollups over a minute are dropped by the month."""


@dataclass(frozen=True, slots=True)
class Loads:
    """What one charge point costs each part, cores in seconds of processor time a second."""

    chargepoint: float
    charger: float
    csms: float
    memorybank: float
    memorybank_alone: float
    """Where every event comes in a message of its own."""
    postgres: float
    broker: float
    stored: float
    """Events and readings a second."""
    chargepoint_events: float
    csms_events: float
    disk_bytes_s: float
    wal_bytes_s: float
    ocpp_bytes_s: float


def loads(costs: Mapping[str, Cost] = COSTS, slower: float = 1.0) -> Loads:
    """Return the loads of one charge point that does everything `slower` times as seldom as at 1 Hz."""
    of = {name: cost.value / slower for name, cost in costs.items()}
    return Loads(
        chargepoint=of["chargepoint_us"] * 1e-6,
        charger=of["charger_us"] * 1e-6,
        csms=of["csms_us"] * 1e-6,
        memorybank=of["memorybank_us"] * 1e-6,
        memorybank_alone=(of["memorybank_us"] + of["stored"] * costs["message_us"].value) * 1e-6,
        postgres=of["postgres_us"] * 1e-6,
        broker=of["broker_us"] * 1e-6,
        stored=of["stored"],
        chargepoint_events=of["chargepoint_events"],
        csms_events=of["csms_events"],
        disk_bytes_s=of["disk_bytes"],
        wal_bytes_s=of["wal_bytes"],
        ocpp_bytes_s=2 * of["calls"] * costs["ocpp_bytes"].value,
    )


def flush_s(events_s: float) -> float:
    """Return for how long a process of so many events a second gathers what belongs to a partition.

    As long again for every 1,000 events gathered: the time at which that comes to rest.
    """
    more = events_s * FLUSH_S / 1000
    return min(LONGEST_FLUSH_S, FLUSH_S / (1 - more)) if more < 1 else LONGEST_FLUSH_S


def limits(load: Loads) -> dict[str, int]:
    """Return how many charge points each part of one bench can take at most."""
    return {
        "CSMS": int(CSMS_REPLICAS * BUSY / load.csms),
        "MemoryBank": int(PARTITIONS * BUSY / load.memorybank),
        "PostgreSQL": int(PRIMARY_CORES * BUSY / load.postgres),
        "broker": int(BUSY / load.broker),
    }


def pod_limits(load: Loads) -> dict[str, int]:
    """Return how many charge points each process of a pod can take at most."""
    return {
        "charge points' process": int(BUSY / load.chargepoint),
        "charger's process": min(BUSES, int(BUSY / load.charger)),
    }


@dataclass(frozen=True, slots=True)
class Need:
    """What a number of charge points needs: `benches` side by side, and the sum of all. Memory in GB."""

    charge_points: int
    benches: int
    pods: int
    in_each_pod: int
    chargepoint_cores: float
    charger_cores: float
    pods_gb: float
    processes_gb: float
    """Were every charge point and every module a process."""
    csms: int
    connections_each_csms: int
    csms_gb: float
    memorybanks: int
    memorybanks_gb: float
    postgres_cores: int
    broker_cores: float
    stored_s: float
    messages_s: float
    disk_bytes_day: float
    rollups_bytes_day: float
    wal_bytes_s: float
    ocpp_bytes_s: float


def need(
    charge_points: int, costs: Mapping[str, Cost] = COSTS, *, slower: float = 1.0, brokers: int = 1
) -> Need:
    """Return what `charge_points` need; `brokers` is how many nodes a bench's broker has."""
    of = {name: cost.value for name, cost in costs.items()}
    load = loads(costs, slower)
    most = limits(load)
    most["broker"] *= brokers
    benches = ceil(charge_points / min(most.values()))
    each = ceil(charge_points / benches)
    pods = ceil(each / min(pod_limits(load).values()))
    in_pod = ceil(each / pods)
    csms, memorybanks = ceil(each * load.csms / BUSY), ceil(each * load.memorybank / BUSY)

    def memory_gb(processes: int, mb: float, each_kb: float) -> float:
        return benches * processes * mb / 1e3 + charge_points * each_kb / 1e6

    def messages(processes: int, events: float) -> float:
        events_s = each / processes * events
        return benches * processes * min(events_s, PARTITIONS / flush_s(events_s))

    return Need(
        charge_points=charge_points,
        benches=benches,
        pods=benches * pods,
        in_each_pod=in_pod,
        chargepoint_cores=charge_points * load.chargepoint,
        charger_cores=charge_points * load.charger,
        pods_gb=memory_gb(
            pods,
            of["chargepoint_mb"] + of["charger_mb"] + of["lab_mb"],
            of["chargepoint_kb"] + of["charger_kb"],
        ),
        processes_gb=charge_points * of["alone_mb"] / 1e3,
        csms=benches * csms,
        connections_each_csms=ceil(each / csms),
        csms_gb=memory_gb(csms, of["csms_mb"], of["csms_kb"]),
        memorybanks=benches * memorybanks,
        memorybanks_gb=memory_gb(memorybanks, of["memorybank_mb"], of["memorybank_kb"]),
        postgres_cores=benches * ceil(each * load.postgres / BUSY),
        broker_cores=charge_points * load.broker,
        stored_s=charge_points * load.stored,
        messages_s=messages(pods, load.chargepoint_events) + messages(csms, load.csms_events),
        disk_bytes_day=charge_points * load.disk_bytes_s * DAY_S,
        rollups_bytes_day=charge_points * of["rollup_bytes_day"],
        wal_bytes_s=charge_points * load.wal_bytes_s,
        ocpp_bytes_s=charge_points * load.ocpp_bytes_s,
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """What retention leaves on disk at most, in bytes: single rows, and rollups over a minute and an hour."""

    rows: float
    rollups: float

    @property
    def bytes(self) -> float:
        """Both together."""
        return self.rows + self.rollups


def kept(charge_points: int, days: int, rollup_days: int, costs: Mapping[str, Cost] = COSTS) -> Kept:
    """Return what `charge_points` at 1 Hz leave on disk with these two settings of retention.

    A day goes when all in it is too old, so that one more than was asked for is there.
    """
    of = {name: cost.value for name, cost in costs.items()}
    rows_day = charge_points * (of["disk_bytes"] * DAY_S - of["rollup_bytes_day"])
    rollups_day = charge_points * of["rollup_bytes_day"]
    return Kept((days + 1) * rows_day, (rollup_days + MONTH_DAYS) * rollups_day)
