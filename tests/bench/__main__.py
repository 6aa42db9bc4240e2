"""`make bench`: measure, print one table, write build/bench.json; `--help` says what can be asked."""

import argparse
import logging
import sys
from functools import partial
from pathlib import Path

from bench import chaos, console, csms, detectors, fleet, ingest, memory, watching
from bench.queries import LEAST
from bench.report import Measure, Report, told


def main() -> int:
    """Run the parts that were asked for; return 1 with --strict where a goal is not met."""
    parser = argparse.ArgumentParser(prog="bench", description="ChargeBench's figures of speed and size.")
    parts: dict[str, Measure] = {
        "ingest": ingest.measure,
        "memory": partial(memory.measure, sizes=(LEAST,)),
        "watching": watching.measure,
        "chaos": chaos.measure,
        "console": console.measure,
        "detectors": detectors.measure,
        "fleet": fleet.measure,
        "csms": csms.measure,
    }
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; default all")
    parser.add_argument(
        "--readings",
        type=int,
        default=10,
        metavar="MILLIONS",
        help="readings of the larger memory, compared with one of 1 million (default 10)",
    )
    parser.add_argument(
        "--charge-points",
        type=int,
        default=fleet.MANY,
        metavar="N",
        help=f"of the fleet, at least 2 (default {fleet.MANY})",
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (default 1)")
    parser.add_argument("--strict", action="store_true", help="exit status 1 where a goal is not met")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(parts)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    sizes = sorted({LEAST, asked.readings * 1_000_000})
    parts["memory"] = partial(memory.measure, sizes=sizes)
    parts["fleet"] = partial(fleet.measure, charge_points=max(2, asked.charge_points))
    logging.disable()  # that a broker is away is part of the experiment
    report = Report(asked.seed)
    told(f"seed {asked.seed}")
    for part in asked.parts or parts:
        parts[part](report)
    report.write(asked.json)
    report.show()
    return 1 if asked.strict and report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
