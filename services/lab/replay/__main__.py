"""`chargebench replay`: what detectors would have told of recorded life."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from chassis.command_line import Parser
from chassis.screen import Screen
from chassis.settings import SettingsError
from chassis.times import TIMES, instant
from contracts.errors import ContractError
from contracts.events import Anomaly, AnyEvent, CanFrameSeen, Reading
from csms import scenario_file
from lab.data_set import reader as data_set
from lab.replay import can_log, memory, showing
from lab.replay.truth import Truth
from lab.score.stretches import kind_of
from lab.watching import Watching
from memorybank import detector_configuration as configuration
from memorybank.detectors import found
from memorybank.errors import MemoryBankError
from memorybank.filters import Filters
from memorybank.reader import Reader
from memorybank.viewer.place import find

_TELL_EVENTS = 50_000
_ENCODER = msgspec.json.Encoder()


class NothingThere(ContractError):  # noqa: N818 - named after what is the matter
    """What is to be replayed does not exist."""


@dataclass(frozen=True, slots=True)
class _Replayed:
    """The anomalies as told last, in order of their start; of how many events."""

    anomalies: list[Anomaly]
    count: int
    until: datetime | None
    """When the last of the bus was."""
    has_frames: bool


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="chargebench replay",
        description="Let any configuration of detectors judge recorded life: the memory of the running bench,"
        " a data set of `chargebench simulate` (a directory), or a CAN log (.asc, .blf, .log). Of a data set"
        " with its truth (labels.parquet) each anomaly is told beside the run that explains it, or that none"
        " does, and then the runs that were not found; the detectors do not see it.",
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
    parser.add_argument(
        "--scenarios",
        type=Path,
        default=Path("scenarios"),
        metavar="DIR",
        help="of scenario files, which say what else is a right name for what a run provokes",
    )
    parser.add_argument(
        "--json", action="store_true", help="a line of JSON for each change of an anomaly, without the truth"
    )
    return parser.parse_args(arguments)


def main(line: list[str]) -> int:
    """Run it; exit status 0: it was replayed, 2: it could not be."""
    asked = _parse(line[1:])
    try:
        detectors = configuration.load(asked.detectors, found())
        with _events(asked) as events:
            replayed = _replayed(events, Watching(detectors), as_json=asked.json)
        if not asked.json:
            screen, truth = Screen(), _truth(asked, replayed.until)
            showing.show(screen, replayed.anomalies, replayed.count, truth)
            if truth is not None and truth.missed(replayed.anomalies) and not replayed.has_frames:
                screen.line(
                    "it has no CAN frames, by which alone some are found: `simulate --wire` keeps them"
                )
    except (SettingsError, ContractError, MemoryBankError, ValueError, OverflowError) as error:
        print(f"chargebench replay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def _events(asked: argparse.Namespace) -> Iterator[Iterator[AnyEvent]]:
    """Give what is to be replayed, in the order in which it happened."""
    if asked.source is not None:
        if not asked.source.exists():
            raise NothingThere(f"{asked.source}: there is no such file or directory")
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


def _replayed(events: Iterator[AnyEvent], watching: Watching, *, as_json: bool) -> _Replayed:
    told: dict[object, Anomaly] = {}
    count, until, has_frames = 0, None, False
    for count, event in enumerate(events, 1):
        # By the bus alone: a charge point's clock may be wrong.
        if isinstance(event, Reading) and event.origin == "can":
            until = event.at
        has_frames = has_frames or isinstance(event, CanFrameSeen)
        for finding in watching.observe(event):
            told[finding.anomaly.id] = finding.anomaly
            if as_json:
                print(_ENCODER.encode(finding.anomaly).decode())
        if count % _TELL_EVENTS == 0 and sys.stderr.isatty():
            print(f"\r{count:,} events\x1b[K", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    anomalies = sorted(told.values(), key=lambda anomaly: anomaly.started_at)
    return _Replayed(anomalies, count, until, has_frames)


def _truth(asked: argparse.Namespace, until: datetime | None) -> Truth | None:
    """Return the truth of a data set that has one; what else is replayed has none."""
    if asked.source is None or not asked.source.is_dir() or not data_set.has_labels(asked.source):
        return None
    labels = data_set.labels(asked.source)
    until = until or max((label.at for label in labels), default=datetime.now(UTC))
    known, _ = scenario_file.load_directory(asked.scenarios)
    accepted = {name: kind_of(scenario).accepted for name, scenario in known.items() if scenario.anomaly}
    return Truth(labels, accepted, until)


if __name__ == "__main__":
    sys.exit(main(["replay", *sys.argv[1:]]))
