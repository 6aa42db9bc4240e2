"""`chargebench score`: how well anomalies are found, and how often nothing is called one."""

import argparse
import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from rich.console import Console

from chassis.command_line import Parser
from chassis.settings import SettingsError
from chassis.terminal import plural
from chassis.times import TIMES, instant
from csms import scenario_file
from csms.scenario import Scenario
from csms.scenario_file import ScenarioFileError
from lab.pool import interrupted_by_sigterm
from lab.progress import Progress
from lab.score import foreign, learned, paces, picture, remembered, report, showing
from lab.score.baselines import BASELINES, SLOW
from lab.score.scores import AT_THRESHOLD, WITHOUT, Gathered, Scores
from lab.score.stretches import SPREAD, of_scenario
from lab.score.work import OURS, Jury, Task, calibrated, outcomes
from memorybank import detector_configuration as configuration
from memorybank.detector import AnyDetector, Layer
from memorybank.detectors import found
from memorybank.detectors.reversals import DETECTOR
from memorybank.errors import MemoryBankError
from memorybank.filters import Filters
from memorybank.reader import Reader
from memorybank.viewer.place import find

BENIGN_STRETCH_DAYS = 3.0
CALIBRATION_SEED = 0
"""Benign life of seeds below 100 sets the baselines' thresholds."""
SWING = "repeated-current-fluctuation"
DRIFT = "stealth-drift"
THRESHOLDS = (4, 6, 8, 10, 12, 14)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="chargebench score",
        description="Simulate runs of every scenario within benign life, and benign life alone, and judge the"
        " detectors beside trivial baselines: score.json, score.html, score.md. It takes a while;"
        " fewer --events, --benign-days and --negative-days make it shorter and the intervals wider."
        " Its libraries are the extra score; `make score` installs them.",
        epilog="Example: chargebench score --events 10 --benign-days 6 --only repeated-current-fluctuation",
    )
    parser.add_argument("--events", type=int, default=60, metavar="N", help="a scenario (default 60)")
    parser.add_argument("--benign-days", type=float, default=90.0, metavar="D", help="default 90")
    parser.add_argument(
        "--negative-days", type=float, default=4.0, metavar="D", help="of each hard negative, default 4"
    )
    parser.add_argument("--calibration-days", type=float, default=6.0, metavar="D", help="default 6")
    parser.add_argument(
        "--learning-days",
        type=int,
        default=21,
        metavar="D",
        help=f"of {DRIFT} at a place that learned for a week before, default 21; 0: none",
    )
    parser.add_argument(
        "--pace-runs",
        type=int,
        default=10,
        metavar="N",
        help=f"of {SWING} at each of {len(paces.all_paces())} paces, default 10; 0: none",
    )
    parser.add_argument("--seeds-from", type=int, default=1000, metavar="S", help="default 1000: the test's")
    parser.add_argument(
        "--spread",
        type=float,
        default=SPREAD,
        metavar="F",
        help="factor around their defaults by which parameters are drawn, within their ranges; default 2",
    )
    parser.add_argument("--only", metavar="NAMES", help="scenarios, comma-separated; default all")
    parser.add_argument("--detectors", default="", metavar="FILE", help="a configuration (docs/detectors.md)")
    parser.add_argument(
        "--detector",
        default="",
        metavar="COMMAND",
        help="a detector that is not ours, judged beside them: it answers each line, a batch of events, with"
        " a JSON list of verdicts (docs/scores.md)",
    )
    memory = parser.add_argument_group("instead of a simulation, of a bench that runs or ran")
    memory.add_argument(
        "--memory", action="store_true", help="judge what its MemoryBank found and foreign detectors told"
    )
    memory.add_argument("--since", metavar="WHEN", help=f"from then on ({TIMES})")
    memory.add_argument("--until", metavar="WHEN", help="before then")
    memory.add_argument("--database", metavar="URL", help="its database, as a user who may see the truth")
    memory.add_argument("--home", metavar="DIR", help="its folder")
    parser.add_argument("--quick", action="store_true", help=f"without the baselines {' and '.join(SLOW)}")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--scenarios", type=Path, default=Path("scenarios"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("build"), metavar="DIR", help="default build")
    return parser.parse_args(arguments)


