"""Print what `make bench-knee` has measured for the table in docs/scaling.py, beside what stands there.

The largest number of charge points that was held counts; what each one adds to a process's memory is taken
between the smallest and that one. Example: python docs/measure_scaling.py build/knee.json
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling import COSTS

TIMES = ("chargepoint", "charger", "csms", "memorybank", "postgres", "broker")
MEMORIES = ("chargepoint", "charger", "csms", "memorybank")


def measured(steps: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return costs by their names in the table; raises ValueError where fewer than two numbers were held."""
    held = sorted((step for step in steps if step["held"]), key=lambda step: step["charge_points"])
    if len(held) < 2 or held[0]["charge_points"] == held[-1]["charge_points"]:
        raise ValueError("two numbers of charge points that were held are needed")
    least, most = held[0], held[-1]
    count, further = most["charge_points"], most["charge_points"] - least["charge_points"]
    found = {
        "stored": most["events_a_second"] / count,
        "chargepoint_events": most["backlogs"]["outbox of chargepoint"]["a_second"] / count,
        "csms_events": most["backlogs"]["outbox of csms"]["a_second"] / count,
        "disk_bytes": most["database_bytes_a_second"] / count,
        "wal_bytes": most["wal_bytes_a_second"] / count,
        "lab_mb": most["memory_mb"]["lab"],
    }
    for service in TIMES:
        found[f"{service}_us"] = 1e6 * most["cpu"][service] / count
    for service in MEMORIES:
        each_mb = (most["memory_mb"][service] - least["memory_mb"][service]) / further
        found[f"{service}_kb"] = 1000 * each_mb
        found[f"{service}_mb"] = most["memory_mb"][service] - count * each_mb
    return found


def main() -> int:
    """Print the table; status 1 where the file has not what is needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="build/knee.json")
    try:
        found = measured(json.loads(parser.parse_args().file.read_text(encoding="utf-8"))["steps"])
    except (OSError, ValueError, KeyError) as error:
        print(f"measure_scaling: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for name, value in found.items():
        cost = COSTS[name]
        print(f"{name:<20} {value:>10.4g} {cost.unit:<4} (the table: {cost.value:g})")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
