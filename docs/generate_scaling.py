"""Write docs/scaling.md from the measured costs in docs/scaling.py.

Example: .venv/bin/python docs/generate_scaling.py --for 5000
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from generated import parser, write
from scaling import (
    BUSES,
    BUSY,
    COSTS,
    CSMS_REPLICAS,
    DAY_S,
    FLUSH_S,
    IN_POD,
    LONGEST_FLUSH_S,
    MONTH_DAYS,
    ON_ONE_NETWORK,
    PARTITIONS,
    PRIMARY_CORES,
    SIZES,
    Need,
    flush_s,
    kept,
    limits,
    loads,
    need,
    pod_limits,
)

PAGE = Path(__file__).parent / "scaling.md"

HEAD = """# Scaling: what so many charge points need

Computed, not run: what one charge point costs each part was measured on two cores, and is multiplied.
`docs/generate_scaling.py` makes this page from the table in `docs/scaling.py`, so that a cost that was
measured anew changes every figure; a test checks that it is up to date. Most of the table is what
`make bench-knee` measures, the whole chain at work: `.venv/bin/python docs/measure_scaling.py
build/knee.json` prints it beside what stands there. Real machines have other cores, and what goes wrong
first at a size where nobody has been is not known.

A charge point is at 1 Hz: it charges without end, its module and its MeterValues report every second. One
that lives the base scenario makes nearly half as many events again
([what is sent](benchmarks.md#what-is-sent)). A fleet that rests is cheaper.
"""

BETWEEN = """
## Where each part's limit is
How many charge points one bench takes, each part by itself, at {busy:.0%} of a core:

| Part | Charge points | What the limit is | What to do there |
|---|---:|---|---|
{limits}

The least of them is the size of a bench, here {size:,}. Beyond it are several benches side by side,
*regions*: each in a namespace of its own, with its own broker, CSMSs, MemoryBanks and database, and charge
points named for their region. Nothing has to pass between them but what a person wants to see together: a
Grafana data source each. Detectors of the fleet (oscillation, mass step) see one region.

The charge points themselves have no limit of a bench, only one of each process. A pod in
[fleet mode](kubernetes.md#many-charge-points-in-a-pod) has one of them and one of their modules:

| Process | Charge points | What the limit is | What to do there |
|---|---:|---|---|
{pod_limits}

In a pod CAN stays on its loopback, so pods share no ports. Where containers share a network
([compose](containers.md#how-many-charge-points)), ports end at {on_one_network:,} charge points.

## What they need, part by part
At 1 Hz, one broker a bench; pods as large as their processes allow:

{needs}

For other numbers `.venv/bin/python docs/generate_scaling.py --for 5000 20000` prints this table (`make demo`
makes the `.venv`). In Kubernetes an overlay of yours says so: `replicas` of `chargepoint` is the number
divided by {in_pod}, those of `csms` and `memorybank` are at least the table's;
[an example](kubernetes.md#more-charge-points) has 5,000.

The broker's row, and its limit further up, are the time of the embedded broker; what Mosquitto takes, time or
memory, was not measured, and its memory limits in compose and manifests are guesses. No row has the memory
of broker, PostgreSQL and console: the embedded broker takes 0.20 MB a charge point
([performance](performance.md#how-cost-grows)).

The manifests take {in_pod} charge points in a pod: more pods, {pod_mb:.0f} MB for each, and fewer charge
points that are away when one dies. Memory is the processes' own: what the kernel keeps for sockets comes on
top, and a limit needs room for an outage, while events wait.

Connections are the OCPP ones of each CSMS; `OCPP_MAX_CONNECTIONS` (5,000) must be above that, and a process
needs as many open files plus a hundred. The broker has one connection for each process that publishes. A
process gathers for {short:g} to {long:g} s, the longer the more events it has, what belongs to the same of
{partitions} partitions: a full process of charge points sends {messages:.0f} MQTT messages a second,
{batch:.0f} events in each. As processes of their own charge points send nearly every event alone: each then
costs the MemoryBank {message:g} µs more, its {partitions} shares hold {alone:,}, and what the broker then
costs was not measured.
They take the memory of the last line, too.

A figure of the whole chain is dearer than one of a part alone: fed as fast as they take it, the MemoryBank
and the CSMS need less for an event and a call ([results](benchmarks.md#results)), since both then
work in larger batches. Processes that are full will be nearer to those. Not computed: replicas of
PostgreSQL, which repeat its disk and its log, and acknowledgements.

## Slower
Real charge points send MeterValues more seldom than once a second. Everything above is proportional to the
rate. Bench sizes and disk if all of a charge point's life were slower:

{slower}

- **Slower values**: `METER_VALUE_SAMPLE_INTERVAL_S=60`. The bus stays at 1 Hz by its contract, and its
  frames are half of all events; but three quarters of the events' bytes are OCPP messages
  ([memory](memory.md#what-it-costs)).
- **A cluster of brokers** ([the choice](kubernetes.md#the-broker)) moves the broker's limit by its number
  of nodes at best. {cluster}
- **Fewer, larger messages**: batches of 3 s cost the MemoryBank and the broker less for each event
  ([results](benchmarks.md#results)), but a message of a full process holds {batch:.0f} already; the price is
  the delay of an alarm.

## What stays on disk
1,000 charge points at 1 Hz write {day} a day, {rollups} of it rollups over a minute and an hour, and
{wal} of write-ahead log, which is used again (PostgreSQL keeps about 1 GB of it). What stays at most is for
[retention](memory.md#retention) to say: single rows and rollups over 10 s go after `RETENTION_DAYS`, rollups
after `RETENTION_ROLLUP_DAYS`, both in whole partitions.

{kept}

These charge points only charge. Where half are provoked, eight took {provoked} each a day instead of the
{one_day} here ([memory](memory.md#what-it-costs)): plan {provoked_times:.1f} times the disk,
{provoked_day} a day for 1,000.

`RETENTION_GB` is the bound whatever the days say: the oldest days go first, then the oldest rollups. Its
default of 20 is for a few charge points: set it to what the disk has. Today and yesterday never go, so
{least} is the least that 1,000 charge points at 1 Hz need when days are cut; with `RETENTION_SPAN=hour` it is
this hour and the last one, {least_hours}. The rollups of this month stay, too, {month} at its end.
Below the sum the log, `/healthz` and `/metrics` say that the bound does not hold. A panel over months
reads rollups, however few days of rows there are. Every row is still written once; not to write them at
all, or only a sample of charge points raw, is not there.

## The measured costs
| Name | Value | What | Source |
|---|---:|---|---|
{costs}
"""

RETENTION = ((30, 400), (7, 400), (1, 400), (1, 30))
"""Days and days of rollups: first the defaults."""

MOST = 1_000_000_000
"""Charge points that are asked for with --for."""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _bytes(value: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e3:.3g} kB"


LINES: tuple[tuple[str, Callable[[Need], str]], ...] = (
    ("benches (regions)", lambda n: _number(n.benches)),
    ("pods of charge points", lambda n: _number(n.pods)),
    ("… charge points in each", lambda n: _number(n.in_each_pod)),
    ("… cores busy: charge points", lambda n: _number(n.chargepoint_cores)),
    ("… cores busy: charger modules", lambda n: _number(n.charger_cores)),
    ("… memory, injectors included", lambda n: _bytes(n.pods_gb * 1e9)),
    ("CSMSs, a core each", lambda n: _number(n.csms)),
    ("… connections at each", lambda n: _number(n.connections_each_csms)),
    ("… memory of all", lambda n: _bytes(n.csms_gb * 1e9)),
    ("MemoryBanks, a core each", lambda n: _number(n.memorybanks)),
    ("… memory of all", lambda n: _bytes(n.memorybanks_gb * 1e9)),
    ("PostgreSQL, cores", lambda n: _number(n.postgres_cores)),
    ("broker, cores busy", lambda n: _number(n.broker_cores)),
    ("events stored a second", lambda n: _number(n.stored_s)),
    ("MQTT messages a second, at most", lambda n: _number(n.messages_s)),
    ("OCPP on the network", lambda n: f"{_bytes(n.ocpp_bytes_s)}/s"),
    ("disk a day", lambda n: _bytes(n.disk_bytes_day)),
    ("… of which rollups that stay for 400 days", lambda n: _bytes(n.rollups_bytes_day)),
    ("write-ahead log", lambda n: f"{_bytes(n.wal_bytes_s)}/s"),
    ("memory of charge points and modules as processes of their own", lambda n: _bytes(n.processes_gb * 1e9)),
)

ABOUT = {
    "CSMS": (
        f"{CSMS_REPLICAS} replicas by transaction ids of 32 bits, a core each",
        "slower values; regions",
    ),
    "MemoryBank": (f"{PARTITIONS} partitions, a core each", "larger batches; regions"),
    "PostgreSQL": (
        f"one primary writes; taken here: {PRIMARY_CORES} cores and a disk that keeps up",
        "shorter retention; regions",
    ),
    "broker": ("Mosquitto is one thread", "a cluster of brokers; regions"),
    "charge points' process": ("one core", "more pods"),
    "charger's process": (f"one core, and `CHARGER_CAPACITY` ({BUSES:,} buses)", "more pods"),
}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _limits(most: Mapping[str, int]) -> str:
    return "\n".join(f"| {part} | {number:,} | {' | '.join(ABOUT[part])} |" for part, number in most.items())


def needs_table(sizes: Sequence[int]) -> str:
    """Return what so many charge points need, a column for each number of them."""
    needs = [need(size) for size in sizes]
    return _table(
        ["", *(f"{size:,}" for size in sizes)],
        [[name, *(line(one) for one in needs)] for name, line in LINES],
    )


def cluster(most: Mapping[str, int], brokers: int = 4) -> str:
    """Say what a broker of so many nodes gains, by the parts' limits in charge points a bench."""
    least = min(most, key=most.__getitem__)
    if least != "broker":
        return f"At these costs it gains nothing: the {least} is the least already, with {most[least]:,}."
    then = dict(most) | {"broker": brokers * most["broker"]}
    following = min(then, key=then.__getitem__)
    return f"With {brokers}, a bench holds {then[following]:,}, and the {following} is next."


def _slower() -> str:
    rows = []
    for seconds in (1, 10, 60):
        disks = [_bytes(need(size, slower=seconds).disk_bytes_day) for size in SIZES]
        size = min(limits(loads(slower=seconds)).values())
        rows.append([f"every {seconds} s", f"{size:,}", *disks])
    disk = [f"disk a day, {size:,}" for size in SIZES]
    return _table(["A charge point's second comes", "charge points a bench", *disk], rows)


def _kept() -> str:
    rows = []
    for days, rollup_days in RETENTION:
        left = kept(1000, days, rollup_days)
        sizes = (left.rows, left.rollups, left.bytes)
        rows.append([f"{days}", f"{rollup_days}", *(_bytes(size) for size in sizes)])
    return _table(["`RETENTION_DAYS`", "`RETENTION_ROLLUP_DAYS`", "rows", "rollups", "together"], rows)


def page() -> str:
    """Return the whole page."""
    of = {name: cost.value for name, cost in COSTS.items()}
    load, thousand = loads(), need(1000)
    most = limits(load)
    events_s = min(pod_limits(load).values()) * load.chargepoint_events
    return HEAD + BETWEEN.format(
        busy=BUSY,
        size=min(most.values()),
        limits=_limits(most),
        pod_limits=_limits(pod_limits(load)),
        on_one_network=ON_ONE_NETWORK,
        in_pod=IN_POD,
        pod_mb=of["chargepoint_mb"] + of["charger_mb"] + of["lab_mb"],
        short=FLUSH_S,
        long=LONGEST_FLUSH_S,
        messages=PARTITIONS / flush_s(events_s),
        partitions=PARTITIONS,
        batch=events_s * flush_s(events_s) / PARTITIONS,
        message=of["message_us"],
        alone=int(PARTITIONS * BUSY / load.memorybank_alone),
        cluster=cluster(most),
        needs=needs_table(SIZES),
        provoked=_bytes(of["provoked_bytes_day"]),
        provoked_day=_bytes(1000 * of["provoked_bytes_day"]),
        provoked_times=1000 * of["provoked_bytes_day"] / thousand.disk_bytes_day,
        one_day=_bytes(thousand.disk_bytes_day / 1000),
        slower=_slower(),
        day=_bytes(thousand.disk_bytes_day),
        rollups=_bytes(thousand.rollups_bytes_day),
        wal=_bytes(thousand.wal_bytes_s * DAY_S),
        kept=_kept(),
        least=_bytes(kept(1000, 1, 1).rows),
        month=_bytes(MONTH_DAYS * thousand.rollups_bytes_day),
        least_hours=_bytes(kept(1000, 1, 1).rows / 24),
        costs="\n".join(
            f"| `{name}` | {cost.value:,.10g} {cost.unit} | {cost.what} | {cost.source} |"
            for name, cost in COSTS.items()
        ),
    )


def _size(text: str) -> int:
    if not text.isdecimal() or not 1 <= (size := int(text)) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of charge points from 1 to {MOST:,}")
    return size


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page or check it, or print the table for other numbers; return the exit status."""
    own = parser(__doc__)
    own.add_argument(
        "--for",
        dest="sizes",
        nargs="+",
        type=_size,
        metavar="CHARGE_POINTS",
        help="print what so many need; write nothing",
    )
    chosen = own.parse_args(arguments)
    if chosen.sizes:
        sys.stdout.write(needs_table(chosen.sizes) + "\n")
        return 0
    return write(PAGE, page, check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())
