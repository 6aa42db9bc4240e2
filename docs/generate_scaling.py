"""Write docs/scaling.md from the measured costs in docs/scaling.py.

Example: python docs/generate_scaling.py --check
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from generated import run
from scaling import BUSY, COSTS, CSMS_REPLICAS, PARTITIONS, PRIMARY_CORES, SIZES, Need, limits, loads, need

PAGE = Path(__file__).parent / "scaling.md"

HEAD = """# Scaling: what so many charge points need

Computed, not run: what one charge point costs each part was measured on two cores, and is multiplied.
`docs/generate_scaling.py` makes this page from the table in `docs/scaling.py`, so that a cost that was
measured anew changes every figure; a test checks that it is up to date. Real machines have other cores, and
what goes wrong first at a size where nobody has been is not known.

A charge point is at 1 Hz: it charges or is provoked without end, as on the bench. A fleet
that rests is cheaper.
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

## What they need, part by part
At 1 Hz, one broker a bench:

{needs}

Connections are the OCPP ones of each CSMS; `OCPP_MAX_CONNECTIONS` (5,000) must be above that, and a process
needs as many open files plus a hundred. The broker has a connection for each process that publishes: one a
charge point, or one a fleet. A message has {batch:g} events only where many charge points share a process
and so an outbox; as processes of their own each sends nearly every event alone, MQTT then costs the
MemoryBank {message:g} µs an event instead of {mqtt:g}, and its 16 shares hold {alone:,}; what the broker
then costs was not measured. As processes of their own the charge points alone take the memory of the last
line; that is what fleet mode is for, whose cost is not in this table yet. Not computed: the write-ahead log
(of the order of the disk's line), replicas of PostgreSQL, which repeat both, acknowledgements, the
charge points' and chargers' own processor time, and memory, of which CSMS and MemoryBank have 65 MB each
with a few charge points, and what a thousand connections add was not measured.

## Slower
Real charge points send MeterValues more seldom than once a second. Everything above is proportional to the
rate. Bench sizes and disk if all of a charge point's life were slower:

{slower}

- **Slower values**: `METER_VALUE_SAMPLE_INTERVAL_S=60`. The bus stays at 1 Hz by its contract, and its
  frames are half of all events.
- **A cluster of brokers** ([the choice](kubernetes.md#the-broker)) moves the broker's limit by its number
  of nodes at best: with four, a bench holds {four:,}, and {four_part} is next.
- **Rollups only**: `RETENTION_DAYS=1` keeps raw rows for a day and rollups over a minute and an hour for
  400: the line of rollups instead of the line of disk. They are still written once. Not to write them at
  all, or only a sample of charge points raw, is not there.
- **Fewer, larger messages**: batches of 3 s cost the MemoryBank 10 instead of 17 µs an event and the broker
  1.3 instead of 3.6; the price is the delay of an alarm.

## The measured costs
| Name | Value | What | Source |
|---|---:|---|---|
{costs}
"""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _bytes(value: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e3:.3g} kB"


LINES: tuple[tuple[str, Callable[[Need], str]], ...] = (
    ("benches (regions)", lambda n: _number(n.benches)),
    ("CSMSs, a core each", lambda n: _number(n.csms)),
    ("… connections at each", lambda n: _number(n.connections_each_csms)),
    ("MemoryBanks, a core each", lambda n: _number(n.memorybanks)),
    ("PostgreSQL, cores", lambda n: _number(n.postgres_cores)),
    ("broker, cores busy", lambda n: _number(n.broker_cores)),
    ("events stored a second", lambda n: _number(n.events_s)),
    ("MQTT messages a second", lambda n: _number(n.messages_s)),
    ("OCPP on the network", lambda n: f"{_bytes(n.ocpp_bytes_s)}/s"),
    ("disk a day", lambda n: _bytes(n.disk_bytes_day)),
    ("… of which rollups for 400 days", lambda n: _bytes(n.rollups_bytes_day)),
    ("charge points as processes of their own", lambda n: _bytes(n.processes_gb * 1e9)),
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
}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page() -> str:
    """Return the whole page."""
    most = limits(loads())
    needs = [need(size) for size in SIZES]
    four = most | {"broker": 4 * most["broker"]}
    slower = [(f"every {seconds} s", limits(loads(slower=seconds)), seconds) for seconds in (1, 10, 60)]
    return HEAD + BETWEEN.format(
        busy=BUSY,
        size=min(most.values()),
        batch=COSTS["batch"].value,
        message=COSTS["message_us"].value,
        mqtt=COSTS["mqtt_us"].value,
        alone=int(PARTITIONS * BUSY / loads().memorybank_alone),
        four=min(four.values()),
        four_part=f"the {min(four, key=four.__getitem__)}",
        limits="\n".join(
            f"| {part} | {number:,} | {' | '.join(ABOUT[part])} |" for part, number in most.items()
        ),
        needs=_table(
            ["", *(f"{size:,}" for size in SIZES)],
            [[name, *(line(one) for one in needs)] for name, line in LINES],
        ),
        slower=_table(
            [
                "A charge point's second comes",
                "charge points a bench",
                *(f"disk a day, {s:,}" for s in SIZES),
            ],
            [
                [
                    name,
                    f"{min(number.values()):,}",
                    *(_bytes(need(size, slower=seconds).disk_bytes_day) for size in SIZES),
                ]
                for name, number, seconds in slower
            ],
        ),
        costs="\n".join(
            f"| `{name}` | {cost.value:,.10g} {cost.unit} | {cost.what} | {cost.source} |"
            for name, cost in COSTS.items()
        ),
    )


if __name__ == "__main__":
    sys.exit(run(__doc__, PAGE, page))