def main(line: list[str]) -> int:
    """Run it; exit status 0: it was scored, 2: it could not start. Raises ModuleNotFoundError."""
    asked = _parse(line[1:])
    _demand_libraries(asked)
    console = Console(highlight=False)
    if asked.spread < 1:
        print(f"chargebench score: --spread {asked.spread:g}: a factor is at least 1", file=sys.stderr)
        return 2
    try:
        detectors = configuration.load(asked.detectors, found())
        scenarios = _scenarios(asked.scenarios, asked.only)
        asked.out.mkdir(parents=True, exist_ok=True)
    except (SettingsError, ScenarioFileError, OSError) as error:
        print(f"chargebench score: {error}", file=sys.stderr)
        return 2
    if asked.memory:
        return _of_memory(asked, scenarios, console)
    if asked.detector and (wrong := foreign.complaint(asked.detector)):
        print(f"chargebench score: {wrong}", file=sys.stderr)
        return 2
    try:
        interrupted_by_sigterm()
        gathered, scores = _scored(asked, detectors, scenarios, console)
        by_name = {scenario.name: scenario for scenario in scenarios}
        if DRIFT in by_name and asked.learning_days > 0:
            console.print(f"{plural(asked.learning_days, 'day')} of {DRIFT} …")
            course = learned.Course(drifting_days=asked.learning_days, seed=asked.seeds_from)
            scores["learning"] = learned.lived(by_name[DRIFT], course, detectors)
        if SWING in by_name and asked.pace_runs > 0:
            count = len(paces.all_paces())
            console.print(f"{SWING} at {count} paces …")
            progress = Progress()
            scores["paces"] = paces.measured(
                by_name[SWING],
                detectors,
                runs=asked.pace_runs,
                seeds_from=asked.seeds_from,
                workers=asked.workers,
                tell=lambda done: progress.tell(done / count, f"{done} of {count} paces"),
            )
            progress.over()
    except KeyboardInterrupt:
        print("\nended; nothing was written", file=sys.stderr)
        return 130
    _write(asked.out, gathered, scores)
    showing.show(console, scores)
    console.print(f"{asked.out / 'score.html'} has the whole report")
    return 0


def _demand_libraries(asked: argparse.Namespace) -> None:
    """Raise ModuleNotFoundError now rather than after an hour."""
    of_simulation = ("matplotlib",) if asked.quick else ("matplotlib", "river", "stumpy")
    for name in ("scipy", *(() if asked.memory else of_simulation)):
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)


def _of_memory(asked: argparse.Namespace, scenarios: Iterable[Scenario], console: Console) -> int:
    now = datetime.now(UTC)
    try:
        filters = Filters(
            since=instant(asked.since, now) if asked.since else None,
            until=instant(asked.until, now) if asked.until else None,
        )
        place = find(asked.database, asked.home, os.environ, Path.cwd(), truth=True)
        with Reader(place.url) as reader:
            run = remembered.read(reader, filters)
    except (MemoryBankError, ValueError, OverflowError) as error:
        print(f"chargebench score: {error}", file=sys.stderr)
        return 2
    made = remembered.made(run, now, importlib.metadata.version("chargebench"))
    scores = remembered.gathered(run, scenarios).scores(made, (), (), run.foreign)
    _write_data(asked.out, scores)
    showing.show(console, scores)
    for name, after_s in made["heard_after_s"].items():
        late = f"{after_s['median']:.1f} s, {after_s['p95']:.1f} s"
        console.print(f"{name}: heard after the instant that it tells (median, p95): {late}", markup=False)
    console.print(f"{asked.out / 'score.json'} has all figures")
    return 0


