"""`chargebench replay`: what detectors would have told of recorded life."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from chassis.command_line import Parser
from chassis.settings import SettingsError
from chassis.terminal import plural
from chassis.times import TIMES, instant
from contracts.errors import ContractError
from contracts.events import Anomaly, AnyEvent
from lab.data_set import reader as data_set
from lab.replay import can_log, memory
from lab.watching import Watching
from memorybank import detector_configuration as configuration
from memorybank.detectors import found
from memorybank.errors import MemoryBankError
from memorybank.filters import Filters
from memorybank.reader import Reader
from memorybank.viewer.place import find

_TELL_EVENTS = 50_000
_ENCODER = msgspec.json.Encoder()


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="chargebench replay",
        description="Let any configuration of detectors judge recorded life: the memory of the running bench,"
        " a data set of `chargebench simulate` (a directory), or a CAN log (.asc, .blf, .log).",
        epilog="Example: chargebench replay data-set --detectors stricter.toml",
    )
    parser.add_argument(
        "source", nargs="?", type=Path, help="directory of a data set, or CAN log; without it, the memory"
    )
    parser.add_argument("--detectors", default="", metavar="FILE", help="a configuration (docs/detectors.md)")
    parser.add_argument("--charge-point", metavar="ID", help="of the memory: this one only")
    parser.add_argument("--since", metavar="WHEN", help=f"of the memory: from then on ({TIMES})")
    parser.add_argument("--until", metavar="WHEN", help="of the memory: before then")
    parser.add_argument("--database", metavar="URL", help="where the memory is")
    parser.add_argument("--home", metavar="DIR", help="folder of the bench whose memory it is")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each change of an anomaly")
    return parser.parse_args(arguments)


def main(line: list[str]) -> int:
    """Run it; exit status 0: it was replayed, 2: it could not be."""
    asked = _parse(line[1:])
    try:
        detectors = configuration.load(asked.detectors, found())
        with _events(asked) as events:
            anomalies, count = _replayed(events, Watching(detectors), as_json=asked.json)
    except (SettingsError, ContractError, MemoryBankError, ValueError, OverflowError) as error:
        print(f"chargebench replay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if not asked.json:
        _show(anomalies, count)
    return 0


@contextmanager
def _events(asked: argparse.Namespace) -> Iterator[Iterator[AnyEvent]]:
    """Give what is to be replayed, in the order in which it happened."""
    if asked.source is not None:
        yield data_set.events(asked.source) if asked.source.is_dir() else can_log.events(asked.source)
        return
    now = datetime.now(UTC)
    filters = Filters(
        charge_point_id=asked.charge_point,
        since=instant(asked.since, now) if asked.since else None,
        until=instant(asked.until, now) if asked.until else None,
    )
    place = find(asked.database, asked.home, os.environ, Path.cwd())
    with Reader(place.url) as reader:
        yield memory.events(reader, filters)


def _replayed(events: Iterator[AnyEvent], watching: Watching, *, as_json: bool) -> tuple[list[Anomaly], int]:
    """Return the anomalies as told last, in order of their start, and how many events there were."""
    told: dict[object, Anomaly] = {}
    count = 0
    for count, event in enumerate(events, 1):
        for finding in watching.observe(event):
            told[finding.anomaly.id] = finding.anomaly
            if as_json:
                print(_ENCODER.encode(finding.anomaly).decode())
        if count % _TELL_EVENTS == 0 and sys.stderr.isatty():
            print(f"\r{count:,} events\x1b[K", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return sorted(told.values(), key=lambda anomaly: anomaly.started_at), count


def _show(anomalies: list[Anomaly], count: int) -> None:
    console = Console(highlight=False)
    table = Table("start (UTC)", "charge point", "kind", "severity", "lasted", "why")
    for anomaly in anomalies:
        lasted = (
            "open" if anomaly.ended_at is None else f"{(anomaly.ended_at - anomaly.started_at).seconds} s"
        )
        table.add_row(
            f"{anomaly.started_at:%Y-%m-%d %H:%M:%S}",
            anomaly.charge_point_id,
            anomaly.kind,
            anomaly.severity,
            lasted,
            anomaly.explanation,
        )
    if anomalies:
        console.print(table)
    console.print(f"{plural(len(anomalies), 'anomaly', 'anomalies')} in {plural(count, 'event')}")


if __name__ == "__main__":
    sys.exit(main(["replay", *sys.argv[1:]]))