def _scored(
    asked: argparse.Namespace,
    detectors: tuple[AnyDetector, ...],
    scenarios: Iterable[Scenario],
    console: Console,
) -> tuple[Gathered, Scores]:
    started_s = time.monotonic()
    console.print(f"calibrating the baselines on {asked.calibration_days:g} days of benign life …")
    names = [name for name in BASELINES if name not in SLOW or not asked.quick]
    jury = Jury(_sets(detectors), calibrated(names, CALIBRATION_SEED, asked.calibration_days), asked.detector)
    tasks = list(_tasks(asked, scenarios, tuple(jury.detectors)))
    gathered = Gathered()
    progress = Progress()

    def tell(done: int) -> None:
        progress.tell(done / len(tasks), f"{done} of {plural(len(tasks), 'stretch', 'stretches')}")

    for outcome in outcomes(tasks, jury, asked.workers, tell):
        gathered.add(outcome)
    progress.over()
    made = {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "version": importlib.metadata.version("chargebench"),
        "configuration": configuration.digest(detectors)[:16],
        "seeds_from": asked.seeds_from,
        "events": asked.events,
        "negative_days": asked.negative_days,
        "spread": asked.spread,
        "took_s": round(time.monotonic() - started_s),
        "thresholds": dict(jury.thresholds),
    }
    return gathered, gathered.scores(made, get_args(Layer), names, [asked.detector] if asked.detector else [])


def _tasks(asked: argparse.Namespace, scenarios: Iterable[Scenario], judges: Sequence[str]) -> Iterator[Task]:
    """Yield what is lived, each with the judges that the report asks about it."""
    first: int = asked.seeds_from
    layers = tuple(name for name in judges if name.startswith(WITHOUT))
    curve = tuple(name for name in judges if name.startswith(AT_THRESHOLD))
    events = [scenario for scenario in scenarios if not scenario.hard_negative]
    for number in range(asked.events):
        for scenario in events:
            of_curve = curve if scenario.name == SWING else ()
            judged_by = (OURS, *layers, *of_curve)
            yield Task(scenario, first + number, judged_by, spread=asked.spread)
    for scenario in scenarios:
        lived_days, number = 0.0, 0
        while scenario.hard_negative and lived_days < asked.negative_days:
            yield Task(scenario, first + number, spread=asked.spread)
            lived_days += of_scenario(scenario, first + number, asked.spread).days
            number += 1
    if asked.benign_days:
        stretches = max(1, round(asked.benign_days / BENIGN_STRETCH_DAYS))
        for number in range(stretches):
            yield Task(None, first + number, (OURS, *curve), asked.benign_days / stretches)


def _sets(detectors: tuple[AnyDetector, ...]) -> dict[str, tuple[AnyDetector, ...]]:
    """Return who judges: all, all but a layer, and reversals of the current alone at several thresholds."""
    sets = {OURS: detectors}
    for layer in get_args(Layer):
        sets[WITHOUT + layer] = tuple(detector for detector in detectors if detector.layer != layer)
    for threshold in THRESHOLDS:
        # Commands are left out: reversals of the current alone are the line to be beaten.
        alone = dataclasses.replace(DETECTOR, threshold=threshold, alternations=99, starts_and_stops=99)
        sets[f"{AT_THRESHOLD}{threshold}"] = (alone,)
    return sets


def _scenarios(directory: Path, only: str | None) -> list[Scenario]:
    """Return what is judged: whatever provokes an anomaly, and the hard negatives."""
    known, errors = scenario_file.load_directory(directory)
    if errors:
        raise errors[0]
    if only is None:
        return [one for one in known.values() if one.anomaly is not None or one.hard_negative]
    missing = [name for name in only.split(",") if name not in known]
    if missing:
        raise ScenarioFileError(f"no scenario {', '.join(missing)}; there are {', '.join(sorted(known))}")
    return [known[name] for name in only.split(",")]


def _write(out: Path, gathered: Gathered, scores: Scores) -> None:
    curve = picture.delay_against_false_alarms(
        gathered.curves(SWING, scores["baselines"]), f"{SWING}, against benign life"
    )
    _write_data(out, scores)
    (out / "score.html").write_text(report.html(scores, [curve]), encoding="utf-8")
    (out / "score.svg").write_text(curve, encoding="utf-8")


def _write_data(out: Path, scores: Scores) -> None:
    (out / "score.json").write_text(json.dumps(scores, indent=1, ensure_ascii=False), encoding="utf-8")
    (out / "score.md").write_text(report.markdown(scores), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(["score", *sys.argv[1:]]))
